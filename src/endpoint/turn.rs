//! Whose turn it is on a new writer: transactions that are replayed come first, and logins come a few at a time.
//!
//! A replayed INSERT has to get the id that the application was already told. Ids of rolled-back transactions are
//! free on the new writer, so a fresh INSERT that came first would take one of them.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::Endpoint;

/// A replay that blocks on somebody's lock must not hold everybody else up for long.
const LONGEST: Duration = Duration::from_secs(1);

/// A transaction that will be replayed; from the moment that it was refused until it is through.
pub struct Replaying<'a>(&'a Endpoint);

impl Endpoint {
    pub fn replay_begins(&self) -> Replaying<'_> {
        self.lock().replaying += 1;
        Replaying(self)
    }

    /// Lets the replays go first.
    pub fn after_replays(&self) {
        let until = Instant::now() + LONGEST;
        let mut state = self.lock();
        while state.replaying > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => PoisonError::into_inner(poisoned).0,
            };
        }
    }
}

impl Drop for Replaying<'_> {
    fn drop(&mut self) {
        self.0.lock().replaying -= 1;
        self.0.changed.notify_all();
    }
}

/// Logins under way at a server that has just become the writer: more at once would be a storm on it.
const HANDSHAKES: u32 = 32;

/// A login of ours that is under way.
pub struct Handshake<'a>(&'a Endpoint);

impl Endpoint {
    /// Waits until fewer than 32 of our logins to this endpoint are in flight.
    pub fn handshake(&self) -> Handshake<'_> {
        let until = Instant::now() + LONGEST;
        let mut state = self.lock();
        while state.handshakes >= HANDSHAKES {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => PoisonError::into_inner(poisoned).0,
            };
        }
        state.handshakes += 1;
        Handshake(self)
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        self.0.lock().handshakes -= 1;
        self.0.changed.notify_all();
    }
}
