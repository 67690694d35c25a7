//! What this process has: endpoints, tags, handles, the watcher; and what the watcher's news means to them.
//!
//! Made on the first protected connection, never freed. Which of them is ours, and what fork does to it, is the business
//! of `current`.

pub mod current;
pub mod resolver;

use std::{collections::BTreeSet, net::SocketAddr, sync::atomic::Ordering::*};

use once_cell::race::OnceBox;
use rustix_futex_sync::Mutex;

use crate::{
    client::registry::{Owners, Registry},
    control::{
        config,
        log::{Level::*, say},
        option::Mode,
    },
    endpoint::{
        Endpoint, Role,
        inheritance::Writer,
        name::Name,
        silence::Traffic,
        tags::{Tag, Tags},
        turn::Claim,
    },
    guard::this_thread_is_ours,
    host::{ending, fork_mark::Mark, socket},
    process::current::current,
    resolve::{Answer, Failure, Pace, Start, Watcher},
};

pub struct Process {
    pid: i32,
    mark: Option<Mark>,
    /// Of the process that forked this one.
    parents: Option<&'static Process>,
    /// Filled in order; read without a lock, also in signal handlers.
    endpoints: Box<[OnceBox<Endpoint>]>,
    pub tags: Tags,
    pub handles: Registry,
    /// Results that are read row by row, and prepared statements, with their handles.
    pub streams: Owners,
    pub statements: Owners,
    /// Sockets that the application itself connects just now: how long it waits is its own business.
    opening: Mutex<Vec<i32>>,
    /// `Some(None)`: it could not be started.
    watcher: Mutex<Option<Option<&'static Watcher>>>,
}

/// The kernel sends again after at least 200 ms and then twice that (RFC 6298): once may be a lost packet.
const RESENT: u8 = 2;

/// Endpoints of one process; further ones pass through.
const ENDPOINTS: usize = 1024;

impl Process {
    /// Also told apart: a vfork child. Costs a system call.
    pub fn is_ours_by_id(&self) -> bool {
        self.has_a_mark_here() && self.pid == socket::pid()
    }

    /// This is the memory of the process that opened the connections, whoever runs in it.
    pub fn has_a_mark_here(&self) -> bool {
        self.mark.as_ref().is_none_or(Mark::is_there)
    }

    /// Is this the process that opened the connections, and not a child of it? (A vfork child calls no client library.)
    pub fn is_ours(&self) -> bool {
        if self.mark.is_some() { self.has_a_mark_here() } else { self.is_ours_by_id() }
    }

    /// As long as it stays, objects of client libraries belong to the handles that they belonged to.
    pub fn epoch(&self) -> u64 {
        // Both only grow.
        self.handles.epoch().wrapping_add(self.statements.epoch())
    }

    /// Of the process with this id, which is ours.
    pub fn new(pid: i32, parents: Option<&'static Process>) -> Self {
        Process {
            pid,
            mark: Mark::new(),
            parents,
            endpoints: (0..ENDPOINTS).map(|_| OnceBox::new()).collect(),
            tags: Tags::new(),
            handles: Registry::default(),
            streams: Owners::default(),
            statements: Owners::default(),
            opening: Mutex::new(Vec::new()),
            watcher: Mutex::new(None),
        }
    }

    /// Is a tagged connection of `endpoint` to `server`, other than `own`, alive?
    pub fn has_live_connection(&self, endpoint: u16, server: SocketAddr, own: i32) -> bool {
        self.tags.any(|fd, tag| {
            fd != own
                && tag.endpoint == endpoint
                && tag.peer == server
                && socket::peer(fd) == Some(server)
                && !socket::hung_up(fd)
        })
    }

    /// On the watcher's thread: every server that connections of this endpoint lead to, not only the incumbent.
    fn look_for_silence(&self, position: u16, endpoint: &Endpoint) {
        if config().mode == Mode::Observe {
            return;
        }
        endpoint.end_overdue_questions(socket::is_accepted, |fd, server| self.end_connection(fd, server));
        // What a system call closed that we do not see: it went to the number that somebody else has by now, or nobody.
        let closed = |fd: i32, tag: Tag| tag.endpoint == position && ending::leads_elsewhere(fd, tag.peer);
        self.tags.clear_if(closed, |endpoint| self.untagged(endpoint));
        if endpoint.role() == Role::Unknown {
            return;
        }
        let mut servers = BTreeSet::new();
        self.tags.any(|_, tag| {
            if tag.endpoint == position {
                servers.insert(tag.peer);
            }
            false
        });
        for server in servers {
            if endpoint.has_fallen_silent(server, self.traffic(endpoint, server)) {
                endpoint.gave_up(server);
                self.cut_connections(position, endpoint, server);
            }
        }
    }

