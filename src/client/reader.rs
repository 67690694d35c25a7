//! Readers are never held, and never led to a writer. But when a replica is gone, another one that DNS names under the
//! same name takes its place.

use super::{
    handle::Guest,
    probe::Lent,
    replay,
    rescue::{Fallen, Next},
};
use crate::{
    control::{
        counters::COUNTERS,
        log::{Level::*, say},
    },
    endpoint::search::Prober,
    evidence,
    sql::Statement,
    verdict::{Action, Class, Incumbent, Session, verdict},
};

impl Guest {
    /// A connection to a reader failed under a statement. What a transaction saw on one replica says nothing of
    /// another, so only what stands alone moves.
    pub(super) fn another_replica(&self, fallen: Fallen, statement: &Statement) -> Next {
        let endpoint = self.endpoint();
        let alone = !fallen.in_transaction && !statement.uses_previous && self.state().session.pinned().is_none();
        if !alone || !evidence::ends_connection(fallen.evidence) {
            return self.deliver(&fallen.original, fallen.code, false);
        }
        let own = self.state().peer;
        let mut lent = Lent::new(self);
        // The same one first: a rotating name says nothing of where a connection should be.
        let others = endpoint.replicas().into_iter().filter(|server| Some(*server) != own);
        let Some(found) = own.into_iter().chain(others).find(|server| lent.dial(*server).is_ok()) else {
            return self.deliver(&fallen.original, fallen.code, false);
        };
        let healthy = own == Some(found) && !lent.restarted;
        if replay::restore(self).is_err() {
            return self.deliver(&fallen.original, fallen.code, true);
        }
        let session = Session { in_transaction: false, replayable: false, pinned: false };
        let incumbent = if healthy { Incumbent::Healthy } else { Incumbent::Replaced };
        match verdict(fallen.evidence, Class::of(statement), session, incumbent) {
            Action::RunAgain => {
                COUNTERS.reruns.count();
                if !healthy {
                    say!(Info, "{}: a connection moved to {found}, another replica", endpoint.name);
                }
                Next::Send
            }
            _ => self.surface(fallen, healthy, false),
        }
    }
}
