//! What the process asks of a front end's connections. A front end implements this for its table of connections, of which a
//! process has one; a forked child begins with an empty one.

use std::{any::Any, net::SocketAddr};

use crate::endpoint::{Endpoint, turn::Claim};

pub trait FrontEnd: Any + Send + Sync {
    /// Does the application wait for an answer of `server` on a connection of `endpoint`?
    fn waits_for(&self, endpoint: &Endpoint, server: SocketAddr) -> bool;

    /// The most that a transaction of `endpoint` claims which was told an id on a server before that of `generation`.
    fn claims(&self, endpoint: &Endpoint, generation: u64) -> Option<Claim>;

    /// Asked in a child, of its parent's connections: was this one among them? `key` is the front end's own name for it,
    /// `thread` the server's number of it. Takes no lock that another thread may have held when the process was forked.
    fn had_at_fork(&self, key: usize, thread: u64, peer: SocketAddr) -> bool;
}