    /// What the kernel knows of the connections to `server`, and who waits on those of `endpoint`.
    fn traffic(&self, endpoint: &Endpoint, server: SocketAddr) -> Traffic {
        let mut traffic = Traffic::default();
        let alive = self.tags.any(|fd, tag| {
            if tag.peer == server
                && socket::peer(fd) == Some(server)
                && let Some(seen) = socket::signs(fd)
            {
                if socket::hung_up(fd) {
                    return false;
                }
                traffic.heard = [traffic.heard, seen.heard].into_iter().flatten().min();
                traffic.resending |= seen.resent >= RESENT;
            }
            traffic.alive()
        });
        traffic.waiting = !alive && self.handles.any(|handle| handle.waits_for(endpoint, server));
        traffic
    }

    /// The application begins to connect this socket.
    pub fn opens(&self, fd: i32) {
        self.opening.lock().push(fd);
    }

    /// Its connect is over.
    pub fn opened(&self, fd: i32) {
        self.opening.lock().retain(|opening| *opening != fd);
    }

    /// Ends the connections of an endpoint to a server that is gone without a word, so that a thread that waits for an answer
    /// on one of them learns that none will come. A connect of the application is left to its own limits. The descriptors stay the application's.
    fn cut_connections(&self, position: u16, endpoint: &Endpoint, server: SocketAddr) {
        let mut cut = 0;
        self.tags.any(|fd, tag| {
            let opening = || self.opening.lock().contains(&fd);
            if tag.endpoint == position && tag.peer == server && !opening() && self.end_connection(fd, server) {
                if let Some(tag) = self.tags.clear(fd) {
                    self.untagged(tag.endpoint());
                }
                cut += 1;
            }
            false
        });
        if cut > 0 {
            say!(Warn, "{}: {server} is silent: {cut} connections to it are given up", endpoint.name);
        }
    }

    /// Ends a tagged connection to `server`. Not at the limit of descriptors: then it is tried again a second later, and the
    /// kernel has its own patience (`host/patience`).
    fn end_connection(&self, fd: i32, server: SocketAddr) -> bool {
        let tagged = || self.tags.get(fd).is_some_and(|tag| tag.peer == server);
        tagged() && ending::end_connection(fd, server, tagged)
    }

    /// The endpoint of that name and its position, made now if need be.
    pub fn endpoint(&'static self, name: Name) -> Option<(u16, &'static Endpoint)> {
        for (at, cell) in (0..).zip(&self.endpoints) {
            // Whoever loses the race for a cell looks at what the winner put there.
            let endpoint =
                cell.get_or_init(|| Box::new(Endpoint::new(name.clone()).inheriting(self.parents_writer(&name))));
            if endpoint.name == name {
                return Some((at, endpoint));
            }
        }
        None
    }

    /// Where the writer of that name was when this process was forked, as far as its parents knew.
    fn parents_writer(&self, name: &Name) -> Option<Writer> {
        let parents = self.parents?;
        let known = parents.endpoints.iter().map_while(OnceBox::get).find(|endpoint| endpoint.name == *name);
        known.and_then(Endpoint::writer_at_fork).or_else(|| parents.parents_writer(name))
    }

    /// Asked in a child: had its parents this connection open when it was forked?
    pub fn had_at_fork(&self, handle: usize, thread: u64, peer: SocketAddr) -> bool {
        let had =
            |process: &Process| process.handles.peek(handle).is_some_and(|handle| handle.was_at_fork(thread, peer));
        had(self) || self.parents.is_some_and(|parents| parents.had_at_fork(handle, thread, peer))
    }

    /// Asked in a child.
    pub fn is_alive(&self) -> bool {
        socket::is_alive(self.pid)
    }

    pub fn endpoint_at(&self, at: u16) -> Option<&Endpoint> {
        self.endpoints.get(usize::from(at))?.get()
    }

