//! Before a statement is sent: is this still the server that the endpoint means, and is it still there?

use std::ffi::c_int;

use super::{
    attempts::Attempts,
    connection::State,
    ending::Afterwards,
    line::{Level, Protected},
    probe::{self, BorrowedConnection},
    rescue::Next,
    restore::restore,
    statement::{Returned, Rules},
};
use crate::{
    control::log::{Level::Warn, say},
    endpoint::{
        Pulse, Role,
        prober::{Need, Prober, Writability},
    },
    host::{exchange::Exchange, ticks},
    sql::{Statement, TransactionEffect},
    verdict::{Evidence, evidence, failure::Failure},
};

/// How a statement comes to be sent.
pub enum Start {
    /// At once, since everything is in order: in this exchange (`None` under TLS).
    AtOnce(Option<Exchange>),
    /// After a close look.
    Closely,
}

/// What is done with a statement that was looked at.
pub enum Ready {
    /// It is sent, in this exchange (`None` under TLS).
    Send(Option<Exchange>),
    /// It is not sent: the call returns this, and its error is on the connection.
    Told(c_int),
    /// The client library's own function finds out that the connection is lost, and writes its error where the application looks for
    /// it.
    LeftToTheLibrary,
}

/// What was decided before a statement is sent.
pub struct Look {
    pub attempts: Attempts,
    pub ready: Ready,
}

impl Look {
    /// Before the attempt that comes after so many.
    pub fn at(guest: &dyn Protected, statement: &Statement, mut attempts: Attempts) -> Self {
        let ready = match guest.before(statement, &mut attempts) {
            Next::Deliver(code) => Ready::Told(code),
            // A signal handler has forked in the middle: the connection is the parent's, who sends it.
            Next::Send if guest.endpoint().was_forked() => match guest.deliver(&server_gone(), 1, Afterwards::Good) {
                Next::Deliver(code) => Ready::Told(code),
                Next::Send => Ready::LeftToTheLibrary,
            },
            Next::Send => Ready::Send(guest.exchange(statement)),
        };
        Look { attempts, ready }
    }

    /// What the real call returned, and after how many attempts; or what the application gets.
    pub fn carry_out(self, real: impl Fn() -> c_int) -> Result<(Returned, Attempts), c_int> {
        match self.ready {
            Ready::Send(exchange) => Ok((Returned::from(real(), exchange), self.attempts)),
            Ready::Told(code) => Err(code),
            Ready::LeftToTheLibrary => Err(real()),
        }
    }
}

/// What the state says of a statement that is about to be sent.
#[derive(Clone, Copy)]
pub struct Usual {
    pulse: Pulse,
    as_before: bool,
    no_look: bool,
}

impl Usual {
    /// Is everything as it was when the statement before was sent? Then this one is sent without further ado: the usual case,
    /// which must cost next to nothing. When in doubt it says no, and `before` looks closely. The rest is asked once the state is
    /// not locked any more (`is_in_order`).
    #[inline]
    pub fn of<P: Protected>(guest: &P, state: &State, statement: &Statement) -> Self {
        let pulse = guest.endpoint().pulse();
        let as_before = state.idle() && !state.ask_next && !state.waits_for_replays && state.pulse == pulse;
        let in_transaction = guest.status_in_transaction() || state.session.transaction().is_some();
        Usual { pulse, as_before, no_look: needs_no_look(statement, in_transaction, state.answered) }
    }

    #[inline]
    pub fn is_in_order<P: Protected>(self, guest: &P, statement: &Statement) -> bool {
        self.as_before
            && !statement.uses_previous
            && !guest.more_results()
            && guest.endpoint().is_calm(self.pulse)
            && (self.no_look || !guest.has_ended())
    }
}

/// Is the statement sent without a look at its connection? What a server has done since its last answer a moment ago is
/// usually still on its way. Not always, as this thread may have been woken late for that answer: so it has to be a statement
/// that is run again if it is lost.
fn needs_no_look(statement: &Statement, in_transaction: bool, answered: u64) -> bool {
    statement.only_reads && !in_transaction && ticks::are_few_since(answered)
}

