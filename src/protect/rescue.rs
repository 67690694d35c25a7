//! Carrying out a verdict on a handle: find the writer, move there, restore, run again, or say why not.

use std::{ffi::c_int, time::Duration};

use super::{
    attempts::Attempts,
    ending::Afterwards,
    line::{Level, Protected},
    look::server_gone,
    probe::BorrowedConnection,
    replay::{self, Unreplayed},
    restore::restore,
    statement::Rules,
};
use crate::{
    control::{
        counters::COUNTERS,
        log::{
            Level::{Debug, Warn},
            say,
        },
    },
    endpoint::{Role, prober::Need, spacing::Spacing, turn::Replaying},
    session::reasons::PinReason,
    sql::Statement,
    verdict::{Action, Class, Evidence, Incumbent, Session, evidence, failure::Failure, verdict},
};

/// What happens next to the application's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Make the real call (again).
    Send,
    /// The call ends with this return value; the handle carries the error.
    Deliver(c_int),
}

/// How long, times the attempt, a server is given that refuses writes and says that it is writable.
const JUST_REFUSED: Duration = Duration::from_millis(20);

/// A failure that is being rescued: what the application gets if it has to get it. It stays what is judged, however often
/// an attempt to mend it fails in its turn.
pub struct FailedStatement {
    pub evidence: Evidence,
    pub original: Failure,
    pub in_transaction: bool,
    is_commit: bool,
    /// What the call returns then.
    pub code: c_int,
    /// What an earlier attempt has set out to do, and could not, because its server was refused or lost in its turn.
    pub decided: Option<Action>,
    /// What became of that attempt.
    pub latest: Evidence,
    /// The transaction is not open any more: it was rolled back, or its connection was replaced.
    pub gone: bool,
    /// How far apart ids were generated in it, if that matters and is known.
    spacing: Option<Spacing>,
}

/// What has come of one attempt.
pub(super) enum Attempt {
    Over(Next),
    /// A server that was verified before was refused or lost in the middle.
    Again(Evidence),
}

impl FailedStatement {
    /// A transaction goes down with its connection; it must not come back by a later rescue.
    pub(super) fn takes_its_transaction_along(&self) -> bool {
        self.in_transaction && (self.gone || evidence::ends_connection(self.evidence))
    }

    /// A definite rollback, of which an ERR packet does not tell.
    fn is_refused_commit(&self) -> bool {
        self.is_commit && self.evidence == Evidence::ReadOnly
    }
}

