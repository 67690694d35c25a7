//! What goes on while there is no writer: an incumbent that answers and says that it is read-only has the newest data as
//! long as DNS and the topology name no other server.

use std::{net::SocketAddr, time::Duration};

use super::{Endpoint, State, life::Phase, prober::Need, search::Found};

/// A server that could not be reached is taken to be gone for so long. DNS may name it early.
const GONE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Meanwhile {
    /// What the incumbent said when it was asked last.
    pub read_only: bool,
    /// It has refused a write of this process since a writer was verified last. Without that its being read-only need not
    /// concern the application, whose account may be exempt.
    write_refused: bool,
}

impl Meanwhile {
    /// A writer was verified.
    pub fn is_over(&mut self) {
        *self = Meanwhile::default();
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
        server.is_some() && state.life.incumbent() == server && self.goes_on_in(&state, need).is_some()
    }

    /// The read-only incumbent, if `need` is served there.
    pub(super) fn goes_on_in(&self, state: &State, need: Need) -> Option<Found> {
        let served = match need {
            Need::Reads => true,
            Need::Attempt => !state.meanwhile.write_refused,
            Need::Writer => false,
        };
        let waits = state.life.phase() == Phase::Switching && !state.life.circuit_open();
        let address = state.life.incumbent().filter(|_| served && waits && state.meanwhile.read_only)?;
        let (named, _) = self.elsewhere(state, address);
        let alone = named.iter().all(|server| state.silence.was_unreached(*server, GONE));
        alone.then_some(Found { address, generation: state.life.generation(), writable: false, redial: false })
    }
}

#[cfg(test)]
mod tests {
    use super::super::prober::Undialled;
    use super::*;

    fn blue() -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], 3306))
    }

    fn green() -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 2], 3306))
    }

    fn unfit(why: Option<Undialled>) -> Endpoint {
        let endpoint = Endpoint::alone();
        endpoint.seen_writable(blue());
        endpoint.on_answer(vec![blue().ip()]);
        endpoint.incumbent_unfit(&mut endpoint.lock(), blue(), why);
        endpoint
    }

    #[test]
    fn reads_go_on_where_the_incumbent_answers_that_it_is_read_only_and_nobody_else_is_named() {
        let endpoint = unfit(None);
        assert!(endpoint.goes_on(Some(blue()), Need::Reads));
        assert!(!endpoint.goes_on(Some(green()), Need::Reads), "another server is none that was asked");
        assert!(!endpoint.goes_on(Some(blue()), Need::Writer));
        let gone = unfit(Some(Undialled::Unreachable("no answer".to_owned())));
        assert!(!gone.goes_on(Some(blue()), Need::Reads), "it does not answer");
    }

    #[test]
    fn reads_wait_once_dns_names_another_server_unless_that_one_is_not_there() {
        let endpoint = unfit(None);
        endpoint.on_answer(vec![green().ip()]);
        assert!(!endpoint.goes_on(Some(blue()), Need::Reads));
        endpoint.lock().silence.unreached(green());
        assert!(endpoint.goes_on(Some(blue()), Need::Reads));
    }

    #[test]
    fn a_write_is_attempted_where_it_is_until_one_was_refused() {
        let endpoint = unfit(None);
        assert!(endpoint.goes_on(Some(blue()), Need::Attempt));
        endpoint.on_refused_write(1);
        assert!(!endpoint.goes_on(Some(blue()), Need::Attempt));
        assert!(endpoint.goes_on(Some(blue()), Need::Reads));
        endpoint.stay_with_incumbent(&mut endpoint.lock());
        endpoint.incumbent_unfit(&mut endpoint.lock(), blue(), None);
        assert!(endpoint.goes_on(Some(blue()), Need::Attempt), "another time, another reason");
    }
}
