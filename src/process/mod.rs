//! What this process has: endpoints, tags, the connections of its front end, the watcher.
//!
//! Made on the first protected connection, never freed. Which of them is ours, and what fork does to it, is the business
//! of `current`.

pub mod connecting;
pub mod current;
pub mod descriptors;
pub mod front_end;
pub mod resolver;
mod rounds;
pub mod tags;
mod watch;

use std::{any::Any, net::SocketAddr, sync::atomic::Ordering::*};

use once_cell::race::OnceBox;
use rustix_futex_sync::Mutex;

use front_end::FrontEnd;
use tags::Tags;
use watch::Around;

use crate::{
    endpoint::{Endpoint, inheritance::Writer, name::Name},
    host::{fork_mark::Mark, socket},
    resolve::Watcher,
};

pub struct Process {
    pid: i32,
    mark: Option<Mark>,
    /// The state of the process that forked this one.
    parents: Option<&'static Process>,
    /// Filled in order; read without a lock, also in signal handlers.
    endpoints: Box<[OnceBox<Endpoint>]>,
    pub tags: Tags,
    /// The connections that client libraries made.
    front_end: OnceBox<Box<dyn FrontEnd>>,
    /// Sockets that the application itself connects just now: how long it waits is its own business.
    opening: Mutex<Vec<i32>>,
    /// Held by the thread that ends the connections to a silent server.
    cutting: Mutex<()>,
    /// `Some(None)`: it could not be started.
    watcher: Mutex<Option<Option<&'static Watcher>>>,
}

/// Endpoints of one process; further ones pass through.
const ENDPOINTS: usize = 1024;

impl Process {
    /// Also told apart: a vfork child. Costs a system call.
    pub fn is_ours_by_id(&self) -> bool {
        self.has_a_mark_here() && self.pid == socket::pid()
    }

    /// This is the memory of the process that opened the connections, whichever process runs in it.
    pub fn has_a_mark_here(&self) -> bool {
        self.mark.as_ref().is_none_or(Mark::is_there)
    }

    /// Is this the process that opened the connections, and not a child of it? (A vfork child calls no client library.)
    pub fn is_ours(&self) -> bool {
        if self.mark.is_some() { self.has_a_mark_here() } else { self.is_ours_by_id() }
    }

    /// For the process with this id, which is ours.
    pub fn new(pid: i32, parents: Option<&'static Process>) -> Self {
        Process {
            pid,
            mark: Mark::new(),
            parents,
            endpoints: (0..ENDPOINTS).map(|_| OnceBox::new()).collect(),
            tags: Tags::new(),
            front_end: OnceBox::new(),
            opening: Mutex::new(Vec::new()),
            cutting: Mutex::new(()),
            watcher: Mutex::new(None),
        }
    }

    /// The application begins to connect this socket.
    pub fn opens(&self, fd: i32) {
        self.opening.lock().push(fd);
    }

    /// Its connect is over.
    pub fn opened(&self, fd: i32) {
        self.opening.lock().retain(|opening| *opening != fd);
    }

    /// The endpoint of that name, made now if need be.
    pub fn endpoint(&'static self, name: Name) -> Option<&'static Endpoint> {
        for (at, cell) in (0..).zip(&self.endpoints) {
            // A thread that loses the race for a cell looks at what the winner put there.
            let fresh = || Endpoint::new(name.clone(), at, &Around).inheriting(self.parents_writer(&name));
            let endpoint = cell.get_or_init(|| Box::new(fresh()));
            if endpoint.name == name {
                return Some(endpoint);
            }
        }
        None
    }

    /// Where the writer of that name was when this process was forked, as far as its parents knew.
    fn parents_writer(&self, name: &Name) -> Option<Writer> {
        let parents = self.parents?;
        let known = parents.endpoints().find(|endpoint| endpoint.name == *name);
        known.and_then(Endpoint::writer_at_fork).or_else(|| parents.parents_writer(name))
    }

    /// Asked in a child: had its parents this connection open when it was forked?
    pub fn had_at_fork(&self, handle: usize, thread: u64, peer: SocketAddr) -> bool {
        let front_end = self.front_end.get();
        front_end.is_some_and(|front_end| front_end.had_at_fork(handle, thread, peer))
            || self.parents.is_some_and(|parents| parents.had_at_fork(handle, thread, peer))
    }

    /// Asked in a child.
    pub fn is_alive(&self) -> bool {
        socket::is_alive(self.pid)
    }

    /// The front end, made now if need be. (`None`: the process has another one.)
    pub fn front_end<F: FrontEnd + Default>(&self) -> Option<&F> {
        let made: &dyn FrontEnd = &**self.front_end.get_or_init(|| Box::new(Box::<F>::default()));
        (made as &dyn Any).downcast_ref()
    }

    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().map_while(OnceBox::get)
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
}
