//! Carrying out a verdict on a handle: find the writer, move there, restore, run again, or say why not.

use std::{
    ffi::c_int,
    time::{Duration, Instant},
};

use super::{
    handle::Guest,
    layout::{native::Failure, sys::SERVER_STATUS_IN_TRANS},
    look::server_gone,
    probe::Lent,
    replay::{self, Unreplayed},
    state::Pending,
};
use crate::{
    control::{
        config,
        counters::COUNTERS,
        log::{Level::*, say},
        option::{Mode, VictimError},
    },
    endpoint::{
        Role,
        prober::{Need, Prober, Undialled, Writability},
        search::Found,
        turn::Replaying,
    },
    evidence,
    sql::Statement,
    verdict::{Action, Class, Evidence, Incumbent, Session, verdict},
};

/// What happens next to the application's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Make the real call (again).
    Send,
    /// The call ends with this return value; the handle carries the error.
    Deliver(c_int),
}

/// How often one statement may be rescued: a server that says writable and refuses all the same ends it.
const ATTEMPTS: u32 = 4;
/// How long, times the attempt, a server is given that refuses writes and says that it is writable.
const JUST_REFUSED: Duration = Duration::from_millis(20);
/// How often a verified writer may not be reached, or have no room, before the search is given up.
const DIALS: u32 = 5;
/// Before a server that has no room for this login is asked again.
const FULL: Duration = Duration::from_secs(1);

/// What the library would have said of a connection that ended in the middle.
fn server_lost() -> Failure {
    Failure::new(evidence::SERVER_LOST, b"HY000", "Lost connection to server during query")
}

/// A failure that is being rescued: what the application gets if it has to get it.
pub(super) struct Fallen {
    pub evidence: Evidence,
    pub original: Failure,
    pub in_transaction: bool,
    is_commit: bool,
    /// What the call returns then.
    pub code: c_int,
}

impl Fallen {
    /// A transaction goes down with its connection; it must not come back by a later rescue.
    pub(super) fn takes_its_transaction_along(&self) -> bool {
        self.in_transaction && evidence::ends_connection(self.evidence)
    }

    /// A definite rollback, of which an ERR packet does not tell.
    fn is_refused_commit(&self) -> bool {
        self.is_commit && self.evidence == Evidence::ReadOnly
    }
}

impl Guest {
    /// The statement failed with this evidence. `code`: what the application gets if it has to get the error.
    pub fn rescue(&self, evidence: Evidence, statement: &Statement, attempts: &mut u32, code: c_int) -> Next {
        let endpoint = self.endpoint();
        if config().mode == Mode::Observe {
            return Next::Deliver(code);
        }
        self.settle(&mut self.state());
        let original = self.native.failure();
        if endpoint.role() == Role::Unknown && evidence == Evidence::ReadOnly {
            self.look_where_dns_leads(&original);
        }
        let class = Class::of(statement);
        let in_transaction = self.in_transaction();
        if evidence::ends_connection(evidence) && statement.rolls_back() {
            self.state().session.to_be_rolled_back();
        }
        let fallen = Fallen { evidence, original, in_transaction, is_commit: class.is_commit, code };
        *attempts += 1;
        if endpoint.role() == Role::Reader && *attempts <= ATTEMPTS {
            return self.another_replica(fallen, statement, attempts);
        }
        if endpoint.role() != Role::Writer || *attempts > ATTEMPTS {
            return self.deliver(&fallen.original, code, fallen.takes_its_transaction_along());
        }
        let (pinned, replayable, generation, peer) = {
            let state = self.state();
            let log = state.session.transaction();
            let replayable = log.is_some_and(|log| log.spoilt().is_none());
            let replayable = replayable && !statement.varies;
            // What the statement before it left can be had again only by replaying that one too.
            let again = replayable && !statement.uses_outcome && state.session.claims_ids();
            let alone = statement.uses_previous && !again;
            let pinned = state.session.pinned().or(alone.then_some("what the statement before this one left"));
            (pinned, replayable, state.pulse.generation(), (state.peer, state.since))
        };
        let session = Session { in_transaction, replayable, pinned: pinned.is_some() };
        if evidence == Evidence::ReadOnly {
            endpoint.on_refused_write(generation);
        }
        endpoint.suspect(generation);

        if let Some(pin) = pinned {
            let action = verdict(evidence, class, session, Incumbent::Replaced);
            if action == Action::PassOn {
                return Next::Deliver(code);
            }
            COUNTERS.pinned.count();
            say!(
                Warn,
                "{}: error {} reaches the application and its connection is reported lost: the session is pinned by \
                 {pin}, which no other server has",
                endpoint.name,
                fallen.original.number
            );
            return self.deliver(&fallen.original, code, true);
        }

        // Before the search: whoever finds the writer first must already know who has ids to claim on it.
        let claims_ids = self.state().session.claims_ids();
        let turn = claims_ids.then(|| endpoint.replay_begins());
        let need = match () {
            () if in_transaction || evidence == Evidence::ReadOnly => Need::Writer,
            () if class.only_reads => Need::Reads,
            () if class.atomic => Need::Attempt,
            () => Need::Writer,
        };
        let mut lent = Lent::new(self, need);
        let Some(found) = self.writer(&mut lent, self.deadline()) else {
            return self.give_up(&lent, &fallen);
        };
        let (peer, since) = peer;
        let gone = endpoint.was_unreachable_after(found.address, since);
        let healthy = peer == Some(found.address) && !lent.restarted && !gone && found.writable;
        if healthy && evidence == Evidence::ReadOnly {
            // A server that is just being made read-only refuses writes a moment before it says so.
            endpoint.wait_for_news(JUST_REFUSED * *attempts);
        }
        let incumbent = if healthy { Incumbent::Healthy } else { Incumbent::Replaced };
        let action = self.once_per_death(&fallen, verdict(evidence, class, session, incumbent), *attempts);
        if !lent.fresh && session.in_transaction && matches!(action, Action::Replay | Action::Victim) {
            // Still open on the server: it refused one statement only.
            let _ = self.native.query(b"ROLLBACK");
        }
        if lent.fresh
            && action != Action::SurfaceLossStayLost
            && let Err(failure) = replay::restore(self)
        {
            say!(
                Warn,
                "{}: the session could not be restored on {} (error {}); the connection is reported lost",
                endpoint.name,
                found.address,
                failure.number
            );
            return self.deliver(&fallen.original, code, true);
        }
        self.state().pulse = endpoint.pulse();
        match action {
            Action::RunAgain => {
                drop(turn);
                endpoint.after_replays();
                COUNTERS.reruns.count();
                say!(Debug, "{}: runs again on {}: a statement that was not executed", endpoint.name, found.address);
                Next::Send
            }
            Action::Replay => self.replay_transaction(&fallen, statement, attempts, turn),
            // What the application does next would take the ids that others are about to claim.
            Action::Victim => {
                drop(turn);
                endpoint.after_replays();
                self.victim(&fallen, "it cannot be replayed")
            }
            Action::SurfaceLoss => {
                drop(turn);
                endpoint.after_replays();
                self.surface(fallen, healthy, false)
            }
            Action::SurfaceLossStayLost => self.surface(fallen, healthy, true),
            Action::PassOn | Action::PassOnThenLost => self.deliver(&fallen.original, code, false),
        }
    }

