//! Connects of the application that fail: whether they are held until there is a writer.

use std::time::{Duration, Instant};

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
    /// The server is there and has no room for this one: too many connections.
    Refused,
    /// The server is there, and the account is locked. A Blue/Green switchover begins so.
    Locked,
}

/// A locked account explains the loss of a connection so long before.
const LOST_LATELY: Duration = Duration::from_secs(1);

impl Endpoint {
    /// A connect to a known writer's name failed. Waits a moment and says whether it is to be tried again.
    pub fn connect_may_try_again(&self, trouble: Trouble, deadline: Option<Instant>, recall: &mut Recall) -> bool {
        let Some(incumbent) = self.incumbent() else { return false };
        if self.circuit_open() {
            return false;
        }
        let unfit = match trouble {
            Trouble::Locked if self.lost_a_connection_within(LOST_LATELY) => {
                Some(Undialled::NotNow("it has ended connections, and the account is locked".to_owned()))
            }
            Trouble::Refused | Trouble::Locked => None,
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::endpoint::simulation::World;

    #[test]
    fn a_locked_account_is_waited_out_just_after_a_connection_was_lost_and_is_the_applications_own_business_otherwise()
    {
        for lost_before in [None, Some(2 * LOST_LATELY), Some(LOST_LATELY / 2)] {
            let world = World::new();
            let endpoint = world.endpoint_on("db.shop.example", SocketAddr::from(([10, 0, 0, 1], 3306)));
            if let Some(before) = lost_before {
                // Its search finds the server writable: it has not locked the account yet.
                endpoint.suspect(endpoint.pulse().generation());
                endpoint.stay_with_incumbent(&mut endpoint.lock());
                world.pass(before);
            }
            let waits = lost_before == Some(LOST_LATELY / 2);
            assert_eq!(endpoint.connect_may_try_again(Trouble::Locked, None, &mut Recall::begins()), waits);
            assert_eq!(endpoint.lock().life.phase() == Phase::Switching, waits);
            assert_eq!(endpoint.connect_may_try_again(Trouble::Refused, None, &mut Recall::begins()), waits);
        }
    }
}
