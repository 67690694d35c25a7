//! Prepared statements of a protected handle: prepared, executed and read under the same rules as texts.

use std::{ffi::c_int, sync::Arc, time::SystemTime};

use super::{
    Call,
    handle::{Execution, Guest, Pending},
    layout::{
        native::{ActiveStatement, Failure},
        sys::STMT_ATTR_ROW_SIZE,
        sys::{SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_IN_TRANS, STMT_ATTR_ARRAY_SIZE, STMT_ATTR_PREBIND_PARAMS},
    },
    rescue::Next,
    statement::{HARMLESS, Returned, evidence_of},
};
use crate::{
    control::{config, option::Mode},
    evidence,
    hooks::{self, current, decide, last_words::LastWords},
    session::{
        execution::{Ran, Value},
        prepared::Preparation,
        transaction::Reply,
    },
    sql::{Pin, Statement, classify},
    verdict::Evidence,
};

/// An execution of nobody knows what.
const UNKNOWN: Ran<'static> = Ran::Execution { text: b"", values: None };

/// The handle that a statement belongs to, entered.
fn entered(call: Call, statement: ActiveStatement) -> Option<Guest> {
    let process = current::existing()?;
    if process.statements.is_empty() {
        return None;
    }
    let owner = decide(|| process.is_ours().then(|| process.statements.get(statement.key())).flatten()).flatten();
    call.enter(owner?)
}

/// `mysql_stmt_prepare`: an idle connection is moved before, and what was prepared is kept.
pub fn prepare(call: Call, statement: ActiveStatement, text: &[u8], real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = entered(call, statement) else { return real() };
    let open = decide(|| guest.in_transaction()) == Some(true);
    let before = || {
        if config().mode != Mode::Observe && guest.idle() {
            guest.native.examine_statements();
        }
        // Whatever becomes of it, it is not what it was.
        guest.unprepared(statement);
    };
    guest.attend_prepared(statement, &HARMLESS, before, real, |returned, attempts| {
        if returned.code != 0 {
            return guest.judge(statement, &HARMLESS, returned, attempts);
        }
        guest.prepared(statement, text, open);
        Next::Deliver(0)
    })
}

/// `mysql_stmt_execute`.
pub fn execute(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = entered(call, statement) else { return real() };
    let Some(known) = decide(|| guest.known(statement)).flatten() else {
        let code = real();
        if code == 0 {
            // Prepared by a way that we do not see.
            decide(|| {
                // It may have generated an id.
                let class = Statement { uses_insert_id: true, ..Statement::reading() };
                guest.succeeded(UNKNOWN, &class, Reply::Pending, Pending::None);
                guest.pin(Pin::Unclear);
            });
        }
        return code;
    };
    decide(|| guest.set_executing(statement, true));
    let mut values = decide(|| guest.values(statement, &known)).flatten();
    let before = || guest.send_used_up_data(statement);
    let code = guest.attend_prepared(statement, &known.statement, before, real, |returned, attempts| {
        guest.executed(statement, &known, &mut values, returned, attempts)
    });
    decide(|| guest.set_executing(statement, false));
    code
}

/// `mysql_stmt_store_result`: digested inside a transaction; a read that was cut off is executed again whole.
pub fn store_result(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = entered(call, statement) else { return real() };
    let mut attempts = 0;
    loop {
        let read = decide(|| guest.rows_announced(statement)).flatten();
        let code = real();
        let again = decide(|| {
            if code == 0 {
                guest.stored(statement);
                return false;
            }
            guest.executes_again(statement, read.as_ref(), &mut attempts)
        });
        if again != Some(true) {
            return code;
        }
    }
}

/// `mysql_stmt_next_result`: as for texts, nothing is run again here.
pub fn next_result(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = entered(call, statement) else { return real() };
    let code = real();
    decide(|| {
        let rows = code == 0 && guest.native.field_count() > 0;
        guest.state().result = if rows { Pending::Prepared { statement, read: None } } else { Pending::None };
        if code > 0 && evidence_of(&guest.native.statement_failure(statement)).is_some() {
            let generation = guest.state().pulse.generation();
            guest.endpoint().suspect(generation);
            guest.pin(Pin::Unclear);
        }
    });
    code
}

/// `mysql_stmt_send_long_data`: kept until the next execution.
pub fn send_long_data(
    call: Call,
    statement: ActiveStatement,
    parameter: u32,
    data: &[u8],
    real: impl Fn() -> c_int,
) -> c_int {
    let Some(guest) = entered(call, statement) else { return real() };
    if decide(|| guest.known(statement).is_none()) != Some(false) {
        return real();
    }
    guest.attend_prepared(
        statement,
        &HARMLESS,
        || (),
        real,
        |returned, attempts| {
            if returned.code != 0 {
                return guest.judge(statement, &HARMLESS, returned, attempts);
            }
            if let Some(prepared) = guest.state().session.prepared.get_mut(statement.key()) {
                prepared.on_long_data(parameter, data);
            }
            Next::Deliver(0)
        },
    )
}