    /// A write was refused on an endpoint that was never seen writable: a genuine replica, or a process that started
    /// in the middle of a switchover. If DNS leads elsewhere by now, that server is asked, once; nothing is held.
    fn look_where_dns_leads(&self, original: &Failure) {
        let endpoint = self.endpoint();
        let peer = self.state().peer;
        let Some(elsewhere) = endpoint.named_other_than(peer) else { return };
        let movable = !self.in_transaction() && self.state().session.pinned().is_none();
        if !movable || self.state().looked_at.replace(elsewhere) == Some(elsewhere) {
            return;
        }
        let mut lent = Lent::new(self, Need::Writer);
        if lent.dial(elsewhere).is_ok() {
            let writable = lent.ask() == Writability::Writable;
            if replay::restore(self).is_err() {
                self.condemn();
            } else if writable {
                endpoint.seen_writable(elsewhere);
                self.state().pulse = endpoint.pulse();
            }
        }
        self.native.set_failure(original);
    }

    /// Finds the writer and sees to it that this handle is connected to it.
    pub fn writer(&self, lent: &mut Lent<'_>, deadline: Option<Instant>) -> Option<Found> {
        let endpoint = self.endpoint();
        for _ in 0..DIALS {
            let found = endpoint.find_writer(lent, deadline)?;
            if lent.address() == Some(found.address) {
                return Some(found);
            }
            match lent.dial_in_turn(found.address, deadline) {
                Ok(()) => return Some(found),
                // No other attempt of this login would be answered otherwise.
                Err(Undialled::Refused(_)) => return None,
                Err(why @ Undialled::NotNow(_)) => {
                    say!(Info, "{}: {} {why}", endpoint.name, found.address);
                    let left = deadline.map_or(FULL, |deadline| deadline.saturating_duration_since(Instant::now()));
                    if left.is_zero() {
                        return None;
                    }
                    endpoint.wait_for_news(left.min(FULL));
                }
                Err(why) => {
                    say!(Info, "{}: {} {why}", endpoint.name, found.address);
                    endpoint.suspect(found.generation);
                }
            }
        }
        None
    }

    /// Has the writer, or the server that may become it, refused this login, or is there no room for it? Then the connection
    /// is of no more use, since the server that it is connected to is not the writer: the application has to log in anew.
    pub(super) fn is_turned_away(&self, lent: &Lent<'_>) -> bool {
        let Some((server, why)) = lent.refusal() else { return false };
        say!(Info, "{}: {server} {why}; the connection is reported lost", self.endpoint().name);
        true
    }

