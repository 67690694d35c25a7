//! One address, another server: the name leads to a balancer, whose new connections reach the new writer while old ones stay
//! on the demoted server (HAProxy, a Kubernetes Service, a network load balancer, an address that has moved).

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use pointsman_lab::{ENDPOINT, Lab, Side};
use pointsman_tests::{on_both, puppet::Puppet, server_id, with_table};

on_both! { with_table;
    a_refused_write_is_run_again_on_the_server_to_which_the_address_leads_now
    a_pool_that_evicts_waits_no_longer_than_without_the_library
    connections_that_lead_to_the_new_server_already_never_stand_still
    a_connection_that_finds_no_writer_ends_with_hold_max_while_another_one_goes_on
    an_address_that_stays_read_only_fails_as_without_a_balancer_and_is_dialled_once_a_second
    a_transaction_in_progress_is_replayed_on_the_other_server_or_is_a_victim
    a_transaction_whose_session_the_balancer_ends_is_replayed_on_the_other_server
    what_the_session_has_set_up_is_there_behind_the_other_server_too
    a_balancer_that_leads_to_the_writer_and_a_reader_in_turns_is_no_worse_than_without_the_library
    the_way_back_to_the_first_server_is_found_as_well
}

const WHO: &str = "SELECT @@server_id";
const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";
/// Far below what a hold takes.
const AT_ONCE: Duration = Duration::from_secs(6);

/// A balancer of TCP connections on the lab's spare address. Old connections stay where they are.
struct Balancer {
    address: SocketAddr,
    routes: Arc<Mutex<Routes>>,
    thread: Option<JoinHandle<()>>,
}

struct Routes {
    /// New connections are led to these in turns.
    backends: Vec<SocketAddr>,
    accepted: Vec<Instant>,
    open: Vec<TcpStream>,
    ended: bool,
}