/// `mysql_stmt_reset`, on the server too.
pub fn reset(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = entered(call, statement) else { return real() };
    if decide(|| guest.known(statement).is_none()) != Some(false) {
        return real();
    }
    guest.attend_prepared(
        statement,
        &HARMLESS,
        || (),
        real,
        |returned, attempts| {
            if returned.code != 0 {
                return guest.judge(statement, &HARMLESS, returned, attempts);
            }
            guest.finished(statement);
            Next::Deliver(0)
        },
    )
}

/// `mysql_stmt_free_result`: what was not read is read to its end.
pub fn free_result(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = entered(call, statement) else { return real() };
    let code = real();
    decide(|| guest.finished(statement));
    code
}

/// `mysql_stmt_close`: forgotten before it is freed, also when another thread is in a call on the handle (a garbage
/// collector's). It may read what is left of its rows, which is no call of somebody unseen.
pub fn close(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let guest = entered(call, statement);
    let process = current::existing().filter(|process| !process.statements.is_empty());
    let Some(process) = process.filter(|_| !call.nested() && !hooks::ourselves()) else { return real() };
    let handle = decide(|| {
        let owner = process.is_ours().then(|| process.statements.remove(statement.key())).flatten()?;
        let handle = process.handles.get(owner.key())?;
        let mut state = handle.lock();
        state.session.prepared.remove(statement.key());
        state.statements.remove(&statement.key());
        drop(state);
        Some(handle)
    })
    .flatten();
    let code = real();
    if let Some(handle) = handle {
        decide(|| handle.rows_ended(statement));
    }
    drop(guest);
    code
}

/// `mysql_stmt_bind_param`, with the address of what is bound; or, `named`, in a way that is not kept.
pub fn bound(call: Call, statement: ActiveStatement, binds: Option<usize>) {
    let Some(process) = current::existing().filter(|process| !process.statements.is_empty()) else { return };
    if call.nested() || hooks::ourselves() {
        return;
    }
    decide(|| {
        let owner = process.is_ours().then(|| process.statements.get(statement.key())).flatten()?;
        let (handle, native) = (process.handles.get(owner.key())?, call.native(owner)?);
        let copy = binds.map(|binds| native.bound(statement, binds));
        let mut state = handle.lock();
        let live = state.of(statement);
        // libmysqlclient binds unnamed parameters by way of its function for named ones.
        live.named = copy.is_none();
        live.binds = copy;
        state.consider(statement);
        Some(())
    });
}

/// `mysql_stmt_attr_set`: MariaDB has attributes by which the values of an execution come from elsewhere.
pub fn attribute_set(call: Call, statement: ActiveStatement, attribute: c_int) {
    let Some(process) = current::existing().filter(|process| !process.statements.is_empty()) else { return };
    if attribute < STMT_ATTR_PREBIND_PARAMS || call.nested() {
        return;
    }
    decide(|| {
        let owner = process.is_ours().then(|| process.statements.get(statement.key())).flatten()?;
        let handle = process.handles.get(owner.key())?;
        let mut state = handle.lock();
        match attribute {
            STMT_ATTR_ARRAY_SIZE | STMT_ATTR_ROW_SIZE => state.of(statement).bulk = true,
            _ => state.of(statement).hindrance = Some("a prepared statement with callbacks"),
        }
        state.consider(statement);
        Some(())
    });
}

impl Guest {
    fn known(&self, statement: ActiveStatement) -> Option<Arc<Preparation>> {
        self.state().session.prepared.get(statement.key()).map(|prepared| Arc::clone(&prepared.preparation))
    }

    /// As for a text, except that an error of ours is put on the statement too. `before` is run once the connection is
    /// in order.
    fn attend_prepared(
        &self,
        statement: ActiveStatement,
        class: &Statement,
        before: impl Fn(),
        real: impl Fn() -> c_int,
        mut judge: impl FnMut(Returned, &mut u32) -> Next,
    ) -> c_int {
        let mut attempts = 0;
        loop {
            let ready: Option<Result<Option<LastWords>, Option<c_int>>> =
                decide(|| match self.before(class, &mut attempts) {
                    // Where the error is to be written is not known yet: on a connection that is lost, the library finds it.
                    Next::Deliver(_) if !self.native.statements_can_be_moved() && self.state().condemned => Err(None),
                    Next::Deliver(code) => {
                        self.tell(statement);
                        Err(Some(code))
                    }
                    Next::Send => {
                        before();
                        self.has_a_server_side(statement)?;
                        Ok(self.listen(class))
                    }
                });
            let words = match ready {
                Some(Err(Some(code))) => return code,
                Some(Err(None)) => return real(),
                Some(Ok(words)) => words,
                None => None,
            };
            let returned = Returned::from(real(), words);
            match decide(|| judge(returned, &mut attempts)) {
                Some(Next::Send) => {}
                Some(Next::Deliver(code)) => return code,
                None => return returned.code,
            }
        }
    }

