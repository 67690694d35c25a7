//! What an endpoint needs of the process that it belongs to, time included. The process implements this; tests use `Nothing`, or
//! a world whose clock they move (`simulation`).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    Endpoint,
    ledger::Ledger,
    queue::turn::Claim,
    search::{greetings::GreetingConnection, prober::Undialled, silence::Traffic},
};
use crate::{
    host::{event::News, interruption::Recall},
    resolve::{Jitter, Pace},
};

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

    /// What time it is.
    fn now(&self) -> Instant;

    /// About what time it is, in milliseconds of a coarse clock that only goes on: a fraction of the price of `now`.
    fn about_now(&self) -> u64;

    /// Milliseconds since 1970: the clock that the processes of a host share.
    fn wall_clock(&self) -> u64;

    /// Spreads the looks of many processes that seek the same writer.
    fn jitter(&self) -> Jitter;

    /// Waits until `news` are more than was `known`, for `time` at most, or until the application wants this thread back. The
    /// endpoint waits nowhere else, except for a server. The caller holds no lock.
    fn wait(&self, news: &News, known: u32, time: Duration, recall: &mut Recall);

    /// From now on it is noticed that the application wants this thread back.
    fn recall(&self) -> Recall;

    /// Is the process about to end, so that no call waits for a writer any more?
    fn is_ending(&self) -> bool;

    /// Opens a connection to `server` for its greeting alone. `server` accepts it `within` that time, or it is given up. The
    /// caller holds no lock.
    fn connect_for_greeting(
        &self,
        server: SocketAddr,
        within: Duration,
    ) -> Result<Box<dyn GreetingConnection>, Undialled>;

    /// Does `work` on the ledger that all processes of the host share. False: it cannot be had, or not be kept, and what `work`
    /// did counts for nothing.
    fn on_shared_ledger(&self, work: &mut dyn FnMut(&mut Ledger)) -> bool;
}

/// No process at all: there are no connections, nothing is watched, and no ledger is shared. Time and servers are real.
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

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn about_now(&self) -> u64 {
        crate::host::socket::about_now()
    }

    fn wall_clock(&self) -> u64 {
        std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_millis() as u64)
    }

    fn jitter(&self) -> Jitter {
        Jitter::new()
    }

    fn wait(&self, news: &News, known: u32, time: Duration, recall: &mut Recall) {
        recall.wait(news, known, time);
    }

    fn recall(&self) -> Recall {
        Recall::begins()
    }

    fn is_ending(&self) -> bool {
        crate::host::interruption::process_is_ending()
    }

    fn connect_for_greeting(
        &self,
        server: SocketAddr,
        within: Duration,
    ) -> Result<Box<dyn GreetingConnection>, Undialled> {
        super::search::reach::connect_for_greeting(server, within)
    }

    fn on_shared_ledger(&self, _: &mut dyn FnMut(&mut Ledger)) -> bool {
        false
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
