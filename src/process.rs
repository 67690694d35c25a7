//! What this process has: endpoints, tags, handles, the watcher; and what the watcher's news means to them.
//!
//! Made on the first protected connection, never freed. Which of them is ours, and what fork does to it, is the business
//! of `hooks/current`.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError, atomic::Ordering::*},
};

use once_cell::race::OnceBox;

use crate::{
    client::registry::{Owners, Registry},
    control::{
        config,
        log::{Level::*, say},
    },
    endpoint::{Endpoint, name::Name, tags::Tags},
    hooks::{current::current, raw, this_thread_is_ours},
    resolve::{Answer, Failure, Pace, Start, Watcher},
};

pub struct Process {
    pid: i32,
    /// Filled in order; read without a lock, also in signal handlers.
    endpoints: Box<[OnceBox<Endpoint>]>,
    pub tags: Tags,
    pub handles: Registry,
    /// Results that are read row by row, and prepared statements, with their handles.
    pub streams: Owners,
    pub statements: Owners,
    /// `Some(None)`: it could not be started.
    watcher: Mutex<Option<Option<&'static Watcher>>>,
}

/// Endpoints of one process; further ones pass through.
const ENDPOINTS: usize = 1024;

impl Process {
    pub fn is_ours(&self) -> bool {
        self.pid == raw::pid()
    }

    /// Of the process with this id, which is ours.
    pub fn new(pid: i32) -> Self {
        Process {
            pid,
            endpoints: (0..ENDPOINTS).map(|_| OnceBox::new()).collect(),
            tags: Tags::new(),
            handles: Registry::default(),
            streams: Owners::default(),
            statements: Owners::default(),
            watcher: Mutex::new(None),
        }
    }

    /// Is a tagged connection of `endpoint` to `server`, other than `own`, alive?
    pub fn has_live_connection(&self, endpoint: u16, server: SocketAddr, own: i32) -> bool {
        self.tags.any(|fd, tag| {
            fd != own
                && tag.endpoint == endpoint
                && tag.peer == server
                && raw::peer(fd) == Some(server)
                && !raw::hung_up(fd)
        })
    }

    /// Ends the connections to a server that is gone without a word, so that whoever waits for an answer on one of them
    /// learns that none will come. The descriptors stay the application's.
    fn cut_connections(&self, name: &Name, server: SocketAddr) {
        let mut cut = 0;
        self.tags.any(|fd, tag| {
            if tag.peer == server && raw::peer(fd) == Some(server) {
                raw::shutdown(fd);
                self.tags.clear(fd);
                self.untagged(tag.endpoint);
                cut += 1;
            }
            false
        });
        if cut > 0 {
            say!(Warn, "{name}: {server} is silent: {cut} connections to it are given up");
        }
    }

    /// The endpoint of that name and its position, made now if need be.
    pub fn endpoint(&'static self, name: Name) -> Option<(u16, &'static Endpoint)> {
        for (at, cell) in (0..).zip(&self.endpoints) {
            // Whoever loses the race for a cell looks at what the winner put there.
            let endpoint = cell.get_or_init(|| Box::new(Endpoint::new(name.clone())));
            if endpoint.name == name {
                return Some((at, endpoint));
            }
        }
        None
    }

    pub fn endpoint_at(&self, at: u16) -> Option<&Endpoint> {
        self.endpoints.get(usize::from(at))?.get()
    }

    /// A socket was tagged as a connection to `at`.
    pub fn tagged(&self, at: u16) {
        if let Some(endpoint) = self.endpoint_at(at)
            && endpoint.tagged.fetch_add(1, Relaxed) == 0
        {
            self.set_pace(endpoint, endpoint.pace());
        }
    }

    /// A tagged socket was closed.
    pub fn untagged(&self, at: u16) {
        if let Some(endpoint) = self.endpoint_at(at) {
            let before = endpoint.tagged.load(Relaxed);
            if before > 0 {
                endpoint.tagged.fetch_sub(1, Relaxed);
            }
        }
    }

    /// `None` if its thread could not be started: DNS is not watched then, which was said.
    fn watcher(&self) -> Option<&'static Watcher> {
        let mut slot = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        *slot.get_or_insert_with(|| {
            let start = Start::from_config(config(), this_thread_is_ours, Box::new(on_answer));
            match Watcher::start(start) {
                // Leaked: its thread may use it at any time, and a child must never drop its runtime.
                Ok(watcher) => Some(Box::leak(Box::new(watcher))),
                Err(error) => {
                    say!(Warn, "the DNS watcher could not be started ({error}): changes of DNS go unnoticed");
                    None
                }
            }
        })
    }

    fn set_pace(&self, endpoint: &Endpoint, pace: Pace) {
        if let Some(watcher) = self.watcher() {
            watcher.set_pace(&endpoint.name.host, pace);
        }
    }
}

/// On the watcher's thread.
fn on_answer(host: &str, answer: Result<Answer, Failure>) {
    // A failed lookup says nothing of where the writer is: the last answer stays.
    let (Ok(answer), Some(process)) = (answer, current()) else { return };
    for endpoint in process.endpoints.iter().map_while(OnceBox::get) {
        if endpoint.on_green_answer(host, &answer.addresses)
            && endpoint.pace() == Pace::Idle
            && let Some(watcher) = process.watcher()
        {
            // Asked for again with the next look at the table.
            watcher.set_pace(host, Pace::Idle);
        }
    }
    let endpoints = process.endpoints.iter().map_while(OnceBox::get);
    for endpoint in endpoints.filter(|endpoint| endpoint.name.host == host) {
        endpoint.on_answer(answer.addresses.clone());
        if let Some(silent) = endpoint.fallen_silent() {
            process.cut_connections(&endpoint.name, silent);
        }
        process.set_pace(endpoint, endpoint.pace());
    }
}

/// A server is gone without a word, and another one is the writer.
pub fn give_up(name: &Name, silent: SocketAddr) {
    if let Some(process) = current() {
        process.cut_connections(name, silent);
    }
}

/// DNS has to be asked for another name too: a candidate's.
pub fn watch(host: &str) {
    if let Some(watcher) = current().and_then(Process::watcher) {
        watcher.set_pace(host, Pace::Steady);
    }
}

/// DNS has to be asked sooner for this endpoint, or may be asked less often.
pub fn set_pace(endpoint: &Endpoint, pace: Pace) {
    if let Some(process) = current() {
        process.set_pace(endpoint, pace);
    }
}
