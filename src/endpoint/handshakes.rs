//! Logins come a few at a time: all at once they would be a storm on a server that has just become the writer.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::{Endpoint, State};
use crate::control::config;

/// A login that takes longer hangs, and is not counted any more: it must not hold the others up.
const HANGS: Duration = Duration::from_secs(3);

/// Logins under way at a server that has just become the writer: more at once would be a storm on it.
const HANDSHAKES: usize = 32;

/// How long after a move the application's own connects count as part of the storm.
const STORM: Duration = Duration::from_secs(10);

/// A login that is under way, since when.
pub struct Handshake<'a>(&'a Endpoint, Instant);

impl Endpoint {
    /// Waits until fewer than 32 logins to this endpoint are in flight.
    pub fn handshake(&self) -> Handshake<'_> {
        let until = Instant::now() + config().hold_max;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let free = under_way(&state, now).count() < HANDSHAKES;
            if free || now >= until {
                state.handshakes.push(now);
                return Handshake(self, now);
            }
            let oldest = under_way(&state, now).min().copied().unwrap_or(now);
            let pause = (oldest + HANGS).min(until).saturating_duration_since(now);
            state = match self.login_through.wait_timeout(state, pause) {
                Ok((state, _)) => state,
                Err(poisoned) => PoisonError::into_inner(poisoned).0,
            };
        }
    }

    /// The turn of a connect that the application makes: it waits only in a storm, when everybody comes back at once.
    pub fn handshake_in_a_storm(&self) -> Option<Handshake<'_>> {
        let storm = {
            let state = self.lock();
            let moved = state.moved_at.is_some_and(|at| at.elapsed() < STORM);
            moved || state.life.unsettled()
        };
        storm.then(|| self.handshake())
    }
}

fn under_way(state: &State, now: Instant) -> impl Iterator<Item = &Instant> {
    state.handshakes.iter().filter(move |since| now.saturating_duration_since(**since) < HANGS)
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if let Some(at) = state.handshakes.iter().position(|since| *since == self.1) {
            state.handshakes.swap_remove(at);
        }
        drop(state);
        self.0.login_through.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, thread};

    use super::*;
    use crate::endpoint::name::Name;

    fn endpoint() -> Endpoint {
        Endpoint::new(Name::of(b"db.shop.example", 0).unwrap())
    }

    #[test]
    fn the_login_after_the_32nd_waits_until_one_of_them_is_through() {
        let endpoint = endpoint();
        let mut under_way: Vec<_> = (0..HANDSHAKES).map(|_| endpoint.handshake()).collect();
        thread::scope(|scope| {
            let one_more = scope.spawn(|| {
                let turn = endpoint.handshake();
                let at_once = endpoint.lock().handshakes.len();
                drop(turn);
                at_once
            });
            under_way.pop();
            assert_eq!(one_more.join().unwrap(), HANDSHAKES);
        });
    }

    #[test]
    fn logins_that_hang_do_not_keep_the_next_one_out() {
        let endpoint = endpoint();
        let long_ago = Instant::now().checked_sub(HANGS).unwrap();
        endpoint.lock().handshakes = vec![long_ago; HANDSHAKES];
        drop(endpoint.handshake());
    }

    #[test]
    fn the_applications_own_connects_wait_only_after_a_move() {
        let endpoint = endpoint();
        endpoint.seen_writable(SocketAddr::from(([10, 0, 0, 1], 3306)));
        assert!(endpoint.handshake_in_a_storm().is_none());
        endpoint.lock().moved_at = Some(Instant::now());
        assert!(endpoint.handshake_in_a_storm().is_some());
    }
}