    /// From now on this descriptor is a connection to `at`, which leads to `peer`, if there is room for its tag.
    pub fn tag(&self, fd: i32, at: u16, peer: SocketAddr) {
        if let Some(old) = self.tags.set(fd, at, peer) {
            self.tagged(at);
            if let Some(old) = old {
                self.untagged(old.endpoint());
            }
        }
    }

    /// A socket was tagged as a connection to `at`.
    fn tagged(&self, at: u16) {
        if let Some(endpoint) = self.endpoint_at(at)
            && endpoint.tagged.fetch_add(1, Relaxed) == 0
        {
            self.set_pace(endpoint, endpoint.pace());
        }
    }

    /// A tagged socket was duplicated: DNS is watched already. Without a lock, since signal handlers do that.
    pub fn tagged_again(&self, at: u16) {
        if let Some(endpoint) = self.endpoint_at(at) {
            endpoint.tagged.fetch_add(1, Relaxed);
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
        let mut slot = self.watcher.lock();
        *slot.get_or_insert_with(|| {
            let start = Start::from_config(config(), this_thread_is_ours, Box::new(on_answer), on_second);
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

    /// Sees to it that DNS is asked for an endpoint's names at this pace, or at a quicker one that another endpoint wants.
    fn set_pace(&self, endpoint: &Endpoint, pace: Pace) {
        endpoint.want(pace);
        let Some(watcher) = self.watcher() else { return };
        let endpoints = || self.endpoints.iter().map_while(OnceBox::get);
        for host in endpoint.hosts() {
            let wanted = endpoints().filter(|endpoint| endpoint.seeks(&host)).map(Endpoint::wanted).max();
            watcher.set_pace(&host, wanted.unwrap_or(pace));
        }
    }
}

/// On the watcher's thread.
fn on_answer(host: &str, answer: Result<Answer, Failure>) {
    let Some(process) = current() else { return };
    let endpoints = || (0..).zip(process.endpoints.iter().map_while(OnceBox::get));
    let named = || endpoints().filter(|(_, endpoint)| endpoint.name.host == host);
    match answer {
        Ok(answer) => {
            for (_, endpoint) in endpoints() {
                endpoint.on_green_answer(host, &answer.addresses);
                endpoint.on_candidate_answer(host, &answer.addresses);
            }
            named().for_each(|(_, endpoint)| endpoint.on_answer(answer.addresses.clone()));
        }
        // A failed lookup says nothing of where the writer is: the last answer stays.
        Err(_) => named().for_each(|(_, endpoint)| endpoint.on_no_answer()),
    }
    for (position, endpoint) in named() {
        process.look_for_silence(position, endpoint);
        process.set_pace(endpoint, endpoint.pace());
    }
}

/// On the watcher's thread: nobody else is free to notice that a server has fallen silent, or to look at the clock.
fn on_second() {
    let Some(process) = current() else { return };
    for (position, endpoint) in (0..).zip(process.endpoints.iter().map_while(OnceBox::get)) {
        endpoint.look_at_the_clock();
        process.look_for_silence(position, endpoint);
    }
}

/// What is known of this process's connections to `server`.
pub fn traffic(endpoint: &Endpoint, server: SocketAddr) -> Traffic {
    current().map(|process| process.traffic(endpoint, server)).unwrap_or_default()
}

/// A server is gone without a word, and another one is the writer, or nobody is waited for any more.
pub fn give_up(name: &Name, silent: SocketAddr) {
    let Some(process) = current() else { return };
    let mut endpoints = (0..).zip(process.endpoints.iter().map_while(OnceBox::get));
    if let Some((position, endpoint)) = endpoints.find(|(_, endpoint)| endpoint.name == *name) {
        process.cut_connections(position, endpoint, silent);
    }
}

/// Transactions on a server before that of `generation` that were told an id, without knowing yet that they have to move.
pub fn claims(endpoint: &Endpoint, generation: u64) -> Option<Claim> {
    let mut most = None;
    current()?.handles.any(|handle| {
        most = most.max(handle.claims_ids_before(endpoint, generation));
        most == Some(Claim::InCall)
    });
    most
}

/// DNS has to be asked sooner for this endpoint, or may be asked less often.
pub fn set_pace(endpoint: &Endpoint, pace: Pace) {
    if let Some(process) = current() {
        process.set_pace(endpoint, pace);
    }
}
