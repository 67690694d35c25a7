//! Visitors of a web application under test: each asks for one thing after the other, numbered, and notes every answer.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::*},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Longer than any hold.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one request brought: the body of a success, or why it is none.
pub type Answer = Result<String, String>;

/// How a request is made.
pub type Ask = dyn Fn(u64) -> Answer + Send + Sync;

/// What was answered so far.
#[derive(Debug, Default)]
pub struct Book {
    pub succeeded: BTreeSet<u64>,
    pub bodies: BTreeSet<String>,
    pub failed: Vec<String>,
}

/// They leave when dropped.
pub struct Visitors {
    book: Arc<Mutex<Book>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Visitors {
    pub fn come(count: usize, ask: Arc<Ask>) -> Self {
        let book = Arc::<Mutex<Book>>::default();
        let stop = Arc::<AtomicBool>::default();
        let next = Arc::new(AtomicU64::new(1));
        let visit = || {
            let (book, stop, next, ask) = (Arc::clone(&book), Arc::clone(&stop), Arc::clone(&next), Arc::clone(&ask));
            std::thread::spawn(move || {
                while !stop.load(Acquire) {
                    let number = next.fetch_add(1, Relaxed);
                    let answer = ask(number);
                    let mut book = locked(&book);
                    match answer {
                        Ok(body) => {
                            book.succeeded.insert(number);
                            book.bodies.insert(body);
                        }
                        Err(why) => book.failed.push(format!("request {number}: {why}")),
                    }
                }
            })
        };
        let threads = (0..count).map(|_| visit()).collect();
        Self { book, stop, threads }
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        locked(&self.book)
    }

    /// No request is under way when they have left.
    pub fn leave(mut self) -> Book {
        self.send_away();
        std::mem::take(&mut self.book())
    }

    fn send_away(&mut self) {
        self.stop.store(true, Release);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        self.send_away();
    }
}

/// One HTTP request, on a connection of its own. Only 200 is a success.
pub fn get(server: SocketAddr, path: &str) -> Answer {
    let answer = exchange(server, format!("GET {path} HTTP/1.0\r\nHost: test\r\n\r\n").as_bytes())?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.lines().next().is_some_and(|line| line.contains(" 200")) => {
            Ok(body.trim().to_owned())
        }
        _ => Err(answer),
    }
}

/// What a server says to these bytes until it closes the connection.
pub fn exchange(server: SocketAddr, request: &[u8]) -> Answer {
    let speak = || {
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    speak().map_err(|error: std::io::Error| error.to_string())
}

fn locked(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
