//! Readers are never held, and never led to a writer. But when a replica is gone, another one that DNS names under the
//! same name takes its place.

use std::net::SocketAddr;

use super::{
    attempts::Attempts,
    ending::Afterwards,
    line::Protected,
    probe::BorrowedConnection,
    rescue::{Attempt, FailedStatement, Next},
    restore::restore,
};
use crate::{
    control::{
        counters::COUNTERS,
        log::{Level::*, say},
    },
    endpoint::{life::Caller, prober::Need},
    session::transaction::Log,
    sql::Statement,
    verdict::{Action, Class, Evidence, Incumbent, Session, evidence, verdict},
};

impl dyn Protected + '_ {
    /// A connection to a reader failed under a statement. A transaction is replayed and compared as on a writer: what it
    /// saw on one replica need not be on another.
    pub(super) fn another_replica(
        &self,
        failed: &mut FailedStatement,
        statement: &Statement,
        attempts: &mut Attempts,
    ) -> Attempt {
        let endpoint = self.endpoint();
        let pinned = statement.uses_previous || self.state().session.pinned().is_some();
        let lost = failed.takes_its_transaction_along();
        if pinned || !evidence::ends_connection(failed.evidence) {
            return Attempt::Over(self.deliver(&failed.original, failed.code, Afterwards::lost_if(lost)));
        }
        let replayable =
            !statement.varies && self.state().session.transaction().is_some_and(|log| log.spoilt().is_none());
        let (own, since) = {
            let state = self.state();
            (state.peer, state.since)
        };
        let mut lent = BorrowedConnection::new(self, Need::Reads);
        endpoint.ask_resolver(&mut lent, Caller::Dials, self.now());
        let servers = in_order(endpoint.replicas(), own, failed.evidence);
        let deadline = self.deadline(attempts);
        let mut dials = |servers: &[SocketAddr]| {
            servers.iter().copied().find(|server| lent.dial_in_turn(*server, deadline).is_ok())
        };
        let found = dials(&servers).or_else(|| dials(&endpoint.other_replicas(&servers)));
        let Some(found) = found else {
            // A login may have succeeded before its connection broke: the session on it is empty.
            let lost = lost || lent.fresh && restore(self).is_err();
            return Attempt::Over(if lost {
                self.lose(failed)
            } else {
                self.deliver(&failed.original, failed.code, Afterwards::lost_if(lost))
            });
        };
        let healthy = own == Some(found) && !lent.restarted && !endpoint.was_unreachable_after(found, since);
        // The COMMIT of a transaction that only read: whether it was carried out makes no difference.
        let nothing_to_commit =
            Class::of(statement).is_commit && self.state().session.transaction().is_some_and(Log::has_only_read);
        let class = if nothing_to_commit { Class::of(&Statement::reading()) } else { Class::of(statement) };
        let in_transaction = failed.in_transaction && !nothing_to_commit;
        let session = Session { in_transaction, replayable, pinned: false, still_open: false };
        let incumbent = if healthy { Incumbent::Healthy } else { Incumbent::Replaced };
        let action = failed.decided.unwrap_or_else(|| {
            let action = verdict(failed.evidence, class, session, incumbent);
            self.once_per_death(failed.evidence, action, attempts.made())
        });
        failed.decided = Some(action);
        failed.gone = in_transaction;
        if action != Action::SurfaceLossStayLost && restore(self).is_err() {
            return Attempt::Over(self.lose(failed));
        }
        if !healthy {
            say!(Info, "{}: a connection moved to {found}, another replica", endpoint.name);
        }
        Attempt::Over(match action {
            Action::RunAgain if self.may_write_by_a_view(failed.evidence, statement) => {
                self.surface(failed, healthy, Afterwards::Good)
            }
            Action::RunAgain => {
                COUNTERS.reruns.count();
                Next::Send
            }
            Action::Replay => return self.replay_transaction(failed, statement, attempts, (&mut lent, None)),
            Action::Victim => self.victim(failed, "it cannot be replayed"),
            Action::SurfaceLossStayLost => self.surface(failed, healthy, Afterwards::Lost),
            _ => self.surface(failed, healthy, Afterwards::Good),
        })
    }
}

/// Which replicas are tried, and in which order; `named` begins with what DNS names now.
fn in_order(named: Vec<SocketAddr>, own: Option<SocketAddr>, evidence: Evidence) -> Vec<SocketAddr> {
    let Some(own) = own.filter(|own| named.is_empty() || named.contains(own)) else { return named };
    if evidence == Evidence::NotSent {
        // As a pool would that connects anew.
        return if named.is_empty() { vec![own] } else { named };
    }
    // A statement that was cut off: its server is asked first, since that may have been a KILL.
    let others = named.into_iter().filter(|server| *server != own);
    std::iter::once(own).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_decides_where_an_ended_connection_goes_and_its_own_replica_whether_a_statement_was_killed() {
        let [one, two, gone] = [1, 2, 3].map(|last| SocketAddr::from(([10, 0, 0, last], 3306)));
        for (own, evidence, order) in [
            (two, Evidence::NotSent, vec![one, two]),
            (two, Evidence::Unknown, vec![two, one]),
            (gone, Evidence::NotSent, vec![one, two]),
            (gone, Evidence::Unknown, vec![one, two]),
        ] {
            assert_eq!(in_order(vec![one, two], Some(own), evidence), order, "{own}, {evidence:?}");
        }
        assert_eq!(in_order(vec![], Some(two), Evidence::NotSent), [two], "DNS has not answered yet");
    }
}
