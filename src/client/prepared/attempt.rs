//! One call on a prepared statement: looked at before it is made, judged after it was answered, as for a text; and the
//! statement prepared anew where the handle has come to.

use std::{ffi::c_int, sync::Arc};

use super::values::{Execution, any_cursors};
use crate::{
    client::{handle::Guest, layout::native::ActiveStatement},
    protect::{
        attempts::Attempts,
        connection::Pending,
        line::{Downstream, Protected},
        look::{Look, Ready},
        rescue::Next,
        statement::{Returned, Rules, evidence_of},
    },
    session::{execution::Ran, prepared::Preparation, transaction::Reply},
    sql::Statement,
    verdict::{Evidence, evidence, failure::Failure},
};

impl Guest {
    /// Attends to an execution as to a text, except that an error of ours is put on the statement too. `before` is run once the connection is
    /// in order.
    pub(super) fn attend_prepared(
        &self,
        statement: ActiveStatement,
        class: &Statement,
        before: impl Fn(),
        real: impl Fn() -> c_int,
        judge: impl FnMut(Returned, &mut Attempts) -> Next,
    ) -> c_int {
        self.attend_closely(|attempts| self.look_at(statement, class, &before, attempts), real, judge)
    }

    pub(super) fn look_at(
        &self,
        statement: ActiveStatement,
        class: &Statement,
        before: &impl Fn(),
        mut attempts: Attempts,
    ) -> Look {
        let ready = match self.line().before(class, &mut attempts) {
            // Where the error is to be written is not known yet: on a connection that is lost, the library finds it.
            Next::Deliver(_) if !self.native.statements_can_be_moved() && self.is_condemned() => {
                Ready::LeftToTheLibrary
            }
            Next::Deliver(code) => {
                self.tell(statement);
                Ready::Told(code)
            }
            Next::Send => {
                before();
                match self.has_a_server_side(statement) {
                    Ok(()) => Ready::Send(self.exchange(class)),
                    Err(code) => Ready::Told(code),
                }
            }
        };
        Look { attempts, ready }
    }

    /// Before an execution.
    pub(super) fn look_at_execution(
        &self,
        statement: ActiveStatement,
        known: &Preparation,
        attempts: Attempts,
    ) -> Look {
        let look = self.look_at(statement, &known.statement, &|| self.send_used_up_data(statement), attempts);
        if !matches!(look.ready, Ready::Send(_)) {
            self.state().executing = None;
        }
        look
    }

    /// What the failed call on the statement says, if that concerns its server or connection.
    pub(super) fn evidence_on(&self, statement: ActiveStatement) -> Option<(Evidence, Failure)> {
        let own = self.native.statement_failure(statement);
        let of_handle = self.native.failure();
        // libmysqlclient puts the same word on every statement of a connection that ends, whatever was sent; on one that
        // belongs to no connection any more it stays. libmariadb tells of long data on the handle only.
        let failure = if evidence::is_loss(own.number) || own.number == 0 { of_handle } else { own };
        Some((evidence_of(&failure)?, failure))
    }

    /// The call on the statement failed: is it to be made again?
    pub(super) fn judge(
        &self,
        statement: ActiveStatement,
        class: &Statement,
        returned: Returned,
        attempts: &mut Attempts,
    ) -> Next {
        let Some((evidence, failure)) = self.evidence_on(statement) else { return Next::Deliver(returned.code) };
        self.native.set_failure(&failure);
        let evidence = match evidence {
            Evidence::Unknown if returned.never_left && !class.streams => Evidence::NotSent,
            evidence => evidence,
        };
        let next = self.line().rescue(evidence, class, attempts, returned.code);
        if let Next::Deliver(code) = next
            && code != 0
        {
            self.tell(statement);
        }
        next
    }

    /// Puts the handle's error on the statement.
    pub(super) fn tell(&self, statement: ActiveStatement) {
        self.native.set_statement_failure(statement, &self.native.failure());
    }

