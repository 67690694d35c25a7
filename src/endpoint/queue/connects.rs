//! Connects of the application that fail: whether they are held until there is a writer.

use std::time::Instant;

use crate::{
    control::config,
    endpoint::{
        Endpoint,
        life::Phase,
        search::{PROBE_EVERY, prober::Undialled},
    },
    host::interruption::Recall,
};

/// Why an application's connect failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No server there, or none that speaks; no such name.
    Nobody,
    /// The server says that it is shutting down or offline.
    GoingAway,
    /// The server is there and lets this one not in: a locked account, too many connections.
    Refused,
}

impl Endpoint {
    /// A connect to a known writer's name failed. Waits a moment and says whether it is to be tried again.
    pub fn connect_may_try_again(&self, trouble: Trouble, deadline: Option<Instant>, recall: &mut Recall) -> bool {
        let Some(incumbent) = self.incumbent() else { return false };
        if self.circuit_open() {
            return false;
        }
        let unfit = match trouble {
            Trouble::Refused => None,
            Trouble::GoingAway => Some(Undialled::NotNow("it is going away".to_owned())),
            // Others of this process are served: it is the connect's own trouble.
            Trouble::Nobody if self.is_switching() || self.around.traffic(self, incumbent).alive() => None,
            Trouble::Nobody => match self.greets(incumbent, 0) {
                Ok(()) | Err(Undialled::NotTried(_)) => None,
                Err(unfit) => Some(unfit),
            },
        };
        let mut state = self.lock();
        let now = self.now();
        if state.life.incumbent() != Some(incumbent) {
            return true;
        }
        match unfit {
            Some(unfit) => self.incumbent_unfit(&mut state, incumbent, Some(unfit)),
            None if state.life.phase() != Phase::Switching && !state.deployment.is_moving() => return false,
            None => {}
        }
        let limit = Self::held_since(&mut state, now, now) + config().hold_max;
        if now >= limit {
            self.fail_open(&mut state);
            return false;
        }
        let until = deadline.map_or(limit, |deadline| limit.min(deadline));
        if now >= until {
            return false;
        }
        drop(self.wait(state, &self.changed, (2 * PROBE_EVERY).min(until - now), recall));
        !recall.wanted() && !self.around.is_ending()
    }
}
