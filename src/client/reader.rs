//! Readers are never held, and never led to a writer. But when a replica is gone, another one that DNS names under the
//! same name takes its place.

use std::net::SocketAddr;

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
    /// A connection to a reader failed under a statement. A transaction is replayed and compared as on a writer: what it
    /// saw on one replica need not be on another.
    pub(super) fn another_replica(&self, fallen: Fallen, statement: &Statement, attempts: &mut u32) -> Next {
        let endpoint = self.endpoint();
        let pinned = statement.uses_previous || self.state().session.pinned().is_some();
        let lost = fallen.takes_its_transaction_along();
        if pinned || !evidence::ends_connection(fallen.evidence) {
            return self.deliver(&fallen.original, fallen.code, lost);
        }
        let replayable =
            !statement.varies && self.state().session.transaction().is_some_and(|log| log.spoilt().is_none());
        let own = self.state().peer;
        let mut lent = Lent::new(self);
        // The same one first: a rotating name says nothing of where a connection should be.
        let mut tried: Vec<SocketAddr> = own.into_iter().collect();
        tried.extend(endpoint.replicas().into_iter().filter(|server| Some(*server) != own));
        let mut dials = |servers: &[SocketAddr]| servers.iter().copied().find(|server| lent.dial(*server).is_ok());
        let Some(found) = dials(&tried).or_else(|| dials(&endpoint.other_replicas(&tried))) else {
            return self.deliver(&fallen.original, fallen.code, lost);
        };
        let healthy = own == Some(found) && !lent.restarted;
        let session = Session { in_transaction: fallen.in_transaction, replayable, pinned: false };
        let incumbent = if healthy { Incumbent::Healthy } else { Incumbent::Replaced };
        let action = verdict(fallen.evidence, Class::of(statement), session, incumbent);
        if action != Action::SurfaceLossStayLost && replay::restore(self).is_err() {
            return self.deliver(&fallen.original, fallen.code, true);
        }
        if !healthy {
            say!(Info, "{}: a connection moved to {found}, another replica", endpoint.name);
        }
        match action {
            Action::RunAgain => {
                COUNTERS.reruns.count();
                Next::Send
            }
            Action::Replay => self.replay_transaction(&fallen, statement, attempts),
            Action::Victim => self.victim(&fallen, "it cannot be replayed"),
            Action::SurfaceLossStayLost => self.surface(fallen, healthy, true),
            _ => self.surface(fallen, healthy, false),
        }
    }
}