impl dyn Protected + '_ {
    /// The statement failed with this evidence. `code`: what the application gets if it has to get the error.
    pub fn rescue(&self, evidence: Evidence, statement: &Statement, attempts: &mut Attempts, code: c_int) -> Next {
        let original = self.failure();
        let next = self.rescue_here(evidence, statement, attempts, code);
        // A signal handler has forked in the middle: the parent goes on with the call.
        if next == Next::Send && !self.endpoint().is_of_this_process() {
            return self.deliver(&original, code, Afterwards::Good);
        }
        next
    }

    fn rescue_here(&self, evidence: Evidence, statement: &Statement, attempts: &mut Attempts, code: c_int) -> Next {
        let endpoint = self.endpoint();
        // In a child whose parent is in this call, and goes on with it, the connection is the parent's.
        if self.level() == Level::Observe || !endpoint.is_of_this_process() {
            return Next::Deliver(code);
        }
        self.settle_rows();
        let original = self.failure();
        if endpoint.role() == Role::Unknown && evidence == Evidence::ReadOnly {
            self.look_where_dns_leads(&original);
            // In a forked child that connects for the first time, by several threads at once, in the middle of a switchover.
            endpoint.fall_back_on_inheritance();
        }
        let class = Class::of(statement);
        let in_transaction = self.in_transaction();
        if evidence::ends_connection(evidence) && statement.rolls_back() {
            self.state().session.to_be_rolled_back();
        }
        let peer = self.state().peer;
        let mut failed = FailedStatement {
            evidence,
            original,
            in_transaction,
            is_commit: class.is_commit,
            code,
            decided: None,
            latest: evidence,
            gone: false,
            spacing: self.spacing_before(peer, evidence.is_refusal()),
        };
        loop {
            let late = !attempts.begin(self.now()) || failed.decided.is_some() && self.time_left(attempts).is_zero();
            if late || endpoint.role() == Role::Unknown {
                return self.end_in_vain(&failed);
            }
            let attempt = match endpoint.role() {
                Role::Reader => self.another_replica(&mut failed, statement, attempts),
                _ => self.find_and_mend(&mut failed, statement, attempts),
            };
            match attempt {
                Attempt::Over(next) => return next,
                Attempt::Again(evidence) => failed.latest = evidence,
            }
        }
    }

    /// Everything was tried that may be, or nothing is to be tried.
    fn end_in_vain(&self, failed: &FailedStatement) -> Next {
        if failed.gone {
            return self.victim(failed, "its replay was refused again and again");
        }
        if failed.is_refused_commit() {
            self.transaction_gone();
            return self.deliver(&failed.original, failed.code, Afterwards::Good);
        }
        let lost = failed.takes_its_transaction_along();
        self.deliver(&failed.original, failed.code, Afterwards::lost_if(lost))
    }

    /// One attempt on a writer's endpoint.
    fn find_and_mend(&self, failed: &mut FailedStatement, statement: &Statement, attempts: &mut Attempts) -> Attempt {
        let endpoint = self.endpoint();
        let class = Class::of(statement);
        let (pinned, replayable, generation, (peer, since)) = {
            let state = self.state();
            let log = state.session.transaction();
            let replayable = log.is_some_and(|log| log.spoilt().is_none());
            let replayable = replayable && !statement.varies;
            // What the statement before it left can be had again only by replaying that one too.
            let again = replayable && !statement.uses_outcome && state.session.claims_ids();
            let alone = statement.uses_previous && !again;
            let pinned = state.session.pinned().or(alone.then_some(PinReason::PreviousOutcome));
            (pinned, replayable, state.pulse.generation(), (state.peer, state.since))
        };
        if failed.latest == Evidence::ReadOnly {
            endpoint.on_refused_write(generation);
        }
        if failed.latest.is_refusal()
            && let Some(server) = peer
        {
            endpoint.on_said_unfit(server);
        }
        endpoint.suspect(generation);

        if let Some(pin) = pinned {
            return Attempt::Over(self.stay_pinned(failed, statement, attempts, pin));
        }

        // Before the search: the thread that finds the writer first must already know who has ids to claim on it.
        let claims_ids = self.state().session.claims_ids();
        let turn = claims_ids.then(|| endpoint.replay_begins());
        let need = match () {
            () if failed.in_transaction || failed.evidence.is_refusal() => Need::Writer,
            () if class.only_reads => Need::Reads,
            () if class.atomic => Need::Attempt,
            () => Need::Writer,
        };
        let mut lent = BorrowedConnection::new(self, need);
        let deadline = match failed.decided {
            None if !attempts.have_waited(self.now()) => self.deadline(attempts),
            _ => Some(self.end(attempts)),
        };
        let Some(found) = self.writer(&mut lent, deadline) else {
            return Attempt::Over(self.give_up(&lent, failed));
        };
        let gone = endpoint.was_unreachable_after(found.address, since);
        let same = peer == Some(found.address) && !lent.restarted && !lent.is_on_another_server();
        let healthy = same && !gone && found.writable;
        if healthy && failed.latest.is_refusal() {
            // A server that is just being made read-only refuses writes a moment before it says so.
            endpoint.wait_for_news(JUST_REFUSED * attempts.made());
        }
        let incumbent = if healthy { Incumbent::Healthy } else { Incumbent::Replaced };
        let action = match failed.decided {
            // A replay that was cut off on a healthy server: a KILL of a replay is a KILL.
            Some(Action::Replay) if healthy && evidence::ends_connection(failed.latest) => Action::Victim,
            Some(action) => action,
            None => {
                let refused = failed.evidence.is_refusal() && failed.in_transaction && !lent.fresh;
                let still_open = refused && self.transaction_is_open();
                let session = Session { in_transaction: failed.in_transaction, replayable, pinned: false, still_open };
                let action = verdict(failed.evidence, class, session, incumbent);
                self.once_per_death(failed.evidence, action, attempts.made())
            }
        };
        failed.decided = Some(action);
        if failed.in_transaction && matches!(action, Action::Replay | Action::Victim) {
            // Still open on the server, which refused one statement only. If it cannot be rolled back, it goes with
            // its connection.
            if !lent.fresh && !failed.gone && self.query(b"ROLLBACK").is_err() {
                self.end_connection();
            }
            failed.gone = true;
        }
        if lent.fresh
            && action != Action::SurfaceLossStayLost
            && let Err(failure) = restore(self)
        {
            if let Some(evidence) = evidence::of_error(failure.number, &failure.text) {
                self.end_connection();
                return Attempt::Again(evidence);
            }
            say!(
                Warn,
                "{}: the session could not be restored on {} (error {}); the connection is reported lost",
                endpoint.name,
                found.address,
                failure.number
            );
            return Attempt::Over(self.lose(failed));
        }
        self.has_come();
        if lent.fresh && action != Action::SurfaceLossStayLost {
            self.learn_spacing();
        }
        Attempt::Over(match action {
            Action::RunAgain if self.may_write_by_a_view(failed.evidence, statement) => {
                drop(turn);
                endpoint.after_replays();
                self.surface(failed, healthy, Afterwards::Good)
            }
            Action::RunAgain => {
                drop(turn);
                endpoint.after_replays();
                COUNTERS.reruns.count();
                say!(Debug, "{}: runs again on {}: a statement that was not executed", endpoint.name, found.address);
                Next::Send
            }
            Action::Replay => return self.replay_transaction(failed, statement, attempts, (&mut lent, turn)),
            // What the application does next would take the ids that others are about to claim.
            Action::Victim => {
                drop(turn);
                endpoint.after_replays();
                self.victim(failed, "it cannot be replayed")
            }
            Action::SurfaceLoss => {
                drop(turn);
                endpoint.after_replays();
                self.surface(failed, healthy, Afterwards::Good)
            }
            Action::SurfaceLossStayLost => self.surface(failed, healthy, Afterwards::Lost),
            // The verdict on a pinned session alone, which is not here.
            Action::PassOn | Action::PassOnThenLost => self.deliver(&failed.original, failed.code, Afterwards::Good),
        })
    }

    /// Is the transaction still open on this connection? Asked of the server, since neither an error nor a failed
    /// reconnect leaves the flag as it was.
    pub(super) fn transaction_is_open(&self) -> bool {
        self.state().session.on_question();
        self.query(b"DO 0").is_ok() && self.status_in_transaction()
    }

    /// A read that was cut off by the death of its server may be what killed it: it is run again once, and reaches no third
    /// server.
    pub(super) fn once_per_death(&self, evidence: Evidence, action: Action, attempts: u32) -> Action {
        let cut_off = evidence == Evidence::Unknown && action == Action::RunAgain;
        let mut state = self.state();
        if attempts == 1 {
            state.cut_off = false;
        }
        let again = cut_off && std::mem::replace(&mut state.cut_off, true);
        if again { Action::SurfaceLoss } else { action }
    }

    /// No writer in time: the application gets its original error.
    fn give_up(&self, lent: &BorrowedConnection<'_>, failed: &FailedStatement) -> Next {
        COUNTERS.surfaced.count();
        if failed.is_refused_commit() {
            self.transaction_gone();
        }
        // The search may have left the handle on another server: a transaction that was open is gone then.
        let open = failed.in_transaction && !failed.is_refused_commit();
        if self.is_turned_away(lent) {
            let told = if evidence::is_loss(failed.original.number) { failed.original.clone() } else { server_gone() };
            return self.deliver(&told, failed.code, Afterwards::Lost);
        }
        if failed.gone || open && lent.fresh {
            return match lent.fresh && restore(self).is_err() {
                true => self.lose(failed),
                false => self.victim(failed, "there was no writer in time"),
            };
        }
        let lost = failed.takes_its_transaction_along() || lent.fresh && restore(self).is_err();
        self.deliver(&failed.original, failed.code, Afterwards::lost_if(lost))
    }

    /// `turn`: others wait for it.
    pub(super) fn replay_transaction(
        &self,
        failed: &mut FailedStatement,
        statement: &Statement,
        attempts: &mut Attempts,
        (lent, turn): (&mut BorrowedConnection<'_>, Option<Replaying<'_>>),
    ) -> Attempt {
        let entries = self.state().session.transaction().map(|log| log.entries().to_vec()).unwrap_or_default();
        if !self.state().session.claims_ids() {
            self.endpoint().after_replays();
        }
        failed.gone = true;
        // It may wait for another transaction's lock, for longer than the application does.
        let (peer, fd) = ({ self.state().peer }, self.fd());
        let left = self.time_left(attempts);
        let work = peer.map(|server| self.endpoint().working(server, fd, left));
        let replayed = match self.spacing_differs(failed) {
            true => Err(Unreplayed::Different("ids of several rows would be otherwise apart".to_owned())),
            false => replay::replay(self, lent, &entries),
        };
        drop(work);
        drop(turn);
        // What comes next is a transaction of its own, unless this one goes on.
        self.state().waits_for_replays = true;
        Attempt::Over(match replayed {
            // Its ids were explicit ones, and LAST_INSERT_ID() is of before the transaction.
            Ok(()) if self.misses(statement) => {
                if self.query(b"ROLLBACK").is_err() {
                    self.end_connection();
                }
                self.victim(failed, "it asks for an id that was generated before it")
            }
            Ok(()) => {
                COUNTERS.replays.count();
                say!(Debug, "{}: a transaction of {} statements was replayed", self.endpoint().name, entries.len());
                self.give_way(statement);
                Next::Send
            }
            // Nothing of it is left, and it is still ours to replay elsewhere.
            Err(Unreplayed::Refused(evidence)) => return Attempt::Again(evidence),
            Err(Unreplayed::Different(why)) => self.victim(failed, &why),
        })
    }

    /// Several rows of one statement would have other ids than the application reckons, or may have.
    fn spacing_differs(&self, failed: &FailedStatement) -> bool {
        let concerned = self.state().session.transaction().is_some_and(|log| log.has_several_ids_at_once());
        let same = |before: Spacing| self.spacing().is_some_and(|now| now.is_as(before));
        concerned && !failed.spacing.is_some_and(same)
    }
}