    /// What the failed call on the statement says, if that concerns its server or connection.
    fn evidence_on(&self, statement: ActiveStatement) -> Option<(Evidence, Failure)> {
        let own = self.native.statement_failure(statement);
        let of_handle = self.native.failure();
        // libmysqlclient puts the same word on every statement of a connection that ends, whatever was sent; on one that
        // belongs to no connection any more it stays. libmariadb tells of long data on the handle only.
        let failure = if evidence::is_loss(own.number) || own.number == 0 { of_handle } else { own };
        Some((evidence_of(&failure)?, failure))
    }

    /// The call on the statement failed: is it to be made again?
    fn judge(&self, statement: ActiveStatement, class: &Statement, returned: Returned, attempts: &mut u32) -> Next {
        let Some((evidence, failure)) = self.evidence_on(statement) else { return Next::Deliver(returned.code) };
        self.native.set_failure(&failure);
        let evidence = match evidence {
            Evidence::Unknown if returned.never_left && !class.streams => Evidence::NotSent,
            evidence => evidence,
        };
        let next = self.rescue(evidence, class, attempts, returned.code);
        if let Next::Deliver(code) = next
            && code != 0
        {
            self.tell(statement);
        }
        next
    }

    /// Puts the handle's error on the statement.
    fn tell(&self, statement: ActiveStatement) {
        self.native.set_statement_failure(statement, &self.native.failure());
    }

    fn prepared(&self, statement: ActiveStatement, text: &[u8], in_transaction: bool) {
        if !in_transaction {
            // Without autocommit the library believes that preparing a query opens a transaction.
            self.native.set_server_status(self.native.server_status() & !SERVER_STATUS_IN_TRANS);
        }
        let class = classify(text, self.dialect());
        let counts = self.native.statement_counts(statement);
        let movable = self.native.statements_can_be_moved();
        let mut state = self.state();
        if !movable {
            state.of(statement).hindrance = Some("a prepared statement");
        }
        state.session.on_prepared(statement.key(), (text, class), counts);
        state.consider(statement);
    }

    fn unprepared(&self, statement: ActiveStatement) {
        self.finished(statement);
        let mut state = self.state();
        state.session.prepared.remove(statement.key());
        let live = state.of(statement);
        live.binds = None;
        live.named = false;
        live.refused = None;
    }

    /// Neither rows nor long data of its last execution are left.
    fn finished(&self, statement: ActiveStatement) {
        self.handle.rows_ended(statement);
        let mut state = self.state();
        state.session.prepared.close_cursors(|open| open == statement.key());
        if let Some(prepared) = state.session.prepared.get_mut(statement.key()) {
            prepared.forget_long_data();
        }
    }

    fn set_executing(&self, statement: ActiveStatement, executing: bool) {
        self.state().of(statement).executing = executing;
    }

    /// What this execution sends, if it may have to be sent once more: by a replay, or because its rows are cut off. The
    /// application may have thrown it away by then.
    fn values(&self, statement: ActiveStatement, known: &Preparation) -> Option<Vec<Value>> {
        if known.parameters == 0 {
            return Some(Vec::new());
        }
        let autocommit = self.native.server_status() & SERVER_STATUS_AUTOCOMMIT != 0;
        if !known.statement.only_reads && autocommit && !self.in_transaction() {
            return None;
        }
        let mut state = self.state();
        let live = state.of(statement);
        if live.bulk || live.named || live.hindrance.is_some() {
            return None;
        }
        let binds = live.binds.clone().filter(|binds| binds.len() == known.parameters as usize)?;
        let prepared = state.session.prepared.get(statement.key())?;
        self.native.values(&binds, |parameter| prepared.long_data(parameter))
    }

    /// An execution that failed has used up the long data that was sent before it.
    fn send_used_up_data(&self, statement: ActiveStatement) {
        let pieces = match self.state().session.prepared.get_mut(statement.key()) {
            Some(prepared) if prepared.has_long_data() => prepared.before_execution(),
            _ => return,
        };
        for (parameter, data) in pieces {
            // What cannot be sent now is not answered, and neither will be the execution.
            let _ = self.native.send_long_data(statement, parameter, &data);
        }
    }

