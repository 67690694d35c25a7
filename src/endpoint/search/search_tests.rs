//! What the search must not take for the end of a writer, on servers that do nothing but greet.

use std::{
    net::{Ipv4Addr, TcpListener},
    thread,
};

use super::{candidates::Configured, silence::Traffic, topology::Topology, *};
use crate::control::option::Candidate;

fn endpoint() -> Endpoint {
    Endpoint::alone()
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
                let _ = std::io::Read::read(&mut &stream, &mut [0]);
            });
        }
    });
    address
}

/// A server at this address, which greets and keeps its connections.
fn greets_at(address: SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut &stream, b"hello");
            std::mem::forget(stream);
        }
    });
}

/// A connection; every server that it asks says that it is writable.
struct Fake {
    at: SocketAddr,
    opened: Instant,
    /// Its server has ended the connection, which shows when something is asked on it.
    ended: bool,
    asked: Vec<SocketAddr>,
    /// What its resolver says.
    resolved: Vec<std::net::IpAddr>,
    /// Another connection to each server is alive.
    beside_others: bool,
    /// No server is there.
    absent: Option<std::net::IpAddr>,
}

impl Prober for Fake {
    fn address(&self) -> Option<SocketAddr> {
        Some(self.at)
    }
    fn opened(&self) -> Instant {
        self.opened
    }
    fn fd(&self) -> i32 {
        -1
    }
    fn dial(&mut self, to: SocketAddr) -> Result<(), Undialled> {
        if self.absent == Some(to.ip()) {
            return Err(Undialled::Unreachable("nobody is there".to_owned()));
        }
        (self.at, self.ended, self.opened) = (to, false, Instant::now());
        Ok(())
    }
    fn ask(&mut self) -> Writability {
        if self.ended {
            return Writability::Lost;
        }
        self.asked.push(self.at);
        Writability::Writable
    }
    fn read_topology(&mut self) -> Option<Topology> {
        None
    }
    fn others_are_alive_at(&self, _: SocketAddr) -> bool {
        self.beside_others
    }
    fn resolve(&mut self) -> Vec<std::net::IpAddr> {
        self.resolved.clone()
    }
}

fn on(at: SocketAddr) -> Fake {
    Fake {
        at,
        opened: Instant::now(),
        ended: false,
        asked: Vec::new(),
        resolved: Vec::new(),
        beside_others: false,
        absent: None,
    }
}

/// The watcher and getaddrinfo agree that the name means this writer.
fn known_writer(endpoint: &Endpoint, writer: SocketAddr) {
    endpoint.seen_writable(writer);
    endpoint.on_resolved(vec![writer.ip()]);
    endpoint.on_answer(vec![writer.ip()]);
}

fn unfit(endpoint: &Endpoint, state: &mut State, writer: SocketAddr) {
    endpoint.incumbent_unfit(state, writer, Some(Undialled::Unreachable("no greeting".to_owned())));
}

#[test]
fn a_suspicion_with_nobody_waiting_is_looked_into_before_it_fails_open() {
    let endpoint = endpoint();
    let writer = greeter(Ipv4Addr::new(127, 0, 0, 31), Duration::ZERO);
    endpoint.seen_writable(writer);
    {
        // The watcher missed one greeting, an hour ago. No thread has sent a statement since.
        let mut state = endpoint.lock();
        state.life.on_incumbent_unfit(Instant::now().checked_sub(Duration::from_secs(3600)).unwrap());
        state.silence.missed(writer, endpoint.now());
    }
    let found = endpoint.find_writer(&mut on(writer), None);
    assert_eq!(found.map(|found| found.address), Some(writer));
}