    pub(super) fn executed(
        &self,
        statement: ActiveStatement,
        execution: &Execution,
        returned: Returned,
        attempts: &mut Attempts,
    ) -> Next {
        if returned.code != 0 {
            return self.execution_failed((statement, execution), returned, attempts);
        }
        let Execution { known, kept, .. } = execution;
        let class = &known.statement;
        let mut guard = self.state();
        let state = &mut *guard;
        state.finished(statement.key());
        let rows = self.native.field_count() > 0;
        let reply = if rows {
            Reply::Pending
        } else {
            let (affected, insert_id) = self.native.statement_done(statement);
            Reply::Done { affected, insert_id }
        };
        if !self.succeeded_plainly(state, class, &reply, Pending::None) {
            let values = std::mem::take(&mut state.values);
            let ran = Ran::Execution { text: &known.text, values: kept.then_some(&values) };
            self.leaves_something(state, ran, class, reply);
            state.values = values;
        }
        if rows && any_cursors() && self.native.wants_cursor(statement) {
            state.session.prepared.open_cursor(statement.key());
        } else if rows {
            let plain_read = class.only_reads && class.atomic && !self.status_in_transaction();
            state.result = Pending::Prepared { statement: statement.key(), read: *kept && plain_read };
            if !state.session.wants_digest() && !state.session.prepared.has_cursors() {
                self.announce_plain_rows();
            }
        }
        state.executing = None;
        Next::Deliver(0)
    }

    fn execution_failed(
        &self,
        (statement, Execution { known, kept, .. }): (ActiveStatement, &Execution),
        returned: Returned,
        attempts: &mut Attempts,
    ) -> Next {
        let class = &known.statement;
        let in_transaction = self.in_transaction();
        let own = self.native.statement_failure(statement).number;
        let applications = self.evidence_on(statement).is_none();
        self.state().failing = Some(known.text.to_vec());
        let next = self.judge(statement, class, returned, attempts);
        if applications {
            let mut state = self.state();
            let values = std::mem::take(&mut state.values);
            let ran = Ran::Execution { text: &known.text, values: kept.then_some(&values) };
            let gone = state.session.on_failure(class, ran, own, in_transaction, in_transaction.then(|| self.now()));
            state.values = values;
            drop(state);
            if gone {
                self.line().transaction_gone();
            }
        }
        if next != Next::Send {
            self.finished(statement);
            self.state().executing = None;
        }
        next
    }

    /// A statement that the new server would not prepare is tried once more, and else fails with what the server said:
    /// so does one whose table was dropped.
    pub(super) fn has_a_server_side(&self, statement: ActiveStatement) -> Result<(), c_int> {
        if self.state().of(statement).refused.is_none() {
            return Ok(());
        }
        let Some(known) = self.known(statement) else { return Ok(()) };
        let Err(failure) = self.prepare_again(statement, &known) else { return Ok(()) };
        if evidence_of(&failure).is_some() {
            // The connection's own trouble: the real call will tell.
            return Ok(());
        }
        self.native.set_failure(&failure);
        self.tell(statement);
        Err(1)
    }

    /// Prepares the statement on this connection, with everything that belongs to it.
    pub(in crate::client) fn prepare_again(
        &self,
        statement: ActiveStatement,
        known: &Preparation,
    ) -> Result<(), Failure> {
        let binds = self.bound(statement);
        let state = {
            let mut state = self.state();
            let executing = state.executing == Some(statement);
            state.of(statement).state_before_move.take().filter(|_| !executing).unwrap_or(0)
        };
        let open = self.status_in_transaction();
        let outcome = self.native.prepare_again(statement, &known.text, (known.parameters, known.fields), state);
        if !open {
            self.clear_status_in_transaction();
        }
        self.state().of(statement).refused = outcome.as_ref().err().cloned();
        outcome?;
        if let Some(binds) = binds.filter(|binds| !binds.is_empty()) {
            self.native.bind_again(statement, &binds);
        }
        let pieces = {
            let mut state = self.state();
            state.session.prepared.get_mut(statement.key()).map(|prepared| prepared.on_fresh_server())
        };
        for (parameter, data) in pieces.unwrap_or_default() {
            self.native.send_long_data(statement, parameter, &data)?;
        }
        Ok(())
    }

    /// Prepares every live statement anew. They had their ids from a counter of the connection that is gone: the number of
    /// one may be that of another now.
    pub(in crate::client) fn prepare_all(&self) -> Result<(), Failure> {
        let live: Vec<_> = {
            let state = self.state();
            let known = state.session.prepared.iter();
            known
                .filter_map(|(address, prepared)| {
                    Some((state.statements.get(&address)?.statement, Arc::clone(&prepared.preparation)))
                })
                .collect()
        };
        for (statement, preparation) in live {
            match self.prepare_again(statement, &preparation) {
                Ok(()) => {}
                // The connection's own trouble.
                Err(failure) if evidence_of(&failure).is_some() => return Err(failure),
                // This one cannot be prepared here (its table is not there): its execution will say so, and the rest of the
                // session has nothing to do with it.
                Err(_) => {}
            }
        }
        Ok(())
    }
}
