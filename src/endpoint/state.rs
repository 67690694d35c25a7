//! What an endpoint knows, under its lock; and the lock, which a thread that was forked inside the wait for it does not
//! wait for.

use std::time::Instant;

use rustix_futex_sync::{Mutex, MutexGuard};

use super::{
    Endpoint,
    life::Life,
    name::Name,
    pool::Pool,
    queue::{logins::Logins, turn::Claim},
    search::{
        behind::Behind, candidates::Configured, greetings::Greetings, meanwhile::Meanwhile, questions::Questions,
        silence::Silence, topology::Deployment,
    },
    surroundings::Surroundings,
};
use crate::{control::config, host::socket, resolve::Jitter};

#[derive(Debug)]
pub struct State {
    pub life: Life,
    /// A thread is probing, since then.
    pub probing: Option<Instant>,
    /// No thread looks again before this.
    pub next_pass: Instant,
    /// Transactions that wait to be replayed, or are being replayed.
    pub replaying: u32,
    /// Transactions with ids to claim, when that was looked at last.
    pub claims: Option<(Instant, Option<Claim>)>,
    /// When each login that is under way began.
    pub handshakes: Vec<Instant>,
    pub silence: Silence,
    pub meanwhile: Meanwhile,
    pub behind: Behind,
    pub greetings: Greetings,
    pub logins: Logins,
    pub questions: Questions,
    pub deployment: Deployment,
    pub configured: Configured,
    pub pool: Pool,
    /// Since when callers are held without a longer pause, and when one was held last.
    pub held: Option<(Instant, Instant)>,
    /// When another server was adopted last.
    pub moved_at: Option<Instant>,
    /// When a connection of this process failed last.
    pub suspected_at: Option<Instant>,
    /// Spreads the looks of many processes that seek the same writer.
    pub jitter: Jitter,
}

impl State {
    /// For an endpoint of which nothing is known yet.
    pub fn of(name: &Name, around: &dyn Surroundings) -> Self {
        let mut life = Life::new();
        if !config().nameservers.is_empty() {
            life.trust_the_watcher();
        }
        State {
            life,
            probing: None,
            next_pass: around.now(),
            replaying: 0,
            claims: None,
            handshakes: Vec::new(),
            silence: Silence::default(),
            meanwhile: Meanwhile::default(),
            behind: Behind::default(),
            greetings: Greetings::default(),
            logins: Logins::default(),
            questions: Questions::default(),
            deployment: Deployment::default(),
            configured: Configured::of(name, &config().candidates),
            pool: Pool::default(),
            held: None,
            moved_at: None,
            suspected_at: None,
            jitter: around.jitter(),
        }
    }
}

impl Endpoint {
    /// Locks are taken in this order: an endpoint's state, then tags and handles, then a handle's state, then the
    /// watcher's. None is held while anything waits.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.try_lock().unwrap_or_else(|| self.lock_once_free())
    }

    /// A signal handler may fork while this thread waits for news, and return in the child into a call of the parent. If another
    /// thread had the lock in that moment, it is never free in the child, where that thread is missing: the child goes on
    /// with an empty state, finds out that the call is its parent's (`Surroundings::epoch`), and ends it.
    #[cold]
    fn lock_once_free(&self) -> MutexGuard<'_, State> {
        if self.process == socket::pid() {
            return self.state.lock();
        }
        Box::leak(Box::new(Mutex::new(State::of(&self.name, self.around)))).lock()
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;
    use crate::host::files::succeeds_in_child;

    #[test]
    fn a_child_forked_inside_a_call_does_not_wait_for_a_lock_that_another_thread_of_its_parent_has() {
        let endpoint = Endpoint::alone();
        endpoint.seen_writable("10.0.0.1:3306".parse().unwrap());
        let _held = endpoint.lock();
        assert!(succeeds_in_child(|| endpoint.lock().life.incumbent().is_none()));
    }

    #[test]
    fn a_thread_waits_for_the_lock_as_long_as_another_one_has_it() {
        let endpoint = Endpoint::alone();
        let mut held = endpoint.lock();
        thread::scope(|scope| {
            let waits = scope.spawn(|| endpoint.lock().replaying);
            thread::sleep(Duration::from_millis(20));
            assert!(!waits.is_finished());
            held.replaying = 7;
            drop(held);
            assert_eq!(waits.join().unwrap(), 7);
        });
    }
}
