//! What goes on while there is no writer. An incumbent that answers and says that it is read-only has the newest data as long as
//! DNS and the topology name no other server, or only servers that say the same. When the incumbent is gone, reads go where the
//! application's own connect would go: to a server that the name means, although it is read-only.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{Found, prober::Need};
use crate::endpoint::{Endpoint, State, life::Phase};

/// A server that could not be reached is taken to be gone for so long. DNS may name it early.
const GONE: Duration = Duration::from_secs(5);
/// A server that has said that it is read-only may take writes after this.
const STILL: Duration = Duration::from_millis(150);
/// A look at several servers may take so long, when some of them do not answer.
const LONGEST_PASS: Duration = Duration::from_secs(5);
/// A server that the name means may be promoted within this time, with what the lost writer has acknowledged: a read waits for
/// that.
const FOR_PROMOTION: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(in crate::endpoint) struct Meanwhile {
    /// What the incumbent said when it was asked last.
    pub read_only: bool,
    /// It has refused a write of this process since a writer was verified last. Without that its being read-only need not
    /// concern the application, whose account may be exempt.
    write_refused: bool,
    /// Other servers that have said that they are read-only, and when they said it last.
    others: Vec<(SocketAddr, Instant)>,
}

impl Meanwhile {
    /// A writer was verified.
    pub fn is_over(&mut self) {
        *self = Meanwhile::default();
    }

    /// Another server than the incumbent has said that it is read-only.
    pub fn said_read_only(&mut self, server: SocketAddr, now: Instant) {
        self.others.retain(|(other, at)| *other != server && now.saturating_duration_since(*at) < LONGEST_PASS);
        self.others.push((server, now));
    }

    /// Has `server` said within the time `within` that it is read-only?
    fn is_read_only(&self, server: SocketAddr, within: Duration, now: Instant) -> bool {
        self.others.iter().any(|(other, at)| *other == server && now.saturating_duration_since(*at) < within)
    }
}

impl Endpoint {
    /// A write was refused as read-only by the incumbent of `generation`.
    pub fn on_refused_write(&self, generation: u64) {
        let mut state = self.lock();
        if state.life.generation() == generation {
            state.meanwhile.write_refused = true;
        }
    }

    /// May a connection to `server` be used for `need` where it is, although the endpoint has no writer?
    pub fn goes_on(&self, server: Option<SocketAddr>, need: Need) -> bool {
        let state = self.lock();
        server.is_some() && self.goes_on_in(&state, need).map(|found| found.address) == server
    }

    /// A read-only server on which something was to go on takes no login since, or could not be reached: nothing goes on there.
    pub fn on_found_in_vain(&self, server: SocketAddr, unreached: bool) {
        let mut state = self.lock();
        if unreached {
            state.silence.unreached(server, self.now());
        }
        state.meanwhile.others.retain(|(other, _)| *other != server);
        if state.life.incumbent() == Some(server) {
            state.meanwhile.read_only = false;
        }
    }

