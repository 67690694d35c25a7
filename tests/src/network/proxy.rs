//! A proxy between an application and its server that loses answers on purpose. Follows the plaintext MySQL protocol
//! far enough to recognise a statement: packets of a 3-byte length, a sequence number and a payload.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use pointsman_lab::Lab;

const PORT: u16 = 3306;
const COM_QUERY: u8 = 3;
/// The length of the packet that asks for TLS: a login without a name.
const SSL_REQUEST: u32 = 32;
const COM_STMT_EXECUTE: u8 = 23;
const PATIENCE: Duration = Duration::from_secs(20);

/// More than a receiver that does not read leaves under way, in bytes.
const JAMMED: u32 = 512 * 1024;

/// One proxy, on an address of its own in the lab's slot.
pub struct Proxy {
    address: Ipv4Addr,
    plan: Arc<Plan>,
    answered: Receiver<()>,
    stalled: Receiver<(Arc<Connection>, u32)>,
    listening: Option<JoinHandle<()>>,
}

/// What the proxy waits for.
#[derive(Clone, Debug)]
pub enum Awaited {
    /// A statement that contains this.
    Text(String),
    /// A prepared statement's execution.
    Execution,
    /// Whatever comes next under TLS.
    Sealed,
}

struct Plan {
    server: SocketAddr,
    closing: AtomicBool,
    /// The answer to the first such statement is kept back.
    awaited: Mutex<Option<Awaited>>,
    /// The first such statement stays unread, from behind its header.
    unwanted: Mutex<Option<Awaited>>,
    stalled: Sender<(Arc<Connection>, u32)>,
    connections: Mutex<Vec<Arc<Connection>>>,
    answered: Sender<()>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// Nothing that the server says reaches the client any more.
    muted: AtomicBool,
    /// It ends with a RST: nobody says goodbye before its last user drops it, with unread data (RFC 1122, 4.2.2.13).
    abandoned: AtomicBool,
}

/// A connection that the proxy does not read any more, in the middle of a packet.
pub struct Stalled<'a> {
    proxy: &'a Proxy,
    connection: Arc<Connection>,
    /// Of the packet, without its header.
    length: u32,
}

impl Proxy {
    /// Forwards to `server` from now on, and gives `name` its address.
    pub fn start(lab: &Lab, name: &str, server: SocketAddr) -> Self {
        static LAST: AtomicU8 = AtomicU8::new(100);
        let [a, b, c, _] = lab.spare_address().octets();
        let address = Ipv4Addr::new(a, b, c, LAST.fetch_add(1, Ordering::Relaxed));
        let listener = TcpListener::bind((address, PORT)).expect("an address of the lab's own");
        let (sender, answered) = channel();
        let (stalls, stalled) = channel();
        let plan = Arc::new(Plan {
            server,
            closing: AtomicBool::new(false),
            awaited: Mutex::default(),
            unwanted: Mutex::default(),
            stalled: stalls,
            connections: Mutex::default(),
            answered: sender,
        });
        let shared = Arc::clone(&plan);
        let listening = Some(std::thread::spawn(move || shared.accept(&listener)));
        lab.dns().set(name, &[address], 1).expect("a name of the lab's zone");
        Self { address, plan, answered, stalled, listening }
    }

    /// The first such statement reaches the server, its answer does not reach the application.
    pub fn keep_back_the_answer_to(&self, awaited: Awaited) {
        *locked(&self.plan.awaited) = Some(awaited);
    }

    /// Waits until that answer has arrived here: the server has done what it was asked to do.
    pub fn wait_until_answered(&self) {
        self.answered.recv_timeout(PATIENCE).expect("the server answers the statement");
    }

    /// The first such statement is not read, but for its header.
    pub fn stop_reading_at(&self, awaited: Awaited) {
        *locked(&self.plan.unwanted) = Some(awaited);
    }

