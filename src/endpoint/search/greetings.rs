//! Does a MySQL server greet at this address? When it is asked, how long it is waited for, and how often.
//!
//! For servers that have given no answer: a frozen one still accepts TCP. A server that does answer counts a connection that
//! ends behind its greeting against `max_connect_errors` (100 by default), until the next login from this host, and past that
//! it refuses the whole host (MySQL manual, "Host Cache"). So a connection whose greeting has not come is kept and looked at
//! again, instead of being given up and begun anew; and there is a budget for all processes of the host (`ledger`).
//!
//! The connection itself is the process's (`Surroundings::connect_for_greeting`, in earnest `reach`).

use std::{
    collections::BTreeSet,
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::prober::Undialled;
use crate::endpoint::{Endpoint, ledger};

/// A server in the same region answers within a few milliseconds; a retransmitted SYN takes 1 s.
const LIMIT: Duration = Duration::from_millis(500);
/// For one that did not even accept: others wait for the outcome, and the kernel of a living host is quick.
const ACCEPTS_WITHIN: Duration = Duration::from_millis(300);
/// A slow one (its own name lookups, a thread pool) is waited for this long at a time.
const LONGEST: Duration = Duration::from_secs(2);
/// Is it there already?
const MOMENT: Duration = Duration::from_millis(1);
/// A greeting that has not come by then may come on another connection: the server's end of this one may be lost.
const ANEW: Duration = Duration::from_secs(3);
/// A greeting that has not come by then: the server's end is long gone.
const KEPT: Duration = Duration::from_secs(90);

/// A connection that was opened for its server's greeting alone. Dropped, it is closed.
pub trait GreetingConnection: Send + fmt::Debug {
    /// Is the descriptor still this connection? An application may close descriptors that it does not know, and get their
    /// numbers again for something else.
    fn is_ours(&self) -> bool;

    /// Waits for the first bytes that the server sends, `limit` at most.
    fn first_bytes(&self, limit: Duration) -> FirstBytes;
}

/// What has come on a connection that was opened for its server's greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBytes {
    /// The server has spoken.
    Came,
    /// The server has closed the connection, or its kernel has.
    Closed,
    /// They have not come yet.
    Awaited,
}

/// A connection whose greeting has not come yet.
#[derive(Debug)]
struct Greeting {
    connection: Box<dyn GreetingConnection>,
    server: SocketAddr,
    since: Instant,
}

impl Greeting {
    fn is_young(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < ANEW
    }
}

#[derive(Debug, Default)]
pub(in crate::endpoint) struct Greetings {
    awaited: Vec<Greeting>,
    /// Servers of which something is in the ledger that the next login ends.
    noted: BTreeSet<SocketAddr>,
}

impl Greetings {
    /// The youngest connection to `server` whose greeting has not come yet.
    fn take(&mut self, server: SocketAddr, now: Instant) -> Option<Greeting> {
        self.awaited.retain(|greeting| now.saturating_duration_since(greeting.since) < KEPT);
        let of_it = |at: &usize| self.awaited.get(*at).is_some_and(|greeting| greeting.server == server);
        let at = (0..self.awaited.len()).filter(of_it).max_by_key(|at| self.awaited.get(*at).map(|it| it.since))?;
        Some(self.awaited.swap_remove(at))
    }

    /// A login from here has succeeded there: the server has forgotten what it counted. Has the ledger to be told?
    pub fn on_login(&mut self, server: SocketAddr) -> bool {
        self.awaited.retain(|greeting| greeting.server != server);
        self.noted.remove(&server)
    }

    pub fn note(&mut self, server: SocketAddr) {
        self.noted.insert(server);
    }
}