/// A server that was killed, and starts by itself just after its name has moved: the watcher will know in a moment.
#[test]
fn a_writer_that_comes_back_after_its_name_has_moved_is_not_gone_back_to() {
    let endpoint = endpoint();
    let (blue, elsewhere) =
        (greeter(Ipv4Addr::new(127, 0, 0, 39), Duration::ZERO), SocketAddr::from(([127, 0, 0, 40], 1)));
    let green = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 41).into(), blue.port());
    greets_at(green);
    known_writer(&endpoint, blue);
    unfit(&endpoint, &mut endpoint.lock(), blue);
    let mut lost = Fake { resolved: vec![green.ip()], ..on(elsewhere) };
    assert_eq!(endpoint.find_writer(&mut lost, None).map(|found| found.address), Some(green));
    let still = super::tests::endpoint();
    known_writer(&still, blue);
    unfit(&still, &mut still.lock(), blue);
    let mut lost = Fake { resolved: vec![blue.ip()], ..on(elsewhere) };
    assert_eq!(still.find_writer(&mut lost, None).map(|found| found.address), Some(blue));
}

/// A move without read_only: both servers take writes, the name means the new one, and the old one ends its connections.
#[test]
fn a_connection_that_only_seemed_to_be_open_goes_where_its_name_leads_as_a_lost_one() {
    let endpoint = endpoint();
    let blue = greeter(Ipv4Addr::new(127, 0, 0, 42), Duration::ZERO);
    let green = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 43).into(), blue.port());
    greets_at(green);
    known_writer(&endpoint, blue);
    endpoint.on_answer(vec![green.ip()]);
    endpoint.on_resolved(vec![green.ip()]);
    endpoint.suspect(endpoint.pulse().generation());
    let mut seems_open = Fake { ended: true, resolved: vec![green.ip()], ..on(blue) };
    assert_eq!(endpoint.find_writer(&mut seems_open, None).map(|found| found.address), Some(green));
    assert_eq!(seems_open.at, green);
}

/// The name means a server that is not there. Other connections to the writer are alive, and vouch for it.
#[test]
fn a_lost_connection_falls_back_on_the_writer_that_its_name_leaves_out_if_others_are_alive_there() {
    let endpoint = endpoint();
    let blue = greeter(Ipv4Addr::new(127, 0, 0, 42), Duration::ZERO);
    let nobody = SocketAddr::from(([127, 0, 0, 43], 1));
    known_writer(&endpoint, blue);
    endpoint.on_answer(vec![nobody.ip()]);
    unfit(&endpoint, &mut endpoint.lock(), blue);
    let mut lost = Fake { resolved: vec![nobody.ip()], beside_others: true, absent: Some(nobody.ip()), ..on(nobody) };
    let soon = Instant::now() + Duration::from_secs(5);
    assert_eq!(endpoint.find_writer(&mut lost, Some(soon)).map(|found| found.address), Some(blue));
}

#[test]
fn a_hold_begins_anew_once_a_writer_was_found_however_often_one_was_looked_for_before() {
    let endpoint = endpoint();
    let writer = greeter(Ipv4Addr::new(127, 0, 0, 38), Duration::ZERO);
    endpoint.seen_writable(writer);
    {
        // Connections are lost all the time, and each time a writer is looked for and found.
        let mut state = endpoint.lock();
        let now = Instant::now();
        state.held = Some((now.checked_sub(Duration::from_secs(3600)).unwrap(), now));
    }
    endpoint.suspect(endpoint.pulse().generation());
    assert!(endpoint.find_writer(&mut on(writer), None).is_some());
    assert_eq!(endpoint.lock().held, None);
}