fn locked(routes: &Mutex<Routes>) -> MutexGuard<'_, Routes> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Balancer {
    /// In front of blue; from now on the endpoint's name means the balancer.
    fn start(lab: &Lab) -> Self {
        let address = SocketAddr::from((lab.spare_address(), lab.port()));
        let listener = TcpListener::bind(address).expect("an address of the lab's own");
        let routes = Routes { backends: vec![lab.blue().address()], accepted: vec![], open: vec![], ended: false };
        let routes = Arc::new(Mutex::new(routes));
        let shared = Arc::clone(&routes);
        let thread = thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let backend = {
                    let mut routes = locked(&shared);
                    if routes.ended {
                        return;
                    }
                    routes.accepted.push(Instant::now());
                    routes.backends.rotate_left(1);
                    *routes.backends.last().expect("a backend")
                };
                if let Ok(server) = TcpStream::connect(backend) {
                    locked(&shared).open.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                    join(client, server);
                }
            }
        });
        lab.dns().set(ENDPOINT, &[lab.spare_address()], 1).unwrap();
        Balancer { address, routes, thread: Some(thread) }
    }

    fn lead_to(&self, lab: &Lab, sides: &[Side]) {
        locked(&self.routes).backends = sides.iter().map(|side| lab.server(*side).address()).collect();
    }

    fn end_sessions(&self) {
        for stream in std::mem::take(&mut locked(&self.routes).open) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How many connections it has accepted since then.
    fn accepted_since(&self, moment: Instant) -> usize {
        locked(&self.routes).accepted.iter().filter(|at| **at >= moment).count()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        locked(&self.routes).ended = true;
        self.end_sessions();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Copies both ways until either end hangs up.
fn join(client: TcpStream, server: TcpStream) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    for (from, to) in [(&client, &server), (&server, &client)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
}

/// Green becomes the writer, and new connections reach it.
fn switch(lab: &Lab, balancer: &Balancer) {
    lab.blue().set_read_only(true).unwrap();
    promote_green(lab);
    balancer.lead_to(lab, &[Side::Green]);
}

fn promote_green(lab: &Lab) {
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(30)).unwrap();
    lab.green().stop_replication().unwrap();
    lab.green().set_read_only(false).unwrap();
}

fn puppet(lab: &Lab, names: &[&'static str], hold_max: &str) -> Puppet {
    let mut puppet = Puppet::start(lab, &[("POINTSMAN_HOLD_MAX", hold_max), ("POINTSMAN_LOG_LEVEL", "info")]);
    names.iter().for_each(|name| puppet.connect(name));
    puppet
}

fn ok(puppet: &mut Puppet, name: &'static str, text: &str) -> String {
    let began = Instant::now();
    let answer = puppet.query(name, text);
    assert!(answer.starts_with("ok"), "{name}: {text}: {answer}: {}", puppet.stderr());
    assert!(began.elapsed() < AT_ONCE, "{name}: {text}: {:?}: {}", began.elapsed(), puppet.stderr());
    answer
}

fn is_on(lab: &Lab, puppet: &mut Puppet, side: Side, names: &[&'static str]) {
    for name in names {
        assert_eq!(ok(puppet, name, WHO), server_id(lab, side), "{name}: {}", puppet.stderr());
    }
}

mod proofs {
    use super::*;

    pub fn a_refused_write_is_run_again_on_the_server_to_which_the_address_leads_now(lab: &Lab) {
        let balancer = Balancer::start(lab);
        let mut puppet = puppet(lab, &["a", "b", "reader"], "20s");
        let mut bare = Puppet::bare(lab);
        bare.connect("a");
        switch(lab, &balancer);
        for _ in 0..2 {
            assert!(bare.query("a", INSERT).starts_with("error 1290"), "a pool that does not evict: for ever");
        }
        for name in ["a", "b", "a"] {
            ok(&mut puppet, name, INSERT);
        }
        is_on(lab, &mut puppet, Side::Green, &["a", "b", "reader"]);
    }

    pub fn a_pool_that_evicts_waits_no_longer_than_without_the_library(lab: &Lab) {
        let balancer = Balancer::start(lab);
        let mut puppet = puppet(lab, &["a", "b", "c", "d"], "20s");
        switch(lab, &balancer);
        let began = Instant::now();
        for name in ["a", "b", "c", "d"] {
            let answer = puppet.pooled(name, INSERT);
            assert!(answer.starts_with("ok"), "{answer}: {}", puppet.stderr());
        }
        assert!(began.elapsed() < AT_ONCE, "{:?}: {}", began.elapsed(), puppet.stderr());
    }

    pub fn connections_that_lead_to_the_new_server_already_never_stand_still(lab: &Lab) {
        let balancer = Balancer::start(lab);
        let mut puppet = puppet(lab, &["a", "b", "c"], "20s");
        switch(lab, &balancer);
        puppet.connect("fresh");
        let fresh = puppet.query("fresh", "SELECT CONNECTION_ID()");
        for name in ["a", "b", "c"] {
            puppet.begin(name, "query", INSERT);
        }
        for _ in 0..20 {
            ok(&mut puppet, "fresh", INSERT);
        }
        for name in ["a", "b", "c"] {
            assert!(puppet.answer(name).starts_with("ok"), "{name}: {}", puppet.stderr());
        }
        is_on(lab, &mut puppet, Side::Green, &["a", "b", "c", "fresh"]);
        assert_eq!(puppet.query("fresh", "SELECT CONNECTION_ID()"), fresh, "it was healthy: {}", puppet.stderr());
    }

    pub fn a_connection_that_finds_no_writer_ends_with_hold_max_while_another_one_goes_on(lab: &Lab) {
        let balancer = Balancer::start(lab);
        let mut puppet = puppet(lab, &["a"], "4s");
        switch(lab, &balancer);
        puppet.connect("fresh");
        // Each new connection reaches the read-only server from now on.
        balancer.lead_to(lab, &[Side::Blue]);
        let began = Instant::now();
        puppet.begin("a", "query", INSERT);
        let answer = loop {
            let sent = Instant::now();
            let answer = puppet.query("fresh", INSERT);
            assert!(answer.starts_with("ok"), "{answer}: {}", puppet.stderr());
            assert!(sent.elapsed() < Duration::from_secs(3), "{:?}: {}", sent.elapsed(), puppet.stderr());
            if let Some(answer) = puppet.answer_if_there("a") {
                break answer;
            }
            thread::sleep(Duration::from_millis(20));
        };
        assert!(answer.starts_with("error 1290"), "{answer}: {}", puppet.stderr());
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}: {}", began.elapsed(), puppet.stderr());
        assert!(balancer.accepted_since(began) <= began.elapsed().as_secs() as usize + 2, "{}", puppet.stderr());
        is_on(lab, &mut puppet, Side::Blue, &["a"]);
        is_on(lab, &mut puppet, Side::Green, &["fresh"]);
    }

    pub fn an_address_that_stays_read_only_fails_as_without_a_balancer_and_is_dialled_once_a_second(lab: &Lab) {
        let balancer = Balancer::start(lab);
        let mut puppet = puppet(lab, &["a", "b", "reader"], "5s");
        thread::sleep(Duration::from_millis(300));
        lab.blue().set_read_only(true).unwrap();
        let began = Instant::now();
        puppet.begin("a", "query", INSERT);
        puppet.begin("b", "query", INSERT);
        thread::sleep(Duration::from_secs(1));
        is_on(lab, &mut puppet, Side::Blue, &["reader"]);
        for name in ["a", "b"] {
            assert!(puppet.answer(name).starts_with("error 1290"), "{}", puppet.stderr());
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(12), "{took:?}: {}", puppet.stderr());
        let dialled = balancer.accepted_since(began);
        assert!((1..=took.as_secs() as usize + 2).contains(&dialled), "{dialled} in {took:?}: {}", puppet.stderr());
        lab.blue().set_read_only(false).unwrap();
        for name in ["a", "b"] {
            ok(&mut puppet, name, INSERT);
        }
        is_on(lab, &mut puppet, Side::Blue, &["a", "b", "reader"]);
    }

    pub fn a_transaction_in_progress_is_replayed_on_the_other_server_or_is_a_victim(lab: &Lab) {
        let balancer = Balancer::start(lab);
        let mut puppet = puppet(lab, &["a", "b"], "20s");
        for name in ["a", "b"] {
            ok(&mut puppet, name, "BEGIN");
            ok(&mut puppet, name, "SELECT COUNT(*) FROM t");
        }
        // What it returns is another value each time.
        ok(&mut puppet, "b", "SELECT UUID()");
        switch(lab, &balancer);
        ok(&mut puppet, "a", INSERT);
        ok(&mut puppet, "a", INSERT);
        ok(&mut puppet, "a", "COMMIT");
        let began = Instant::now();
        let victim = puppet.query("b", INSERT);
        assert!(victim.starts_with("error 1213"), "{victim}: {}", puppet.stderr());
        assert!(began.elapsed() < AT_ONCE, "{:?}: {}", began.elapsed(), puppet.stderr());
        ok(&mut puppet, "b", INSERT);
        is_on(lab, &mut puppet, Side::Green, &["a", "b"]);
        assert_eq!(lab.green().sql("SELECT COUNT(*) FROM shop.t").unwrap().trim(), "3");
    }

    /// The ids of green's connections are far above those of blue's, so they do not tell that this is another server.
    pub fn a_transaction_whose_session_the_balancer_ends_is_replayed_on_the_other_server(lab: &Lab) {
        for _ in 0..60 {
            lab.green().sql("SELECT 1").unwrap();
        }
        let balancer = Balancer::start(lab);
        let mut puppet = puppet(lab, &["a", "b"], "20s");
        for name in ["a", "b"] {
            ok(&mut puppet, name, "BEGIN");
            ok(&mut puppet, name, INSERT);
        }
        promote_green(lab);
        lab.blue().set_read_only(true).unwrap();
        balancer.lead_to(lab, &[Side::Green]);
        balancer.end_sessions();
        for name in ["a", "b"] {
            puppet.begin(name, "query", INSERT);
        }
        for name in ["a", "b"] {
            let answer = puppet.answer(name);
            assert!(answer.starts_with("ok"), "{name}: {answer}: {}", puppet.stderr());
            ok(&mut puppet, name, "COMMIT");
        }
        is_on(lab, &mut puppet, Side::Green, &["a", "b"]);
        assert_eq!(lab.green().sql("SELECT COUNT(*) FROM shop.t").unwrap().trim(), "4");
    }

    pub fn what_the_session_has_set_up_is_there_behind_the_other_server_too(lab: &Lab) {
        let balancer = Balancer::start(lab);
        let mut puppet = puppet(lab, &["a", "b"], "20s");
        for name in ["a", "b"] {
            ok(&mut puppet, name, "SET @v = 'kept', SESSION sort_buffer_size = 1048576");
            ok(&mut puppet, name, "PREPARE s FROM 'INSERT INTO t (v) VALUES (?)'");
        }
        switch(lab, &balancer);
        for name in ["a", "b"] {
            ok(&mut puppet, name, "EXECUTE s USING @v");
            assert_eq!(ok(&mut puppet, name, "SELECT @@sort_buffer_size, @v"), "ok ((1048576, 'kept'),)");
        }
        assert_eq!(lab.green().sql("SELECT COUNT(*) FROM shop.t WHERE v = 'kept'").unwrap().trim(), "2");
    }

    pub fn a_balancer_that_leads_to_the_writer_and_a_reader_in_turns_is_no_worse_than_without_the_library(lab: &Lab) {
        const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
        let balancer = Balancer::start(lab);
        let mut failures = [0, 0];
        let bare = Puppet::bare(lab);
        let protected = Puppet::start(lab, &[("POINTSMAN_HOLD_MAX", "20s")]);
        for (at, mut program) in [bare, protected].into_iter().enumerate() {
            balancer.lead_to(lab, &[Side::Blue]);
            program.connect("first");
            assert!(program.query("first", INSERT).starts_with("ok"));
            balancer.lead_to(lab, &[Side::Blue, Side::Green]);
            NAMES.iter().for_each(|name| program.connect(name));
            for _ in 0..5 {
                for name in NAMES {
                    let began = Instant::now();
                    failures[at] += usize::from(!program.query(name, INSERT).starts_with("ok"));
                    assert!(program.query(name, WHO).starts_with("ok"), "{}", program.stderr());
                    assert!(began.elapsed() < AT_ONCE, "{:?}: {}", began.elapsed(), program.stderr());
                    let began = Instant::now();
                    assert!(program.query("first", INSERT).starts_with("ok"), "{}", program.stderr());
                    assert!(began.elapsed() < Duration::from_secs(3), "{:?}: {}", began.elapsed(), program.stderr());
                }
            }
        }
        assert_eq!(failures, [15, 0]);
    }

    pub fn the_way_back_to_the_first_server_is_found_as_well(lab: &Lab) {
        let balancer = Balancer::start(lab);
        let mut puppet = puppet(lab, &["a", "b"], "20s");
        switch(lab, &balancer);
        ok(&mut puppet, "a", INSERT);
        is_on(lab, &mut puppet, Side::Green, &["a", "b"]);
        lab.green().set_read_only(true).unwrap();
        lab.blue().set_read_only(false).unwrap();
        balancer.lead_to(lab, &[Side::Blue]);
        ok(&mut puppet, "b", "INSERT INTO t (id, v) VALUES (99, 'x')");
        is_on(lab, &mut puppet, Side::Blue, &["a", "b"]);
    }
}
