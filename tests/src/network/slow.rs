//! A forwarder in front of a server that is slow to greet, or slow to answer a login: a server that looks up names, an
//! exhausted thread pool, PAM. What comes after the login is passed on at once.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::*},
    },
    thread,
    time::Duration,
};

use pointsman_lab::Lab;

/// What comes late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    Greeting,
    /// The answer to the first packet that the client sends.
    Login,
}

/// One forwarder, on an address of its own in the lab's slot.
pub struct Slow {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    own: IpAddr,
    late: Mutex<Option<(Late, Duration)>>,
    closing: AtomicBool,
    /// Greetings that are being kept back.
    waiting: AtomicU32,
    /// Clients that were greeted, and hung up without a word: a server counts them.
    unanswered: AtomicU32,
    /// Clients that sent their login and hung up before its answer.
    given_up: AtomicU32,
}

impl Slow {
    /// Forwards to `server`, at once for now.
    pub fn in_front_of(lab: &Lab, server: SocketAddr) -> Self {
        static LAST: AtomicU8 = AtomicU8::new(60);
        let [a, b, c, _] = lab.spare_address().octets();
        let address = SocketAddr::from((Ipv4Addr::new(a, b, c, LAST.fetch_add(1, Relaxed)), server.port()));
        let listener = TcpListener::bind(address).expect("an address of the lab's own");
        let shared = Arc::new(Shared {
            server,
            own: address.ip(),
            late: Mutex::new(None),
            closing: AtomicBool::new(false),
            waiting: AtomicU32::new(0),
            unanswered: AtomicU32::new(0),
            given_up: AtomicU32::new(0),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(&listener));
        Self { address, shared }
    }

    pub fn ip(&self) -> Ipv4Addr {
        match self.address {
            SocketAddr::V4(address) => *address.ip(),
            SocketAddr::V6(_) => unreachable!("it was made of IPv4"),
        }
    }

    /// From now on, for new connections.
    pub fn is_late(&self, late: Option<(Late, Duration)>) {
        *self.shared.late.lock().unwrap_or_else(PoisonError::into_inner) = late;
    }

    /// Connections that ended behind the greeting, without a login.
    pub fn unanswered(&self) -> u32 {
        self.shared.unanswered.load(Relaxed)
    }

    /// Connections whose greeting has not been passed on yet.
    pub fn waiting(&self) -> u32 {
        self.shared.waiting.load(Relaxed)
    }

    /// Logins that were not waited for.
    pub fn given_up(&self) -> u32 {
        self.shared.given_up.load(Relaxed)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.shared.closing.store(true, Release);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().map_while(Result::ok) {
            if self.closing.load(Acquire) {
                return;
            }
            let shared = Arc::clone(&self);
            thread::spawn(move || {
                if let Ok(server) = shared.connect() {
                    let _ = (client.set_nodelay(true), server.set_nodelay(true));
                    let _ = shared.forward(&client, &server);
                    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
                }
            });
        }
    }

    /// From an address of its own: servers count nothing of 127.0.0.1.
    fn connect(&self) -> io::Result<TcpStream> {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &SocketAddr::new(self.own, 0))?;
        connect(&socket, &self.server)?;
        Ok(socket.into())
    }

    fn forward(&self, mut client: &TcpStream, mut server: &TcpStream) -> io::Result<()> {
        let late = *self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = |which| late.filter(|(late, _)| *late == which).map_or(Duration::ZERO, |(_, pause)| pause);
        let mut bytes = [0; 4096];
        let length = server.read(&mut bytes)?;
        self.waiting.fetch_add(1, Relaxed);
        thread::sleep(pause(Late::Greeting));
        self.waiting.fetch_sub(1, Relaxed);
        client.write_all(&bytes[..length])?;
        let length = client.read(&mut bytes).unwrap_or(0);
        if length == 0 {
            self.unanswered.fetch_add(1, Relaxed);
            return Ok(());
        }
        server.write_all(&bytes[..length])?;
        let pause = pause(Late::Login);
        // Under TLS the client speaks again before the server does.
        if !pause.is_zero() {
            let length = server.read(&mut bytes)?;
            thread::sleep(pause);
            if client.write_all(&bytes[..length]).is_err() || has_hung_up(client) {
                self.given_up.fetch_add(1, Relaxed);
                return Ok(());
            }
        }
        thread::scope(|scope| {
            scope.spawn(move || {
                let _ = io::copy(&mut client, &mut server);
                let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
            });
            let (mut from, mut to) = (server, client);
            let _ = io::copy(&mut from, &mut to);
            let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
        });
        Ok(())
    }
}

fn has_hung_up(stream: &TcpStream) -> bool {
    use rustix::net::{RecvFlags, recv};
    matches!(recv(stream, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT), Ok((_, 0)))
}
