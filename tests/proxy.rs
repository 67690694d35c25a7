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
const COM_STMT_EXECUTE: u8 = 23;
const PATIENCE: Duration = Duration::from_secs(20);

/// One proxy, on an address of its own in the lab's slot.
pub struct Proxy {
    address: Ipv4Addr,
    plan: Arc<Plan>,
    answered: Receiver<()>,
    listening: Option<JoinHandle<()>>,
}

/// What the proxy waits for.
#[derive(Clone, Debug)]
pub enum Awaited {
    /// A statement that contains this.
    Text(String),
    /// A prepared statement's execution.
    Execution,
}

struct Plan {
    server: SocketAddr,
    closing: AtomicBool,
    /// The answer to the first such statement is kept back.
    awaited: Mutex<Option<Awaited>>,
    connections: Mutex<Vec<Arc<Connection>>>,
    answered: Sender<()>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// Nothing that the server says reaches the client any more.
    muted: AtomicBool,
}

impl Proxy {
    /// Forwards to `server` from now on, and gives `name` its address.
    pub fn start(lab: &Lab, name: &str, server: SocketAddr) -> Self {
        static LAST: AtomicU8 = AtomicU8::new(100);
        let [a, b, c, _] = lab.spare_address().octets();
        let address = Ipv4Addr::new(a, b, c, LAST.fetch_add(1, Ordering::Relaxed));
        let listener = TcpListener::bind((address, PORT)).expect("an address of the lab's own");
        let (sender, answered) = channel();
        let plan = Arc::new(Plan {
            server,
            closing: AtomicBool::new(false),
            awaited: Mutex::default(),
            connections: Mutex::default(),
            answered: sender,
        });
        let shared = Arc::clone(&plan);
        let listening = Some(std::thread::spawn(move || shared.accept(&listener)));
        lab.dns().set(name, &[address], 1).expect("a name of the lab's zone");
        Self { address, plan, answered, listening }
    }

    /// The first such statement reaches the server, its answer does not reach the application.
    pub fn keep_back_the_answer_to(&self, awaited: Awaited) {
        *locked(&self.plan.awaited) = Some(awaited);
    }

    /// Waits until that answer has arrived here: the server has done what it was asked to do.
    pub fn wait_until_answered(&self) {
        self.answered.recv_timeout(PATIENCE).expect("the server answers the statement");
    }

    /// Ends every connection, both ends at once; the applications' kernel knows when this returns.
    pub fn cut(&self) {
        for connection in std::mem::take(&mut *locked(&self.plan.connections)) {
            connection.cut();
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
            let connection = Arc::new(Connection { client, server, muted: AtomicBool::new(false) });
            locked(&self.connections).push(Arc::clone(&connection));
            let (up, down) = (Arc::clone(&self), Arc::clone(&self));
            let other = Arc::clone(&connection);
            std::thread::spawn(move || {
                let _ = up.statements(&connection);
                connection.hang_up();
            });
            std::thread::spawn(move || {
                let _ = down.answers(&other);
                other.hang_up();
            });
        }
    }

    /// From the application to the server, packet by packet.
    fn statements(&self, connection: &Connection) -> io::Result<()> {
        let (mut from, mut to) = (&connection.client, &connection.server);
        loop {
            let mut packet = vec![0; 4];
            from.read_exact(&mut packet)?;
            let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]);
            packet.resize(4 + length as usize, 0);
            from.read_exact(&mut packet[4..])?;
            if self.is_awaited(&packet[4..]) {
                connection.muted.store(true, Ordering::Release);
            }
            to.write_all(&packet)?;
        }
    }

    fn is_awaited(&self, payload: &[u8]) -> bool {
        let Some((command, rest)) = payload.split_first() else { return false };
        let taken = locked(&self.awaited).take_if(|awaited| match awaited {
            Awaited::Text(part) => {
                *command == COM_QUERY && lower(&String::from_utf8_lossy(rest)).contains(&lower(part))
            }
            Awaited::Execution => *command == COM_STMT_EXECUTE,
        });
        taken.is_some()
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

impl Connection {
    fn hang_up(&self) {
        let _ = self.server.shutdown(Shutdown::Both);
        let _ = self.client.shutdown(Shutdown::Both);
    }

    fn cut(&self) {
        let ends = (self.client.peer_addr(), self.client.local_addr());
        self.hang_up();
        let (Ok(SocketAddr::V4(application)), Ok(SocketAddr::V4(ours))) = ends else { return };
        let deadline = Instant::now() + PATIENCE;
        while is_established(application, ours) {
            assert!(Instant::now() < deadline, "{application} does not notice the end of its connection");
            std::thread::yield_now();
        }
    }
}

/// What the kernel says of the application's end (proc(5), /proc/net/tcp: state 01).
fn is_established(local: SocketAddrV4, remote: SocketAddrV4) -> bool {
    let hex = |end: SocketAddrV4| format!("{:08X}:{:04X}", u32::from_ne_bytes(end.ip().octets()), end.port());
    let wanted = format!(" {} {} 01 ", hex(local), hex(remote));
    fs::read_to_string("/proc/net/tcp").expect("proc is mounted").lines().any(|line| line.contains(&wanted))
}

/// The client libraries do not agree on the case of what they say themselves (`COMMIT`, `commit`).
fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
