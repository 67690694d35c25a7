//! A relay in front of a server that counts the logins under way there: from a connection's beginning until the server
//! has said yes or no. Follows the plaintext MySQL protocol that far; what comes after is passed on as it is.

use std::{
    collections::HashMap,
    fmt,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use pointsman_lab::Lab;
use rustix::{
    io::Errno,
    net::{RecvFlags, listen, recv},
};

const OK: u8 = 0;
const ERR: u8 = 255;
/// A thousand connections are two thousand threads here.
const STACK: usize = 64 * 1024;
const QUEUE: i32 = 4096;

/// One relay, on the lab's spare address.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

/// What has been counted so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logins {
    pub accepted: u32,
    pub refused: u32,
    /// The client hung up before the server had said yes or no.
    pub given_up: u32,
    /// The most that were under way at one time.
    pub most_at_once: usize,
}

struct Shared {
    server: SocketAddr,
    closing: AtomicBool,
    ignoring: AtomicBool,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    logins: Logins,
    under_way: HashMap<u64, Arc<TcpStream>>,
    connections: u64,
    ignored: u32,
}

#[derive(Clone, Copy)]
enum End {
    Accepted,
    Refused,
    GivenUp,
}

impl Relay {
    /// Stands in front of green: names that mean green lead here from now on.
    pub fn in_front_of_green(lab: &Lab) -> Self {
        lab.put_in_front_of_green(lab.spare_address());
        Self::start(lab.spare_address(), lab.green().address())
    }

    fn start(address: Ipv4Addr, server: SocketAddr) -> Self {
        let address = SocketAddr::from((address, server.port()));
        let listener = TcpListener::bind(address).expect("an address of the lab's own");
        // The standard library's queue is so short that a crowd overflows it, and is not counted but left hanging.
        listen(&listener, QUEUE).expect("a listening socket takes a longer queue");
        let shared = Arc::new(Shared {
            server,
            closing: AtomicBool::new(false),
            ignoring: AtomicBool::new(false),
            counted: Mutex::default(),
        });
        let listening = Some(thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        }));
        Self { address, shared, listening }
    }

    pub fn logins(&self) -> Logins {
        self.shared.counted().logins
    }

    /// Whoever connects from now on is greeted, and then waits in vain for an answer to its login; until this is taken
    /// back.
    pub fn ignore_logins(&self, ignored: bool) {
        self.shared.ignoring.store(ignored, Ordering::Release);
    }

    /// Logins that have been sent and ignored.
    pub fn ignored(&self) -> u32 {
        self.shared.counted().ignored
    }
}

impl Drop for Relay {
    /// Open connections end with their servers or clients.
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.listening.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().map_while(Result::ok) {
            if self.closing.load(Ordering::Acquire) {
                return;
            }
            let client = Arc::new(client);
            let number = self.counted().begin(&client);
            let shared = Arc::clone(&self);
            spawn(move || {
                if let Ok(server) = TcpStream::connect(shared.server) {
                    shared.relay(number, &client, Arc::new(server));
                }
                shared.counted().end(number, End::GivenUp);
            });
        }
    }

    fn relay(self: &Arc<Self>, number: u64, client: &Arc<TcpStream>, server: Arc<TcpStream>) {
        if self.ignoring.load(Ordering::Acquire) {
            let _ = self.ignore(client, &server);
            return;
        }
        // Each packet is a round trip that somebody waits for.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (shared, from, to) = (Arc::clone(self), Arc::clone(&server), Arc::clone(client));
        spawn(move || {
            let _ = shared.login(number, &from, &to).and_then(|()| pass_on(&from, &to));
            hang_up(&from, &to);
        });
        let _ = pass_on(client, &server);
        hang_up(client, &server);
    }

    /// Greets in the server's name, and says no more until the client hangs up.
    fn ignore(&self, mut client: &TcpStream, server: &TcpStream) -> io::Result<()> {
        client.write_all(&packet(server)?)?;
        if client.read(&mut [0; 1024])? > 0 {
            self.counted().ignored += 1;
        }
        io::copy(&mut client, &mut io::sink()).map(drop)
    }

    /// The server's side of the login, packet by packet.
    fn login(&self, number: u64, server: &TcpStream, mut client: &TcpStream) -> io::Result<()> {
        loop {
            let packet = packet(server)?;
            let end = match packet.get(4) {
                Some(&OK) => Some(End::Accepted),
                Some(&ERR) => Some(End::Refused),
                // A greeting, a switch to another plugin, or more of this one's dialogue.
                _ => None,
            };
            // Over before the client is told: what it does next comes after it.
            if let Some(end) = end {
                self.counted().end(number, end);
            }
            client.write_all(&packet)?;
            if end.is_some() {
                return Ok(());
            }
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn begin(&mut self, client: &Arc<TcpStream>) -> u64 {
        // A client that hung up before it opened this one has: its end is in our kernel, if not yet with its thread.
        let gone: Vec<_> = self.under_way.iter().filter(|(_, old)| has_hung_up(old)).map(|(old, _)| *old).collect();
        gone.into_iter().for_each(|old| self.end(old, End::GivenUp));
        self.connections += 1;
        self.under_way.insert(self.connections, Arc::clone(client));
        self.logins.most_at_once = self.logins.most_at_once.max(self.under_way.len());
        self.connections
    }

    /// The first end counts.
    fn end(&mut self, number: u64, end: End) {
        if self.under_way.remove(&number).is_none() {
            return;
        }
        match end {
            End::Accepted => self.logins.accepted += 1,
            End::Refused => self.logins.refused += 1,
            End::GivenUp => self.logins.given_up += 1,
        }
    }
}

impl fmt::Display for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, refused, given_up, most_at_once } = self;
        write!(f, "{accepted} logins accepted, {refused} refused, {given_up} given up; {most_at_once} at once at most")
    }
}

fn has_hung_up(stream: &TcpStream) -> bool {
    let glance = recv(stream, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    matches!(glance, Ok((_, 0)) | Err(Errno::CONNRESET))
}

/// A packet with its head: a length of three bytes, and its number.
fn packet(mut from: &TcpStream) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    from.read_exact(&mut packet)?;
    let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]);
    packet.resize(4 + length as usize, 0);
    from.read_exact(&mut packet[4..])?;
    Ok(packet)
}

fn pass_on(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; 8 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            length => to.write_all(&buffer[..length])?,
        }
    }
}

fn hang_up(one: &TcpStream, other: &TcpStream) {
    let _ = (one.shutdown(Shutdown::Both), other.shutdown(Shutdown::Both));
}

fn spawn(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread can be started");
}
