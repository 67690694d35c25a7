//! One address in front of the servers, as a balancer's: sessions are forwarded to the server that it leads to when they
//! begin. It can make greetings and logins late. It knows no protocol but that a server speaks first.

use crate::error::{Error, Result};
use crate::ground::slot::PORT;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A forwarder that runs on threads of its own while this value lives.
#[derive(Debug)]
pub(crate) struct Front {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

/// How a server's first answers are held back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delays {
    /// Before the greeting.
    pub greeting: Duration,
    /// Before the answer to the login.
    pub login: Duration,
}

#[derive(Debug)]
struct State {
    server: SocketAddr,
    delays: Delays,
    /// Both ends of every session that has begun.
    sessions: Vec<[TcpStream; 2]>,
    ended: bool,
}

impl Front {
    pub(crate) fn open(address: Ipv4Addr, server: SocketAddr) -> Result<Self> {
        let address = SocketAddr::from((address, PORT));
        let listener = TcpListener::bind(address).map_err(Error::file("listen at", address.to_string()))?;
        let state = State { server, delays: Delays::default(), sessions: vec![], ended: false };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let thread = std::thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, state, thread: Some(thread) })
    }

    pub(crate) fn ip(&self) -> Ipv4Addr {
        match self.address {
            SocketAddr::V4(address) => *address.ip(),
            SocketAddr::V6(_) => unreachable!("a front has an IPv4 address"),
        }
    }

    /// New sessions lead to this server; old ones stay where they are.
    pub(crate) fn lead_to(&self, server: SocketAddr) {
        locked(&self.state).server = server;
    }

    /// Ends all sessions.
    pub(crate) fn cut(&self) {
        let sessions = std::mem::take(&mut locked(&self.state).sessions);
        sessions.iter().flatten().for_each(|end| drop(end.shutdown(Shutdown::Both)));
    }

    /// For sessions that begin from now on.
    pub(crate) fn delay(&self, delays: Delays) {
        locked(&self.state).delays = delays;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        locked(&self.state).ended = true;
        self.cut();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, state: &Arc<Mutex<State>>) {
    for client in listener.incoming().flatten() {
        let (server, delays) = {
            let state = locked(state);
            if state.ended {
                return;
            }
            (state.server, state.delays)
        };
        // A server that refuses: the client's connection ends, as at a balancer.
        let Ok(server) = TcpStream::connect_timeout(&server, Duration::from_secs(2)) else { continue };
        let ends = [client.try_clone(), server.try_clone(), client.try_clone(), server.try_clone()];
        let [Ok(from_client), Ok(from_server), Ok(one), Ok(other)] = ends else { continue };
        locked(state).sessions.push([one, other]);
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        std::thread::spawn(move || pass_on(from_client, server, [Duration::ZERO; 2]));
        std::thread::spawn(move || pass_on(from_server, client, [delays.greeting, delays.login]));
    }
}

/// Passes on what comes, the first two pieces late, until one end is closed; then both are.
fn pass_on(mut from: TcpStream, mut to: TcpStream, delays: [Duration; 2]) {
    let mut delays = delays.into_iter();
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        std::thread::sleep(delays.next().unwrap_or_default());
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::slot::Slot;
    use std::time::Instant;

    fn server(address: SocketAddr, greeting: &'static [u8]) {
        let listener = TcpListener::bind(address).unwrap();
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let _ = client.write_all(greeting);
                std::mem::forget(client);
            }
        });
    }

    fn hear(client: &mut TcpStream) -> Option<u8> {
        let mut byte = [0];
        (client.read(&mut byte).ok()? == 1).then_some(byte[0])
    }

    #[test]
    fn sessions_stay_where_they_began_until_they_are_cut_and_a_greeting_can_be_late() {
        let slot = Slot::take().unwrap();
        let [blue, green] = [slot.blue(), slot.green()].map(|ip| SocketAddr::from((ip, PORT)));
        server(blue, b"blue");
        server(green, b"green");
        let front = Front::open(slot.front(), blue).unwrap();
        let mut old = TcpStream::connect(front.address).unwrap();
        assert_eq!(hear(&mut old), Some(b'b'));
        front.lead_to(green);
        let mut new = TcpStream::connect(front.address).unwrap();
        assert_eq!(hear(&mut new), Some(b'g'));
        assert_eq!(hear(&mut old), Some(b'l'), "it is still blue's");
        let late = Duration::from_millis(200);
        front.delay(Delays { greeting: late, login: Duration::ZERO });
        let (began, mut slow) = (Instant::now(), TcpStream::connect(front.address).unwrap());
        assert_eq!(hear(&mut slow), Some(b'g'));
        assert!(began.elapsed() >= late);
        front.cut();
        while hear(&mut old).is_some() {}
    }
}