    /// A statement that the new server would not prepare is tried once more, and else fails with what the server said:
    /// so does one whose table was dropped.
    fn has_a_server_side(&self, statement: ActiveStatement) -> Result<(), c_int> {
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
    pub(super) fn prepare_again(&self, statement: ActiveStatement, known: &Preparation) -> Result<(), Failure> {
        let (state, binds) = {
            let mut state = self.state();
            let live = state.of(statement);
            let kept = live.kept.take().filter(|_| !live.executing).unwrap_or(0);
            (kept, live.binds.clone())
        };
        let open = self.native.server_status() & SERVER_STATUS_IN_TRANS;
        let outcome = self.native.prepare_again(statement, &known.text, (known.parameters, known.fields), state);
        if open == 0 {
            self.native.set_server_status(self.native.server_status() & !SERVER_STATUS_IN_TRANS);
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

    fn executed(
        &self,
        statement: ActiveStatement,
        known: &Arc<Preparation>,
        values: &mut Option<Vec<Value>>,
        returned: Returned,
        attempts: &mut u32,
    ) -> Next {
        let class = &known.statement;
        let ran = Ran::Execution { text: &known.text, values: values.as_deref() };
        if returned.code != 0 {
            let in_transaction = self.in_transaction();
            let own = self.native.statement_failure(statement).number;
            let applications = self.evidence_on(statement).is_none();
            let next = self.judge(statement, class, returned, attempts);
            let now = SystemTime::now();
            if applications && self.state().session.on_failure(class, ran, own, in_transaction, now) {
                self.transaction_gone();
            }
            if next != Next::Send {
                self.finished(statement);
            }
            return next;
        }
        self.finished(statement);
        let rows = self.native.field_count() > 0;
        let in_transaction = self.native.server_status() & SERVER_STATUS_IN_TRANS != 0;
        let (affected, insert_id) = self.native.statement_done(statement);
        let reply = if rows { Reply::Pending } else { Reply::Done { affected, insert_id } };
        let cursor = rows && self.native.wants_cursor(statement);
        let plain_read = rows && class.only_reads && class.atomic && !in_transaction;
        self.succeeded(ran, class, reply, Pending::None);
        if cursor {
            self.state().session.prepared.open_cursor(statement.key());
        } else if rows {
            let values = values.take().filter(|_| plain_read);
            let read = values.map(|values| Arc::new(Execution { preparation: Arc::clone(known), values }));
            self.state().result = Pending::Prepared { statement, read };
        }
        Next::Deliver(0)
    }

    /// The rows that are about to be stored: what is executed again if they are cut off.
    fn rows_announced(&self, statement: ActiveStatement) -> Option<Arc<Execution>> {
        match &self.state().result {
            Pending::Prepared { statement: reading, read } if *reading == statement => read.clone(),
            _ => None,
        }
    }

    fn stored(&self, statement: ActiveStatement) {
        if self.state().session.wants_digest() {
            let digest = self.native.digest_statement(statement);
            self.state().session.on_stored(digest, self.status_in_transaction());
        }
        self.finished(statement);
    }

    /// None of the rows has reached the application: a statement that only reads is executed again.
    fn executes_again(&self, statement: ActiveStatement, read: Option<&Arc<Execution>>, attempts: &mut u32) -> bool {
        let Some((evidence, failure)) = self.evidence_on(statement) else { return false };
        self.finished(statement);
        let Some(read) = read else {
            let generation = self.state().pulse.generation();
            self.endpoint().suspect(generation);
            return false;
        };
        self.native.set_failure(&failure);
        self.set_executing(statement, true);
        let again = self.rescued_rows(statement, read, evidence, attempts);
        self.set_executing(statement, false);
        again
    }

    fn rescued_rows(
        &self,
        statement: ActiveStatement,
        read: &Arc<Execution>,
        mut evidence: Evidence,
        attempts: &mut u32,
    ) -> bool {
        loop {
            if let Next::Deliver(_) = self.rescue(evidence, &read.preparation.statement, attempts, 1) {
                self.tell(statement);
                return false;
            }
            let own = self.state().of(statement).binds.clone().unwrap_or_default();
            if self.native.execute_with(statement, &read.values, &own).is_ok() {
                self.state().result = Pending::Prepared { statement, read: Some(Arc::clone(read)) };
                return true;
            }
            match self.evidence_on(statement) {
                Some((found @ Evidence::Unknown, failure)) => {
                    self.native.set_failure(&failure);
                    evidence = found;
                }
                _ => return false,
            }
        }
    }
}