impl Endpoint {
    /// Waits for the server's greeting, or an error packet in its place. The more often it has missed, the longer.
    pub(in crate::endpoint) fn greets(&self, server: SocketAddr, misses: u32) -> Result<(), Undialled> {
        let limit = (LIMIT * (1 << misses.min(2))).min(LONGEST);
        let awaited = self.lock().greetings.take(server, self.now());
        if let Some(greeting) = awaited.filter(|greeting| greeting.connection.is_ours()) {
            if greeting.is_young(self.now()) {
                return self.hears(greeting, limit);
            }
            if self.hears(greeting, MOMENT).is_ok() {
                return Ok(());
            }
        }
        self.lock().greetings.note(server);
        match self.on_ledger(|ledger, now| ledger.begin_greeting(server, now)) {
            ledger::Greeting::Own => {}
            ledger::Greeting::Others => return Ok(()),
            ledger::Greeting::Spent => {
                return Err(Undialled::NotTried("its greeting was asked for often enough".to_owned()));
            }
        }
        let within = if misses == 0 { LIMIT } else { ACCEPTS_WITHIN };
        let begun = self.around.connect_for_greeting(server, within);
        let connection = begun.inspect_err(|_| self.was_not_connected(server))?;
        self.hears(Greeting { connection, server, since: self.now() }, limit)
    }

    fn hears(&self, greeting: Greeting, limit: Duration) -> Result<(), Undialled> {
        let server = greeting.server;
        let none = |why: &str| Err(Undialled::Unreachable(why.to_owned()));
        match greeting.connection.first_bytes(limit) {
            FirstBytes::Closed => {
                self.was_not_connected(server);
                none("it closed the connection")
            }
            FirstBytes::Came => {
                self.on_ledger(|ledger, now| ledger.was_greeted(server, now));
                Ok(())
            }
            FirstBytes::Awaited => {
                self.lock().greetings.awaited.push(greeting);
                none("no greeting")
            }
        }
    }

    fn was_not_connected(&self, server: SocketAddr) {
        self.on_ledger(|ledger, now| ledger.was_not_connected(server, now));
    }

    /// Was it asked, and gave no greeting?
    pub(super) fn is_mute(&self, server: SocketAddr) -> bool {
        matches!(self.greets(server, 0), Err(Undialled::Unreachable(_)))
    }

    /// May it be asked for its greeting once more? One that is still awaited costs nothing.
    pub(super) fn may_be_greeted(&self, server: SocketAddr) -> bool {
        let now = self.now();
        let awaits = |greeting: &Greeting| greeting.server == server && greeting.is_young(now);
        let awaited = self.lock().greetings.awaited.iter().any(awaits);
        awaited || self.on_ledger(|ledger, now| ledger.may_be_greeted(server, now))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering::Relaxed},
        },
        thread,
    };

    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint::alone()
    }

    /// A server that greets after `pause`, and how many connections it has had.
    fn greeter(pause: Duration) -> (SocketAddr, Arc<AtomicU32>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (address, counted) = (listener.local_addr().unwrap(), Arc::new(AtomicU32::new(0)));
        let counts = Arc::clone(&counted);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                counts.fetch_add(1, Relaxed);
                thread::spawn(move || {
                    thread::sleep(pause);
                    let _ = stream.write_all(b"hello");
                    let _ = stream.read(&mut [0]);
                });
            }
        });
        (address, counted)
    }

    #[test]
    fn a_greeting_that_is_late_is_waited_for_on_one_connection() {
        let endpoint = endpoint();
        let (server, connections) = greeter(Duration::from_millis(1700));
        let asked = (0..20).position(|_| endpoint.greets(server, 0).is_ok());
        assert!(asked.is_some_and(|times| times > 0), "{asked:?}");
        assert_eq!(connections.load(Relaxed), 1);
    }

    #[test]
    fn a_connection_on_which_no_greeting_comes_is_not_waited_for_if_another_one_brings_it() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mute = listener.accept();
            for mut stream in listener.incoming().flatten() {
                let _ = stream.write_all(b"hello");
            }
            drop(mute);
        });
        let endpoint = endpoint();
        let began = Instant::now();
        while endpoint.greets(server, 0).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60));
        }
    }

    #[test]
    fn a_server_whose_greetings_nobody_answers_is_not_asked_for_more_until_a_login_has_succeeded() {
        let endpoint = endpoint();
        let (server, connections) = greeter(Duration::ZERO);
        for _ in 0..20 {
            let _ = endpoint.greets(server, 0);
        }
        assert_eq!(connections.load(Relaxed), 4);
        assert!(!endpoint.may_be_greeted(server));
        endpoint.tell_of_login(server);
        assert_eq!(endpoint.greets(server, 0), Ok(()));
    }
}