    /// Waits until the header of that statement was read.
    pub fn wait_until_stalled(&self) -> Stalled<'_> {
        let (connection, length) = self.stalled.recv_timeout(PATIENCE).expect("the application sends it");
        Stalled { proxy: self, connection, length }
    }

    /// Ends every connection, both ends at once; the applications' kernel knows when this returns.
    pub fn cut(&self) {
        for connection in std::mem::take(&mut *locked(&self.plan.connections)) {
            connection.cut();
        }
    }

    /// Ends every connection behind what is on its way to the application already.
    pub fn hang_up(&self) {
        for connection in std::mem::take(&mut *locked(&self.plan.connections)) {
            connection.hang_up();
        }
    }

    /// Refuses connections from now on.
    pub fn close(&mut self) {
        self.plan.closing.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        drop(TcpStream::connect((self.address, PORT)));
        if let Some(thread) = self.listening.take() {
            let _ = thread.join();
        }
    }
}

impl Stalled<'_> {
    /// Waits until the whole packet is in the hands of the kernel, on one end of the connection or the other.
    pub fn wait_until_written(self) -> Self {
        let (application, ours) = self.connection.ends().expect("IPv4");
        let deadline = Instant::now() + PATIENCE;
        // Twice, since what arrives while it is counted counts on both ends.
        let mut same = 0;
        while same < 2 {
            let waiting = queues(application, ours).0 + queues(ours, application).1;
            same = if waiting == self.length { same + 1 } else { 0 };
            assert!(Instant::now() < deadline, "{waiting} of {} bytes were written", self.length);
            std::thread::yield_now();
        }
        self
    }

    /// Waits until more waits in the application's kernel than the other end's window takes.
    pub fn wait_until_jammed(self) -> Self {
        let (application, ours) = self.connection.ends().expect("IPv4");
        let deadline = Instant::now() + PATIENCE;
        while queues(application, ours).0 < JAMMED {
            assert!(Instant::now() < deadline, "the application does not send enough");
            std::thread::yield_now();
        }
        self
    }

    /// Ends the connection with a RST; the application's kernel knows when this returns.
    pub fn reset(self) {
        let Self { proxy, connection, .. } = self;
        let (application, ours) = connection.ends().expect("IPv4");
        connection.abandoned.store(true, Ordering::Release);
        let _ = connection.server.shutdown(Shutdown::Both);
        locked(&proxy.plan.connections).retain(|other| !Arc::ptr_eq(other, &connection));
        drop(connection);
        wait_until_ended(application, ours);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
        self.cut();
    }
}

impl Plan {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().map_while(Result::ok) {
            if self.closing.load(Ordering::Acquire) {
                return;
            }
            // Without a server the application is hung up on, as by any proxy.
            let Ok(server) = TcpStream::connect(self.server) else { continue };
            let (muted, abandoned) = (AtomicBool::new(false), AtomicBool::new(false));
            let connection = Arc::new(Connection { client, server, muted, abandoned });
            locked(&self.connections).push(Arc::clone(&connection));
            let (up, down) = (Arc::clone(&self), Arc::clone(&self));
            let other = Arc::clone(&connection);
            std::thread::spawn(move || {
                if up.statements(&connection).is_err() {
                    connection.hang_up();
                }
            });
            std::thread::spawn(move || {
                let _ = down.answers(&other);
                if !other.abandoned.load(Ordering::Acquire) {
                    other.hang_up();
                }
            });
        }
    }

    /// From the application to the server, packet by packet. Ends well if the connection stalls.
    fn statements(&self, connection: &Arc<Connection>) -> io::Result<()> {
        let (mut from, mut to) = (&connection.client, &connection.server);
        loop {
            let mut packet = vec![0; 4];
            from.read_exact(&mut packet)?;
            let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]);
            if is_taken(&self.unwanted, &beginning(from, length)?) {
                let _ = self.stalled.send((Arc::clone(connection), length));
                return Ok(());
            }
            packet.resize(4 + length as usize, 0);
            from.read_exact(&mut packet[4..])?;
            if is_taken(&self.awaited, &packet[4..]) {
                connection.muted.store(true, Ordering::Release);
            }
            to.write_all(&packet)?;
            if length == SSL_REQUEST && packet[3] == 1 {
                return self.sealed(connection);
            }
        }
    }

    /// The same when it cannot be understood any more.
    fn sealed(&self, connection: &Arc<Connection>) -> io::Result<()> {
        let (mut from, mut to) = (&connection.client, &connection.server);
        let mut buffer = [0; 16 * 1024];
        loop {
            from.peek(&mut buffer)?;
            if locked(&self.unwanted).take_if(|unwanted| matches!(unwanted, Awaited::Sealed)).is_some() {
                let _ = self.stalled.send((Arc::clone(connection), 0));
                return Ok(());
            }
            match from.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => to.write_all(&buffer[..length])?,
            }
        }
    }

    /// From the server to the application, as it comes.
    fn answers(&self, connection: &Connection) -> io::Result<()> {
        let (mut from, mut to) = (&connection.server, &connection.client);
        let mut buffer = [0; 16 * 1024];
        loop {
            let length = from.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            if connection.muted.load(Ordering::Acquire) {
                let _ = self.answered.send(());
            } else {
                to.write_all(&buffer[..length])?;
            }
        }
    }
}

