//! Doubts of a reviewer, each as a sentence that ought to be true. Those that fail are findings.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use super::{
    Endpoint, Phase,
    candidates::Known,
    name::Name,
    search::{Prober, Trouble, Undialled, Writability},
    silence::Traffic,
    topology::Topology,
};
use crate::control::option::Candidate;

const SETTLE: Duration = Duration::from_secs(15);

fn endpoint() -> Endpoint {
    Endpoint::new(Name::of(b"db.shop.example", 0).unwrap())
}

fn server(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 3306))
}

fn ago(seconds: u64) -> Instant {
    Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap()
}

/// A server that accepts, and greets after `pause`.
fn greeter(ip: Ipv4Addr, pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind((ip, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                thread::sleep(pause);
                let _ = std::io::Write::write_all(&mut &stream, b"hello");
                thread::sleep(Duration::from_secs(1));
            });
        }
    });
    address
}

/// A connection to `at`; every server that can be reached says that it is writable.
struct Fake {
    at: Option<SocketAddr>,
    asked: Vec<SocketAddr>,
}

impl Prober for Fake {
    fn address(&self) -> Option<SocketAddr> {
        self.at
    }
    fn fd(&self) -> i32 {
        -1
    }
    fn answered_lately(&self) -> bool {
        false
    }
    fn dial(&mut self, to: SocketAddr) -> Result<(), Undialled> {
        self.at = Some(to);
        Ok(())
    }
    fn ask(&mut self) -> Writability {
        self.asked.extend(self.at);
        Writability::Writable
    }
    fn read_topology(&mut self) -> Option<Topology> {
        None
    }
    fn others_are_alive_at(&self, _: SocketAddr) -> bool {
        false
    }
}

fn on(at: SocketAddr) -> Fake {
    Fake { at: Some(at), asked: Vec::new() }
}

#[test]
fn dns_that_never_moved_does_not_lead_back_from_a_configured_candidate_to_the_old_writer() {
    let endpoint = endpoint();
    let mut state = endpoint.lock();
    let (old, candidate, life) = (server(1), server(2), &mut state.life);
    life.adopt(old, ago(60));
    life.on_answer(vec![old.ip()], ago(40));
    life.on_incumbent_unfit(ago(40));
    assert!(life.may_adopt_configured(false));
    life.adopt(candidate, ago(39));
    // Nobody has touched DNS: it says what it has always said.
    for second in (0..=39).rev().step_by(3) {
        life.on_answer(vec![old.ip()], ago(second));
    }
    // The candidate says that it is writable. The old writer has restarted, writable as a server is by default.
    assert!(!life.may_adopt(old, true, Instant::now(), SETTLE));
}

#[test]
fn a_writer_that_nobody_has_watched_for_a_day_is_not_where_connects_are_led() {
    let endpoint = endpoint();
    endpoint.seen_writable(server(1));
    {
        let mut state = endpoint.lock();
        state.life.on_answer(vec![server(1).ip()], ago(3600));
    }
    assert_eq!(endpoint.writer_beside_dns(true), None);
}

#[test]
fn a_suspicion_with_nobody_waiting_is_looked_into_before_it_fails_open() {
    let endpoint = endpoint();
    let writer = greeter(Ipv4Addr::new(127, 0, 0, 31), Duration::ZERO);
    endpoint.seen_writable(writer);
    {
        // The watcher missed one greeting, an hour ago. Nobody has sent a statement since.
        let mut state = endpoint.lock();
        state.life.on_incumbent_unfit(ago(3600));
        state.silence.mute_for_review(writer);
    }
    let found = endpoint.find_writer(&mut on(writer), None);
    assert_eq!(found.map(|found| found.address), Some(writer));
}

#[test]
fn a_server_that_greets_after_300_ms_is_found_again_once_it_missed_one_greeting() {
    let endpoint = endpoint();
    let writer = greeter(Ipv4Addr::new(127, 0, 0, 32), Duration::from_millis(300));
    endpoint.seen_writable(writer);
    endpoint.unheard(writer);
    endpoint.suspect(1);
    let found = endpoint.find_writer(&mut on(writer), Some(Instant::now() + Duration::from_secs(3)));
    assert_eq!(found.map(|found| found.address), Some(writer));
}

#[test]
fn of_several_servers_under_one_name_none_is_cut_for_one_late_greeting() {
    let endpoint = endpoint();
    let (one, other) = (
        greeter(Ipv4Addr::new(127, 0, 0, 33), Duration::ZERO),
        greeter(Ipv4Addr::new(127, 0, 0, 34), Duration::from_millis(600)),
    );
    endpoint.seen_writable(one);
    endpoint.on_answer(vec![one.ip(), other.ip()]);
    assert_eq!(endpoint.lock().life.phase(), Phase::Steady);
    // A statement of ten seconds runs there; nothing is sent again.
    let traffic = Traffic { heard: Some(Duration::from_secs(10)), resending: false, waiting: true };
    assert!(!endpoint.has_fallen_silent(other, traffic));
}

#[test]
fn one_missed_greeting_is_no_reason_to_take_a_configured_candidate_without_asking_the_writer() {
    let endpoint = endpoint();
    let writer = greeter(Ipv4Addr::new(127, 0, 0, 35), Duration::ZERO);
    endpoint.seen_writable(writer);
    {
        let mut state = endpoint.lock();
        let entry = Candidate::parse("db.shop.example=127.0.0.36").unwrap();
        state.configured = Known::of(&endpoint.name, &[entry]);
        // What the watcher does after one greeting that took half a second.
        state.silence.mute_for_review(writer);
        endpoint.incumbent_unfit(&mut state, writer, Some(Undialled::Unreachable("no greeting".to_owned())));
    }
    // The connection is alive and would answer.
    let mut prober = on(writer);
    let found = endpoint.find_writer(&mut prober, None).unwrap();
    assert!(found.address == writer || prober.asked.contains(&writer), "{found:?}, asked {:?}", prober.asked);
}

#[test]
fn the_search_does_not_queue_behind_the_connects_that_wait_for_it() {
    // Leaked: the threads below use it until the process ends.
    let endpoint: &'static Endpoint = Box::leak(Box::new(endpoint()));
    endpoint.seen_writable(server(1));
    endpoint.lock().life.on_incumbent_unfit(Instant::now());
    // 200 connects of the application that hang at a server which is gone.
    for _ in 0..200 {
        thread::spawn(move || {
            let turn = endpoint.handshake_in_a_storm();
            thread::sleep(Duration::from_secs(60));
            drop(turn);
        });
    }
    thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    // What `dial` does first.
    let turn = endpoint.handshake();
    let waited = began.elapsed();
    drop(turn);
    assert!(waited < Duration::from_secs(2), "the prober waited {waited:?} for its turn");
}

/// DNS led the connect to another one of several servers, or to a new one that is not open yet.
#[test]
fn that_some_server_is_going_away_says_nothing_of_the_writer() {
    let endpoint = endpoint();
    let writer = greeter(Ipv4Addr::new(127, 0, 0, 37), Duration::ZERO);
    endpoint.seen_writable(writer);
    endpoint.on_answer(vec![writer.ip(), server(2).ip()]);
    let long_ago = ago(60);
    endpoint.connect_may_try_again(Trouble::GoingAway, None);
    let phase = endpoint.lock().life.phase();
    assert_eq!((phase, endpoint.was_unreachable_after(long_ago)), (Phase::Steady, false));
}
