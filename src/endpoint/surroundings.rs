//! What an endpoint needs of the process that it belongs to. The process implements this; tests use `Nothing`.

use std::net::SocketAddr;

use super::{Endpoint, silence::Traffic, turn::Claim};
use crate::resolve::Pace;

pub trait Surroundings: Sync {
    /// Sees to it that DNS is asked for the endpoint's names at this pace, or at a quicker one that another endpoint wants.
    fn watch(&self, endpoint: &Endpoint, pace: Pace);

    /// What the kernel knows of this process's connections to `server`, and whether the application waits for an answer on
    /// one of the endpoint's.
    fn traffic(&self, endpoint: &Endpoint, server: SocketAddr) -> Traffic;

    /// `server` is gone without a word, and another one is the writer, or no connection waits for it any more: ends the
    /// endpoint's connections to it.
    fn give_up(&self, endpoint: &Endpoint, server: SocketAddr);

    /// Transactions on a server before that of `generation` that were told an id, and do not know yet that they have to move.
    fn claims(&self, endpoint: &Endpoint, generation: u64) -> Option<Claim>;

    /// Changes when the process forks. A thread compares it before and after a wait: if it differs, a signal handler forked
    /// during the wait, and this is the child.
    fn epoch(&self) -> usize;
}

/// No process at all: there are no connections, and nothing is watched.
#[cfg(test)]
pub struct Nothing;

#[cfg(test)]
impl Surroundings for Nothing {
    fn watch(&self, _: &Endpoint, _: Pace) {}

    fn traffic(&self, _: &Endpoint, _: SocketAddr) -> Traffic {
        Traffic::default()
    }

    fn give_up(&self, _: &Endpoint, _: SocketAddr) {}

    fn claims(&self, _: &Endpoint, _: u64) -> Option<Claim> {
        None
    }

    fn epoch(&self) -> usize {
        0
    }
}

#[cfg(test)]
impl Endpoint {
    /// An endpoint whose process has nothing else.
    pub fn alone() -> Self {
        let name = super::name::Name::of(b"db.shop.example", 0).expect("a name");
        Endpoint::new(name, 0, &Nothing)
    }
}