#[test]
fn a_server_that_greets_late_is_found_again_once_it_missed_a_greeting() {
    let endpoint = endpoint();
    let writer = greeter(Ipv4Addr::new(127, 0, 0, 32), Duration::from_millis(700));
    endpoint.lock().silence.missed(writer, endpoint.now());
    assert_eq!(endpoint.sign_of_life(writer), Ok(()));
    assert!(!endpoint.lock().silence.is_mute(writer));
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
fn a_writer_that_missed_a_greeting_is_asked_by_whoever_is_connected_before_another_is_taken() {
    let endpoint = endpoint();
    let writer = greeter(Ipv4Addr::new(127, 0, 0, 35), Duration::ZERO);
    endpoint.seen_writable(writer);
    {
        let mut state = endpoint.lock();
        state.configured = Configured::of(&endpoint.name, &[candidate("127.0.0.36")]);
        state.silence.missed(writer, endpoint.now());
        unfit(&endpoint, &mut state, writer);
    }
    let mut prober = on(writer);
    assert_eq!(endpoint.find_writer(&mut prober, None).map(|found| found.address), Some(writer));
    assert_eq!(prober.asked, [writer]);
}

fn candidate(host: &str) -> Candidate {
    Candidate::parse(&format!("db.shop.example={host}")).unwrap()
}

#[test]
fn a_configured_candidate_is_not_taken_for_a_gap_of_less_than_five_seconds() {
    let endpoint = endpoint();
    let writer = SocketAddr::from(([127, 0, 0, 37], 1));
    endpoint.seen_writable(writer);
    let gap = |missed: bool| {
        let mut state = endpoint.lock();
        if missed {
            state.silence.missed(writer, endpoint.now());
        }
        endpoint.may_be_a_gap(&state)
    };
    assert!(!gap(false), "it refused, or said that it is read-only");
    assert!(gap(true));
    endpoint.lock().silence.backdate(writer, GAP);
    assert!(!gap(false));
}

#[test]
fn what_some_server_says_of_itself_is_said_of_the_writer_only_where_dns_leads_to_nobody_else() {
    let endpoint = endpoint();
    let writer = SocketAddr::from(([127, 0, 0, 38], 3306));
    endpoint.seen_writable(writer);
    endpoint.on_answer(vec![writer.ip()]);
    assert!(endpoint.is_where_dns_leads());
    endpoint.on_answer(vec![writer.ip(), "127.0.0.39".parse().unwrap()]);
    assert!(!endpoint.is_where_dns_leads());
}

#[test]
fn a_writer_that_nobody_has_watched_for_an_hour_is_not_where_connects_are_led() {
    let endpoint = endpoint();
    let writer = SocketAddr::from(([127, 0, 0, 40], 3306));
    let long_ago = Instant::now().checked_sub(Duration::from_secs(3600)).unwrap();
    {
        let mut state = endpoint.lock();
        state.life.adopt(writer, long_ago);
        state.life.on_answer(vec![writer.ip()], long_ago);
    }
    assert_eq!(endpoint.writer_beside_dns(true), None);
    endpoint.on_answer(vec![writer.ip()]);
    assert_eq!(endpoint.writer_beside_dns(true), Some(writer));
}

/// A connection that was lost, in a process that can open no other.
struct WithoutMeans;

impl Prober for WithoutMeans {
    fn address(&self) -> Option<SocketAddr> {
        None
    }
    fn opened(&self) -> Instant {
        Instant::now()
    }
    fn fd(&self) -> i32 {
        -1
    }
    fn dial(&mut self, _: SocketAddr) -> Result<(), Undialled> {
        Err(Undialled::NotTried("error 2004".to_owned()))
    }
    fn ask(&mut self) -> Writability {
        Writability::Lost
    }
    fn read_topology(&mut self) -> Option<Topology> {
        None
    }
    fn others_are_alive_at(&self, _: SocketAddr) -> bool {
        false
    }
}

#[test]
fn a_process_that_can_open_no_connection_holds_nobody_and_finds_no_fault_with_its_writer() {
    let endpoint = endpoint();
    let writer = greeter(Ipv4Addr::LOCALHOST, Duration::ZERO);
    endpoint.seen_writable(writer);
    endpoint.suspect(1);
    assert_eq!(endpoint.find_writer(&mut WithoutMeans, None), None);
    let state = endpoint.lock();
    assert_eq!((state.life.incumbent(), state.life.phase()), (Some(writer), Phase::Suspect));
    assert!(!state.silence.is_mute(writer) && !state.life.circuit_open());
}