/// What the library would have said of a connection found dead before sending.
pub fn server_gone() -> Failure {
    Failure::new(evidence::SERVER_GONE, b"HY000", "MySQL server has gone away")
}

/// What one statement outside of a transaction needs.
fn need(statement: &Statement) -> Need {
    let opens = statement.transaction == TransactionEffect::Begin && statement.session.is_empty();
    match () {
        () if opens => Need::Begins,
        () if statement.only_reads => Need::Reads,
        () if statement.atomic => Need::Attempt,
        () => Need::Writer,
    }
}

impl dyn Protected + '_ {
    /// Before a statement is sent: is this still the server that the endpoint means, and is it still there?
    pub fn before(&self, statement: &Statement, attempts: &mut Attempts) -> Next {
        let endpoint = self.endpoint();
        if self.level() == Level::Observe || !self.idle() {
            return Next::Send;
        }
        self.give_way(statement);
        if statement.uses_previous && self.misses(statement) {
            say!(
                Warn,
                "{}: a statement asks for what the one before it left (LAST_INSERT_ID(), ROW_COUNT(), …) on a connection \
                 that has moved since; the connection is reported lost",
                endpoint.name
            );
            return self.deliver(&server_gone(), 1, Afterwards::Lost);
        }
        if endpoint.role() == Role::Unknown
            && !statement.uses_previous
            && !statement.command
            && !self.in_transaction()
            && std::mem::take(&mut self.state().ask_next)
            && probe::ask(self) == Writability::Writable
            && let Some(peer) = { self.state().peer }
        {
            endpoint.seen_writable(peer);
            self.learn_spacing();
        }
        if endpoint.role() == Role::Unknown {
            return Next::Send;
        }
        if self.hung_up() {
            // Found dead before sending: it was not sent. The error is what the library would have said.
            self.set_failure(&server_gone());
            return self.rescue(Evidence::NotSent, statement, attempts, 1);
        }
        if endpoint.role() == Role::Reader {
            return Next::Send;
        }
        if !statement.uses_previous
            && !statement.command
            && !self.state().session.awaits_transaction()
            && endpoint.topology_is_due()
            && !self.in_transaction()
            && self.state().session.pinned().is_none()
        {
            endpoint.on_topology(probe::read_topology(self));
        }
        let pulse = endpoint.pulse();
        if self.state().pulse == pulse && !pulse.unsettled() && !pulse.circuit_open() {
            return Next::Send;
        }
        // Reads of a pinned session or an open transaction go on where they are; so does a statement that asks for
        // what the one before it left on this very connection.
        if self.in_transaction() || self.state().session.pinned().is_some() || statement.uses_previous {
            return Next::Send;
        }
        if self.stays_where_it_is() {
            return Next::Send;
        }
        // With the circuit open nothing waits: it is one look, at most once a second.
        let must_ask = pulse.circuit_open() || pulse.unsettled() && endpoint.asks_before_sending();
        // One lock after the other: the endpoint's comes before a handle's.
        let peer = self.state().peer;
        let elsewhere = !pulse.circuit_open() && peer != endpoint.incumbent();
        if must_ask || elsewhere || !pulse.circuit_open() && self.leads_to_a_former_writer() {
            let need = need(statement);
            // The incumbent is read-only, and no other server is named: this statement needs no writer.
            return if endpoint.goes_on(peer, need) { Next::Send } else { self.follow(must_ask, need, attempts) };
        } else if !pulse.unsettled() {
            endpoint.after_replays();
            self.state().pulse = pulse;
        }
        Next::Send
    }

    /// New connections to the incumbent's address reach another server than old ones. Has this connection, which is an old one,
    /// to be opened anew? It asks its own server, so that it waits for no other connection.
    fn leads_to_a_former_writer(&self) -> bool {
        let (server, since) = {
            let state = self.state();
            (state.server, state.since)
        };
        self.endpoint().may_lead_to_another(server, since)
            && matches!(probe::ask(self), Writability::ReadOnly | Writability::Unfit | Writability::Lost)
    }

    /// Lets the replays of others go first, where the statement might take an id that one of them has been told. A commit takes
    /// none, and what comes behind it still may.
    pub fn give_way(&self, statement: &Statement) {
        if !self.state().waits_for_replays
            || statement.commits()
            || statement.only_reads && self.endpoint().expects_replays()
        {
            return;
        }
        self.endpoint().after_replays();
        self.state().waits_for_replays = false;
    }

    /// The statement asks for what was left on another connection.
    pub(super) fn misses(&self, statement: &Statement) -> bool {
        if self.state().session.misses_id(statement) && probe::has_insert_id(self) {
            self.state().session.on_id();
        }
        let in_doubt = self.state().session.in_doubt(statement);
        let warnings = self.warning_count();
        self.state().session.misses(statement, warnings)
            || in_doubt.iter().any(|question| !question.as_ref().is_some_and(|it| probe::was_left(self, it)))
    }

    /// Moves an idle connection to where the endpoint's writer is now, if there is one.
    pub(super) fn follow(&self, ask: bool, need: Need, attempts: &mut Attempts) -> Next {
        let endpoint = self.endpoint();
        let mut lent = BorrowedConnection::new(self, need);
        let target = endpoint.incumbent_to_dial().filter(|_| !ask);
        let there = match target {
            Some(target) if lent.dial_in_turn(target, self.deadline(attempts)).is_ok() => true,
            // An answer about this login, or about the room for it, says nothing of the writer.
            Some(_) if lent.refusal().is_some() => self.writer(&mut lent, self.deadline(attempts)).is_some(),
            Some(_) => {
                endpoint.suspect(endpoint.pulse().generation());
                self.writer(&mut lent, self.deadline(attempts)).is_some()
            }
            None => self.writer(&mut lent, self.deadline(attempts)).is_some(),
        };
        if endpoint.was_forked() {
            // On the parent's connection, which is left as it is (`Look::at`).
            return Next::Send;
        }
        if lent.fresh
            && let Err(failure) = restore(self)
        {
            say!(
                Warn,
                "{}: the session could not be restored (error {}); the connection is reported lost",
                endpoint.name,
                failure.number
            );
            // Not sent: it would run in a session that the application did not set up.
            return self.deliver(&server_gone(), 1, Afterwards::Lost);
        }
        // With the circuit open a server that has no room is one that has been waited for.
        let given_up = endpoint.circuit_open() && !lent.is_refused();
        if !there && !given_up && self.is_turned_away(&lent) {
            return self.deliver(&server_gone(), 1, Afterwards::Lost);
        }
        if there {
            self.learn_spacing();
            endpoint.after_replays();
            self.has_come();
        }
        Next::Send
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sql::{Dialect, classify},
        verdict::{Action, Class, Incumbent, Session, verdict},
    };

    #[test]
    fn what_is_sent_without_a_look_is_run_again_if_it_is_lost_with_its_server() {
        for text in [
            "SELECT 1",
            "BEGIN",
            "COMMIT",
            "INSERT INTO t VALUES (1)",
            "SELECT f()",
            "SELECT 1; DELETE FROM t",
            "CALL p()",
        ] {
            let statement = classify(text.as_bytes(), Dialect::default());
            for in_transaction in [false, true] {
                let session = Session { in_transaction, replayable: false, pinned: false, still_open: false };
                let lost = verdict(Evidence::Unknown, Class::of(&statement), session, Incumbent::Replaced);
                // This thread may lose its core in between, but not each time.
                let without = (0..1000).any(|_| needs_no_look(&statement, in_transaction, ticks::now()));
                assert_eq!(without, lost == Action::RunAgain, "{text}, in a transaction: {in_transaction}");
                assert!(!needs_no_look(&statement, in_transaction, 0), "long after the last answer");
            }
        }
    }
}
