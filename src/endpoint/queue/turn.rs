//! Whose turn it is on a new writer: transactions that are replayed come first.
//!
//! A replayed INSERT has to get the id that the application was already told. Ids of rolled-back transactions are
//! free on the new writer, so a fresh INSERT that came first would take one of them.

use std::time::{Duration, Instant};

use crate::endpoint::{Endpoint, State};

/// A replay that blocks on a lock of another transaction must not hold all other threads up for long.
const LONGEST: Duration = Duration::from_secs(1);

/// A transaction that has been told an id need not know yet that its server is gone: its application is about to send
/// its next statement. For so long after a move it is waited for.
const THINKS: Duration = Duration::from_millis(200);
/// One whose application is in a call, and only has to wake up, is waited for longer: the machine may be busy.
const WAKES: Duration = Duration::from_millis(500);
/// Nothing announces what such an application does.
const POLL: Duration = Duration::from_millis(10);

/// A transaction that will be replayed; from the moment that it was refused until it is through.
pub struct Replaying<'a>(&'a Endpoint);

impl Endpoint {
    pub fn replay_begins(&self) -> Replaying<'_> {
        self.lock().replaying += 1;
        Replaying(self)
    }

    /// Lets the replays go first.
    pub fn after_replays(&self) {
        let until = self.now() + LONGEST;
        let mut recall = None;
        let mut state = self.lock();
        loop {
            let now = self.now();
            let to_come = match just_moved(&state, now) {
                Some(ago) => self.claims(&mut state, now).is_some_and(|claim| claim.is_waited_for(ago)),
                None => false,
            };
            let left = until.saturating_duration_since(now);
            if left.is_zero() || state.replaying == 0 && !to_come {
                return;
            }
            let pause = if to_come { left.min(POLL) } else { left };
            let recall = recall.get_or_insert_with(|| self.around.recall());
            state = self.wait(state, &self.changed, pause, recall);
            if recall.wanted() {
                return;
            }
        }
    }

    /// Transactions are being replayed here, or may still come to that.
    pub fn expects_replays(&self) -> bool {
        let state = self.lock();
        state.replaying > 0 || just_moved(&state, self.now()).is_some()
    }

    /// What transactions that were told an id are still where the writer was? One look for all who wait.
    fn claims(&self, state: &mut State, now: Instant) -> Option<Claim> {
        if let Some((at, claim)) = state.claims
            && now.saturating_duration_since(at) < POLL
        {
            return claim;
        }
        let claim = self.around.claims(self, state.life.generation());
        state.claims = Some((now, claim));
        claim
    }
}

/// How long ago the endpoint has moved, if some transaction may not know yet.
fn just_moved(state: &State, now: Instant) -> Option<Duration> {
    state.moved_at.map(|at| now.saturating_duration_since(at)).filter(|ago| *ago < WAKES)
}

/// A transaction with ids to claim that has not moved yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// Its application thinks.
    Thinking,
    /// Its application is in a call.
    InCall,
}

impl Claim {
    /// So long after the move?
    fn is_waited_for(self, ago: Duration) -> bool {
        ago < if self == Claim::InCall { WAKES } else { THINKS }
    }
}

impl Drop for Replaying<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        // In a child that was forked meanwhile it is another state.
        state.replaying = state.replaying.saturating_sub(1);
        drop(state);
        self.0.changed.tell_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn fresh_statements_wait_until_the_last_replay_is_through() {
        let endpoint = Endpoint::alone();
        let (one, other) = (endpoint.replay_begins(), endpoint.replay_begins());
        thread::scope(|scope| {
            let fresh = scope.spawn(|| {
                endpoint.after_replays();
                endpoint.lock().replaying
            });
            drop(one);
            drop(other);
            assert_eq!(fresh.join().unwrap(), 0);
        });
    }

    #[test]
    fn an_application_in_a_call_is_waited_for_longer_than_one_that_thinks() {
        assert!(Claim::Thinking.is_waited_for(THINKS / 2) && !Claim::Thinking.is_waited_for(THINKS));
        assert!(Claim::InCall.is_waited_for(THINKS) && !Claim::InCall.is_waited_for(WAKES));
        assert_eq!(Some(Claim::Thinking).max(Some(Claim::InCall)), Some(Claim::InCall), "the most that is claimed");
    }

    #[test]
    fn a_replay_that_hangs_does_not_hold_the_others_up_for_ever() {
        let endpoint = Endpoint::alone();
        let _hangs = endpoint.replay_begins();
        endpoint.after_replays();
        assert_eq!(endpoint.lock().replaying, 1);
    }
}