    /// The read-only incumbent, or a read-only server that the name means, if `need` is served there.
    pub(super) fn goes_on_in(&self, state: &State, need: Need) -> Option<Found> {
        let served = match need {
            Need::Reads | Need::Begins => true,
            Need::Attempt => !state.meanwhile.write_refused,
            Need::Writer => false,
        };
        let waits = state.life.phase() == Phase::Switching && !state.life.circuit_open();
        let incumbent = state.life.incumbent().filter(|_| served && waits)?;
        let (named, _) = self.elsewhere(state, incumbent);
        let now = self.now();
        let found = |address| Found { address, generation: state.life.generation(), writable: false, redial: false };
        if state.meanwhile.read_only {
            let has_nothing_newer = |server: &SocketAddr| {
                state.silence.was_unreached(*server, GONE, now) || state.meanwhile.is_read_only(*server, STILL, now)
            };
            return named.iter().all(has_nothing_newer).then(|| found(incumbent));
        }
        let long =
            state.life.switching_since().is_some_and(|since| now.saturating_duration_since(since) >= FOR_PROMOTION);
        // Where the application's own connect would go now: what another server has may be old.
        let led = |server: &SocketAddr| state.life.where_led().any(|ip| ip == server.ip());
        let elsewhere = long && need == Need::Reads && state.life.leads_elsewhere();
        let there = |server: &SocketAddr| led(server) && state.meanwhile.is_read_only(*server, LONGEST_PASS, now);
        named.into_iter().find(there).filter(|_| elsewhere).map(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::endpoint::{prober::Undialled, simulation::World};

    fn blue() -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], 3306))
    }

    fn green() -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 2], 3306))
    }

    fn unfit(why: Option<Undialled>) -> (&'static World, Arc<Endpoint>) {
        let world = World::new();
        let endpoint = world.endpoint("db.shop.example");
        endpoint.seen_writable(blue());
        endpoint.on_answer(vec![blue().ip()]);
        endpoint.incumbent_unfit(&mut endpoint.lock(), blue(), why);
        (world, endpoint)
    }

    #[test]
    fn reads_go_on_where_the_incumbent_answers_that_it_is_read_only_and_nobody_else_is_named() {
        let (_, endpoint) = unfit(None);
        assert!(endpoint.goes_on(Some(blue()), Need::Reads));
        assert!(!endpoint.goes_on(Some(green()), Need::Reads), "another server is none that was asked");
        assert!(!endpoint.goes_on(Some(blue()), Need::Writer));
        let (_, gone) = unfit(Some(Undialled::Unreachable("no answer".to_owned())));
        assert!(!gone.goes_on(Some(blue()), Need::Reads), "it does not answer");
        endpoint.on_found_in_vain(blue(), false);
        assert!(!endpoint.goes_on(Some(blue()), Need::Reads), "it does not answer any more");
    }

    #[test]
    fn reads_wait_once_dns_names_another_server_unless_that_one_is_not_there() {
        let (_, endpoint) = unfit(None);
        endpoint.on_answer(vec![green().ip()]);
        assert!(!endpoint.goes_on(Some(blue()), Need::Reads));
        endpoint.lock().silence.unreached(green(), endpoint.now());
        assert!(endpoint.goes_on(Some(blue()), Need::Reads));
    }

    #[test]
    fn reads_go_on_while_the_server_that_dns_names_says_that_it_is_read_only_too() {
        let (world, endpoint) = unfit(None);
        endpoint.on_answer(vec![green().ip()]);
        endpoint.lock().meanwhile.said_read_only(green(), endpoint.now());
        assert!(endpoint.goes_on(Some(blue()), Need::Reads) && !endpoint.goes_on(Some(green()), Need::Reads));
        assert!(!endpoint.goes_on(Some(blue()), Need::Writer));
        world.pass(STILL);
        assert!(!endpoint.goes_on(Some(blue()), Need::Reads), "it may be the writer by now");
    }

    #[test]
    fn reads_go_to_a_named_server_that_is_read_only_some_time_after_the_incumbent_has_gone() {
        let (world, endpoint) = unfit(Some(Undialled::Unreachable("no answer".to_owned())));
        endpoint.on_answer(vec![green().ip()]);
        endpoint.lock().meanwhile.said_read_only(green(), endpoint.now());
        assert!(!endpoint.goes_on(Some(green()), Need::Reads), "it may be about to be promoted");
        world.pass(FOR_PROMOTION);
        assert!(endpoint.goes_on(Some(green()), Need::Reads));
        for need in [Need::Begins, Need::Attempt, Need::Writer] {
            assert!(!endpoint.goes_on(Some(green()), need), "{need:?}");
        }
        assert!(!endpoint.goes_on(Some(blue()), Need::Reads));
        endpoint.on_answer(vec![blue().ip()]);
        assert!(!endpoint.goes_on(Some(green()), Need::Reads), "the name means the incumbent again");
    }

    #[test]
    fn a_write_is_attempted_where_it_is_until_one_was_refused() {
        let (_, endpoint) = unfit(None);
        assert!(endpoint.goes_on(Some(blue()), Need::Attempt));
        endpoint.on_refused_write(1);
        assert!(!endpoint.goes_on(Some(blue()), Need::Attempt));
        assert!(endpoint.goes_on(Some(blue()), Need::Reads));
        endpoint.stay_with_incumbent(&mut endpoint.lock());
        endpoint.incumbent_unfit(&mut endpoint.lock(), blue(), None);
        assert!(endpoint.goes_on(Some(blue()), Need::Attempt), "another time, another reason");
    }
}