    /// A read that was cut off by the death of its server may be what killed it: it is run again once, and reaches no third
    /// server.
    pub(super) fn once_per_death(&self, fallen: &Fallen, action: Action, attempts: u32) -> Action {
        let cut_off = fallen.evidence == Evidence::Unknown && action == Action::RunAgain;
        let mut state = self.state();
        if attempts == 1 {
            state.cut_off = false;
        }
        let again = cut_off && std::mem::replace(&mut state.cut_off, true);
        if again { Action::SurfaceLoss } else { action }
    }

    /// The loss reaches the application; with `lost` the connection stays lost.
    pub(super) fn surface(&self, fallen: Fallen, healthy: bool, lost: bool) -> Next {
        COUNTERS.surfaced.count();
        let number = fallen.original.number;
        let loss = if evidence::is_loss(number) && number != evidence::TLS_BROKEN {
            fallen.original
        } else {
            // CALL and the like, refused half-way: no statement-level error may suggest that nothing was done.
            // TLS that broke: frameworks know 2013 as "connection lost", and 2026 as a bad certificate.
            server_lost()
        };
        let why = if healthy {
            "its server is healthy, so the connection was ended on purpose"
        } else {
            "whether the statement was executed is unknown, so it is not run again"
        };
        say!(Warn, "{}: error {} reaches the application: {why}", self.endpoint().name, loss.number);
        self.state().session.transaction_gone();
        self.deliver(&loss, fallen.code, lost)
    }

    /// No writer in time: the application gets its original error.
    fn give_up(&self, lent: &Lent<'_>, fallen: &Fallen) -> Next {
        COUNTERS.surfaced.count();
        if fallen.is_refused_commit() {
            self.transaction_gone();
        }
        // The search may have left the handle on another server: a transaction that was open is gone then.
        let open = fallen.in_transaction && !fallen.is_refused_commit();
        if self.is_turned_away(lent) {
            let told = if evidence::is_loss(fallen.original.number) { fallen.original.clone() } else { server_gone() };
            return self.deliver(&told, fallen.code, true);
        }
        let lost = fallen.takes_its_transaction_along() || lent.fresh && (open || replay::restore(self).is_err());
        self.deliver(&fallen.original, fallen.code, lost)
    }

    /// `turn`: others wait for it.
    pub(super) fn replay_transaction(
        &self,
        fallen: &Fallen,
        statement: &Statement,
        attempts: &mut u32,
        turn: Option<Replaying<'_>>,
    ) -> Next {
        let entries = self.state().session.transaction().map(|log| log.entries().to_vec()).unwrap_or_default();
        if !self.state().session.claims_ids() {
            self.endpoint().after_replays();
        }
        let replayed = replay::replay(self, &entries);
        drop(turn);
        // What comes next is a transaction of its own, unless this one goes on.
        self.state().gives_way = true;
        match replayed {
            // Its ids were explicit ones, and LAST_INSERT_ID() is of before the transaction.
            Ok(()) if self.misses(statement) => {
                let _ = self.native.query(b"ROLLBACK");
                self.victim(fallen, "it asks for an id that was generated before it")
            }
            Ok(()) => {
                COUNTERS.replays.count();
                say!(Debug, "{}: a transaction of {} statements was replayed", self.endpoint().name, entries.len());
                self.give_way(statement);
                Next::Send
            }
            // Refused or lost in the middle: nothing of it is left, and it is still ours to replay elsewhere.
            Err(Unreplayed::Evidence(evidence)) => self.rescue(evidence, statement, attempts, fallen.code),
            Err(Unreplayed::Different(why)) => self.victim(fallen, &why),
        }
    }

    pub(super) fn victim(&self, fallen: &Fallen, why: &str) -> Next {
        COUNTERS.victims.count();
        let failure = match config().victim_error {
            VictimError::Deadlock => Failure::new(
                evidence::LOCK_DEADLOCK,
                b"40001",
                "Deadlock found when trying to get lock; try restarting transaction (the server changed)",
            ),
            VictimError::ServerLost => server_lost(),
            VictimError::Original => fallen.original.clone(),
        };
        say!(
            Warn,
            "{}: a transaction is gone with its server ({why}); error {} reaches the application",
            self.endpoint().name,
            failure.number
        );
        self.transaction_gone();
        let gone = self.native.hung_up();
        self.deliver(&failure, fallen.code, gone)
    }

    /// No transaction is open any more, whatever the stale flag says.
    pub(super) fn transaction_gone(&self) {
        self.state().session.transaction_gone();
        self.native.set_server_status(self.native.server_status() & !SERVER_STATUS_IN_TRANS);
    }

    /// Ends the call with `failure` on the handle; `lost`: the connection is given up with it.
    pub fn deliver(&self, failure: &Failure, code: c_int, lost: bool) -> Next {
        if lost {
            self.condemn();
        }
        {
            let mut state = self.state();
            state.result = Pending::None;
            state.sent = None;
        }
        self.native.set_failure(failure);
        Next::Deliver(code)
    }
}
