//! Logins come a few at a time: all at once they would be a storm on a server that has just become the writer.

use std::time::{Duration, Instant};

use crate::{
    control::config,
    endpoint::{Endpoint, State},
    host::interruption::Recall,
};

/// A login that takes longer hangs, and is not counted any more: it must not hold the others up.
const HANGS: Duration = Duration::from_secs(3);

/// Logins under way at a server that has just become the writer: more at once would be a storm on it.
const HANDSHAKES: usize = 32;
/// One of these is the search's, which all other threads wait for.
const FOR_ALL: usize = HANDSHAKES - 1;

/// How long after a move the application's own connects count as part of the storm.
const STORM: Duration = Duration::from_secs(10);

/// A login that is under way, since when.
pub struct Handshake<'a>(&'a Endpoint, Instant);

impl Endpoint {
    /// Waits until fewer than 32 logins to this endpoint are in flight, until `deadline` or `hold_max` at most.
    pub fn handshake(&self, deadline: Option<Instant>) -> Handshake<'_> {
        let until = self.now() + config().hold_max;
        let until = deadline.map_or(until, |deadline| until.min(deadline));
        let mut recall: Option<Recall> = None;
        let mut state = self.lock();
        loop {
            let now = self.now();
            let wanted = recall.as_mut().is_some_and(Recall::wanted);
            if under_way(&state, now).count() < FOR_ALL || now >= until || wanted {
                state.handshakes.push(now);
                return Handshake(self, now);
            }
            let oldest = under_way(&state, now).min().copied().unwrap_or(now);
            let pause = (oldest + HANGS).min(until).saturating_duration_since(now);
            let recall = recall.get_or_insert_with(|| self.around.recall());
            state = self.wait(state, &self.login_through, pause, recall);
        }
    }

    /// The turn of a connect that the application makes: it waits only in a storm, when everybody comes back at once.
    pub fn handshake_in_a_storm(&self, deadline: Option<Instant>) -> Option<Handshake<'_>> {
        let storm = {
            let state = self.lock();
            let moved = state.moved_at.is_some_and(|at| self.now().saturating_duration_since(at) < STORM);
            moved || state.life.unsettled()
        };
        storm.then(|| self.handshake(deadline))
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
        self.0.login_through.tell_one();
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, thread};

    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint::alone()
    }

    #[test]
    fn one_login_too_many_waits_until_another_is_through() {
        let endpoint = endpoint();
        let mut under_way: Vec<_> = (0..FOR_ALL).map(|_| endpoint.handshake(None)).collect();
        thread::scope(|scope| {
            let one_more = scope.spawn(|| {
                let turn = endpoint.handshake(None);
                let at_once = endpoint.lock().handshakes.len();
                drop(turn);
                at_once
            });
            under_way.pop();
            assert_eq!(one_more.join().unwrap(), FOR_ALL);
        });
    }

    #[test]
    fn logins_that_hang_do_not_keep_the_next_one_out() {
        let endpoint = endpoint();
        let long_ago = Instant::now().checked_sub(HANGS).unwrap();
        endpoint.lock().handshakes = vec![long_ago; FOR_ALL];
        let now = Instant::now();
        assert_eq!(under_way(&endpoint.lock(), now).count(), 0);
        assert_eq!(under_way(&endpoint.lock(), now.checked_sub(HANGS / 2).unwrap()).count(), FOR_ALL);
    }

    #[test]
    fn the_applications_own_connects_wait_only_after_a_move() {
        let endpoint = endpoint();
        endpoint.seen_writable(SocketAddr::from(([10, 0, 0, 1], 3306)));
        assert!(endpoint.handshake_in_a_storm(None).is_none());
        endpoint.lock().moved_at = Some(Instant::now());
        assert!(endpoint.handshake_in_a_storm(None).is_some());
    }
}
