//! A proxy that writes down what a driver and its server say, and has the tracker of `src/wire` follow it.

use std::{
    fmt::Write as _,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::protocol::{End, Event, Tracker};

const PATIENCE: Duration = Duration::from_secs(60);

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// What was said on one connection, so far. A piece is written down before it is passed on: what was said because of it
/// stands behind it.
#[derive(Default)]
pub struct Conversation {
    pub pieces: Vec<(Side, Vec<u8>)>,
    pub tracker: Tracker,
    pub counts: Counts,
    /// The events that are not counted.
    pub last: Option<String>,
    /// How results ended: O for an OK, R for rows, E for an error, S without a word of the status.
    pub ends: String,
    /// How many pieces there were when the tracker stepped aside.
    pub followed: Option<usize>,
    ended: usize,
}

/// How often the tracker told of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commands that the server has to answer.
    pub commands: usize,
    pub replies: usize,
    pub refusals: usize,
    pub logins: usize,
    pub asides: usize,
}

/// Takes connections on the loopback interface and leads them to one server.
pub struct Recorder {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    conversations: Mutex<Vec<Arc<Watched>>>,
    /// Pieces are not written down: they are too many.
    forgets: bool,
}

/// A conversation that goes on.
#[derive(Default)]
pub struct Watched {
    conversation: Mutex<Conversation>,
    went_on: Condvar,
}

impl Recorder {
    pub fn start(server: SocketAddr) -> Self {
        Self::listen(server, false)
    }

    /// One that follows, and writes nothing down.
    pub fn follow(server: SocketAddr) -> Self {
        Self::listen(server, true)
    }

    fn listen(server: SocketAddr, forgets: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback interface");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared { conversations: Mutex::default(), forgets });
        let theirs = Arc::clone(&shared);
        // Ends with the process: a test's recorders are few.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let watched = Arc::new(Watched::default());
                locked(&theirs.conversations).push(Arc::clone(&watched));
                for side in [Side::Client, Side::Server] {
                    let (watched, shared) = (Arc::clone(&watched), Arc::clone(&theirs));
                    let ends = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
                    let (from, to) = if side == Side::Client { ends } else { (ends.1, ends.0) };
                    thread::spawn(move || {
                        let _ = watched.pass(side, from, to, shared.forgets);
                    });
                }
            }
        });
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The connections so far, in their order.
    pub fn conversations(&self) -> Vec<Arc<Watched>> {
        locked(&self.shared.conversations).clone()
    }
}

impl Watched {
    pub fn look(&self) -> MutexGuard<'_, Conversation> {
        locked(&self.conversation)
    }

    /// Waits until both sides have closed it.
    pub fn ended(&self) -> MutexGuard<'_, Conversation> {
        self.wait("the end of a connection", |conversation| conversation.ended == 2)
    }

    /// Waits until something is so; it may have to pass the proxy yet.
    pub fn wait(&self, what: &str, is_so: impl Fn(&Conversation) -> bool) -> MutexGuard<'_, Conversation> {
        let deadline = Instant::now() + PATIENCE;
        let mut now = self.look();
        while !is_so(&now) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}: {:?} {:?}", now.counts, now.last);
            now = self.went_on.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        now
    }

    fn pass(&self, side: Side, mut from: TcpStream, mut to: TcpStream, forgets: bool) -> io::Result<()> {
        let mut buffer = vec![0; 256 * 1024];
        let result = loop {
            let length = match from.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(length) => length,
                Err(error) => break Err(error),
            };
            self.look().said(side, &buffer[..length], forgets);
            self.went_on.notify_all();
            if let Err(error) = to.write_all(&buffer[..length]) {
                break Err(error);
            }
        };
        let _ = to.shutdown(Shutdown::Write);
        self.look().ended += 1;
        self.went_on.notify_all();
        result
    }
}

impl Conversation {
    fn said(&mut self, side: Side, bytes: &[u8], forgets: bool) {
        if !forgets {
            self.pieces.push((side, bytes.to_vec()));
        }
        let (counts, last, ends) = (&mut self.counts, &mut self.last, &mut self.ends);
        let tell = &mut |event: Event<'_>| {
            counts.count(&event, last);
            if let Event::ResultOver(end) | Event::CommandOver(end) = event {
                ends.push(match end {
                    End::Ok(_) => 'O',
                    End::Rows(_) => 'R',
                    End::Error(_) => 'E',
                    End::Silent => 'S',
                });
            }
        };
        match side {
            Side::Client => self.tracker.sent(bytes, tell),
            Side::Server => self.tracker.received(bytes, tell),
        }
        if self.counts.asides > 0 && self.followed.is_none() {
            self.followed = Some(self.pieces.len());
        }
        assert!(self.tracker.memory() <= crate::protocol::MEMORY);
    }

    /// As a text, one line a piece. Of what the tracker does not follow, the first piece.
    pub fn written(&self) -> String {
        let mut text = String::new();
        let followed = self.followed.map_or(self.pieces.len(), |pieces| pieces + 1);
        for (side, bytes) in self.pieces.iter().take(followed) {
            let sign = if *side == Side::Client { '>' } else { '<' };
            let _ = writeln!(text, "{sign} {}", bytes.escape_ascii());
        }
        text
    }
}

impl Counts {
    fn count(&mut self, event: &Event<'_>, last: &mut Option<String>) {
        use crate::protocol::Command::{CloseStatement, Quit, SendLongData};
        match event {
            Event::Command(sent) => {
                self.commands += usize::from(!matches!(sent.command, Quit | SendLongData | CloseStatement));
            }
            Event::CommandOver(end) => {
                self.replies += 1;
                self.refusals += usize::from(matches!(end, End::Error(_)));
            }
            Event::LoggedIn(_) => self.logins += 1,
            Event::Aside(reason) => {
                self.asides += 1;
                *last = Some(format!("aside: {reason}"));
            }
            Event::LoginRefused(error) => *last = Some(format!("login refused: {}", error.number)),
            Event::Farewell(error) => *last = Some(format!("farewell: {}", error.number)),
            _ => {}
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
