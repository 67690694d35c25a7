//! Prepared statements of a protected handle: prepared, executed and read under the same rules as texts.

mod attempt;
mod rows;
mod values;

use std::{ffi::c_int, sync::Arc};

use super::{
    Call,
    handle::Guest,
    layout::native::ActiveStatement,
    registry::{Handles, any_statements},
    text::COMMAND,
};
use crate::{
    guard::{self, decide},
    process::current,
    protect::{
        attempts::Attempts,
        connection::Pending,
        line::{Downstream, Level},
        look::Start,
        rescue::Next,
        statement::Rules,
    },
    session::{execution::Ran, prepared::Preparation, reasons::PinReason, transaction::Reply},
    sql::{Pin, Traits, classify},
};
pub use rows::{free_result, next_result, store_result};
use values::Execution;
pub use values::{attribute_set, bound, send_long_data};

/// An execution of an unknown statement.
const UNKNOWN: Ran<'static> = Ran::Execution { text: b"", values: None };

/// The handle that a statement belongs to, entered.
fn entered(call: Call, statement: ActiveStatement) -> Option<Guest> {
    entered_and(call, statement, |_| ()).map(|(guest, ())| guest)
}

/// The protected handle of the statement, entered, and a first decision on it.
fn entered_and<T>(call: Call, statement: ActiveStatement, decision: impl FnOnce(&Guest) -> T) -> Option<(Guest, T)> {
    // Most processes never have any.
    if !any_statements() {
        return None;
    }
    rows::disturb(statement);
    let owner = |own: &Handles| {
        let mysql = own.statements.get(statement.key())?;
        Some((mysql, own.handles.get(mysql.key())?))
    };
    call.enter_by(statement, owner, decision)
}

/// `mysql_stmt_prepare`: an idle connection is moved before, and what was prepared is kept.
pub fn prepare(call: Call, statement: ActiveStatement, text: &[u8], real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = entered(call, statement) else { return real() };
    let open = decide(|| guest.in_transaction()) == Some(true);
    let before = || {
        if guest.level() != Level::Observe && guest.idle() {
            guest.native.examine_statements();
        }
        // Whatever becomes of it, it is not what it was.
        guest.unprepared(statement);
    };
    guest.attend_prepared(statement, &COMMAND, before, real, |returned, attempts| {
        if returned.code != 0 {
            return guest.judge(statement, &COMMAND, returned, attempts);
        }
        guest.prepared(statement, text, open);
        Next::Deliver(0)
    })
}

/// `mysql_stmt_execute`.
pub fn execute(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    // Written in place: this is on the way of every execution.
    let (mut execution, mut start) = (None, Start::Closely);
    let begin = |guest: &Guest| {
        let mut state = guest.state();
        execution = guest.execution_begins(&mut state, statement);
        if let Some(Execution { known, plain: true, .. }) = &execution
            && guest.in_order(state, &known.statement)
        {
            start = Start::AtOnce(guest.exchange(&known.statement));
        }
    };
    let Some((guest, ())) = entered_and(call, statement, begin) else { return real() };
    let Some(execution) = execution else {
        let code = real();
        if code == 0 {
            // Prepared by a way that we do not see.
            decide(|| {
                // It may have generated an id.
                let class = Traits { uses_insert_id: true, ..Traits::READING }.into();
                guest.succeeded(&mut guest.state(), UNKNOWN, &class, Reply::Pending, Pending::None);
                guest.pin(Pin::Unclear);
            });
        }
        return code;
    };
    let look = |attempts| guest.look_at_execution(statement, &execution.known, attempts);
    let judge = |returned, attempts: &mut Attempts| guest.executed(statement, &execution, returned, attempts);
    guest.attend_from(start, look, real, judge)
}

/// `mysql_stmt_reset`, on the server too.
pub fn reset(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    retried(call, statement, real, |guest| guest.finished(statement))
}

/// A command on a statement that may be run twice and touches no transaction.
fn retried(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int, succeeded: impl Fn(&Guest)) -> c_int {
    let known = |guest: &Guest| guest.known(statement).is_some();
    let Some((guest, known)) = entered_and(call, statement, known) else { return real() };
    if !known {
        return real();
    }
    guest.attend_prepared(
        statement,
        &COMMAND,
        || (),
        real,
        |returned, attempts| {
            if returned.code != 0 {
                return guest.judge(statement, &COMMAND, returned, attempts);
            }
            succeeded(&guest);
            Next::Deliver(0)
        },
    )
}

/// `mysql_stmt_close`: forgotten before it is freed, also when another thread is in a call on the handle (a garbage
/// collector's). It may read what is left of its rows, which is no call that was not seen.
pub fn close(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let guest = entered(call, statement);
    let process = current::existing().filter(|_| any_statements());
    let Some(process) = process.filter(|_| !call.nested() && !guard::ourselves()) else { return real() };
    let handle = decide(|| {
        let own = Handles::of(process).filter(|_| process.is_ours())?;
        let owner = own.statements.remove(statement.key())?;
        let handle = own.handles.get(owner.key())?;
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

impl Guest {
    pub(super) fn known(&self, statement: ActiveStatement) -> Option<Arc<Preparation>> {
        self.state().session.prepared.get(statement.key()).map(|prepared| Arc::clone(&prepared.preparation))
    }

    pub(super) fn prepared(&self, statement: ActiveStatement, text: &[u8], in_transaction: bool) {
        if !in_transaction {
            // Without autocommit the library believes that preparing a query opens a transaction.
            self.clear_status_in_transaction();
        }
        let counts = self.native.statement_counts(statement);
        let movable = self.native.statements_can_be_moved();
        let mut state = self.state();
        let class = classify(text, self.dialect(&state.session));
        if !movable {
            state.of(statement).hindrance = Some(PinReason::UnmovableStatement);
        }
        state.session.on_prepared(statement.key(), (text, class), counts);
        state.consider(statement);
    }

    pub(super) fn unprepared(&self, statement: ActiveStatement) {
        self.finished(statement);
        let mut state = self.state();
        state.session.prepared.remove(statement.key());
        let live = state.of(statement);
        live.binds = None;
        live.named = false;
        live.refused = None;
    }

    /// Neither rows nor long data of its last execution are left.
    pub(super) fn finished(&self, statement: ActiveStatement) {
        self.state().finished(statement.key());
    }
}