/// Whether this is what is waited for; it is not waited for any more then.
fn is_taken(awaited: &Mutex<Option<Awaited>>, payload: &[u8]) -> bool {
    let Some((command, rest)) = payload.split_first() else { return false };
    let taken = locked(awaited).take_if(|awaited| match awaited {
        Awaited::Text(part) => *command == COM_QUERY && lower(&String::from_utf8_lossy(rest)).contains(&lower(part)),
        Awaited::Execution => *command == COM_STMT_EXECUTE,
        Awaited::Sealed => false,
    });
    taken.is_some()
}

/// The first bytes of a payload, which stay where they are.
fn beginning(from: &TcpStream, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; (length as usize).min(256)];
    loop {
        match from.peek(&mut bytes)? {
            all if all == bytes.len() => return Ok(bytes),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => std::thread::yield_now(),
        }
    }
}

impl Connection {
    fn hang_up(&self) {
        let _ = self.server.shutdown(Shutdown::Both);
        let _ = self.client.shutdown(Shutdown::Both);
    }

    fn cut(&self) {
        let ends = self.ends();
        self.hang_up();
        if let Some((application, ours)) = ends {
            wait_until_ended(application, ours);
        }
    }

    /// The application's end and ours.
    fn ends(&self) -> Option<(SocketAddrV4, SocketAddrV4)> {
        match (self.client.peer_addr(), self.client.local_addr()) {
            (Ok(SocketAddr::V4(application)), Ok(SocketAddr::V4(ours))) => Some((application, ours)),
            _ => None,
        }
    }
}

fn wait_until_ended(application: SocketAddrV4, ours: SocketAddrV4) {
    let deadline = Instant::now() + PATIENCE;
    while established(application, ours).is_some() {
        assert!(Instant::now() < deadline, "{application} does not notice the end of its connection");
        std::thread::yield_now();
    }
}

/// What the kernel says of one end of an established connection (proc(5), /proc/net/tcp: state 01), from its queues on.
fn established(local: SocketAddrV4, remote: SocketAddrV4) -> Option<String> {
    let hex = |end: SocketAddrV4| format!("{:08X}:{:04X}", u32::from_ne_bytes(end.ip().octets()), end.port());
    let wanted = format!(" {} {} 01 ", hex(local), hex(remote));
    let sockets = fs::read_to_string("/proc/net/tcp").expect("proc is mounted");
    sockets.lines().find_map(|line| Some(line.split_once(&wanted)?.1.to_owned()))
}

/// Bytes that the other end has not acknowledged, and bytes that this end has not read.
fn queues(local: SocketAddrV4, remote: SocketAddrV4) -> (u32, u32) {
    let line = established(local, remote).expect("an established connection");
    let (unacknowledged, rest) = line.split_once(':').expect("two numbers");
    let number = |hex| u32::from_str_radix(hex, 16).expect("a number");
    (number(unacknowledged), number(&rest[..8]))
}

/// The client libraries do not agree on the case of what they say themselves (`COMMIT`, `commit`).
fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
