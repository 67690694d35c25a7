//! Rows of prepared statements: stored ones are digested inside a transaction and fetched again if they were cut off.

use std::{cell::Cell, ffi::c_int};

use super::{entered, entered_and, values::any_long_data};
use crate::{
    client::{Call, handle::Guest, layout::native::ActiveStatement},
    guard::{decide, glance},
    protect::{
        attempts::Attempts,
        connection::Pending,
        line::{Downstream, Protected},
        rescue::Next,
        statement::evidence_of,
    },
    session::{execution::Value, prepared::Preparation},
    sql::Pin,
    verdict::Evidence,
};

thread_local! {
    /// The statement whose rows this thread has stored last, of which nothing is left that we would have to know of:
    /// neither rows on the connection, nor a cursor, nor long data. Its address.
    static AT_REST: Cell<usize> = const { Cell::new(0) };
}

/// This thread does something else with the statement now: nothing is certain about its rows.
pub(super) fn disturb(statement: ActiveStatement) {
    if AT_REST.get() == statement.key() {
        AT_REST.set(0);
    }
}

/// `mysql_stmt_store_result`: digested inside a transaction; a read that was cut off is executed again whole.
pub fn store_result(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let plain = || call.store_plainly(statement, &real, |code| *code == 0);
    let first = if any_long_data() { None } else { plain() };
    if first == Some(0) {
        AT_REST.set(statement.key());
        return 0;
    }
    store_closely(call, statement, first, real)
}

/// `first`: what the call has said already, if it was made.
#[inline(never)]
fn store_closely(call: Call, statement: ActiveStatement, first: Option<c_int>, real: impl Fn() -> c_int) -> c_int {
    let announced = |guest: &Guest| guest.rows_announced(statement);
    let Some((guest, mut rows)) = entered_and(call, statement, announced) else { return first.unwrap_or_else(real) };
    let mut code = first.unwrap_or_else(&real);
    let mut attempts = Attempts::default();
    loop {
        if code == 0 {
            let stored = || guest.rows_stored(statement, rows.logged);
            if rows.logged {
                decide(stored)
            } else {
                glance(stored)
            };
            return code;
        }
        if decide(|| guest.executes_again(statement, rows.read, &mut attempts)) != Some(true) {
            return code;
        }
        rows = decide(|| announced(&guest)).unwrap_or_default();
        code = real();
    }
}

/// `mysql_stmt_next_result`: as for texts, nothing is run again here.
pub fn next_result(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = entered(call, statement) else { return real() };
    let code = real();
    decide(|| {
        let rows = code == 0 && guest.native.field_count() > 0;
        guest.state().result =
            if rows { Pending::Prepared { statement: statement.key(), read: false } } else { Pending::None };
        if code > 0 && evidence_of(&guest.native.statement_failure(statement)).is_some() {
            let generation = guest.state().pulse.generation();
            guest.endpoint().suspect(generation);
            guest.pin(Pin::Unclear);
        }
    });
    code
}

/// `mysql_stmt_free_result`: what was not read is read to its end.
pub fn free_result(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    if AT_REST.replace(0) == statement.key() && !any_long_data() {
        return real();
    }
    free_closely(call, statement, real)
}

#[inline(never)]
fn free_closely(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = entered(call, statement) else { return real() };
    let code = real();
    glance(|| guest.finished(statement));
    code
}

/// Rows that are about to be stored.
#[derive(Clone, Copy, Default)]
pub(super) struct Announced {
    /// If they are cut off, they may be read once more, with `State::values`.
    read: bool,
    /// The log of the transaction wants to know what they were.
    logged: bool,
}

impl Guest {
    fn rows_announced(&self, statement: ActiveStatement) -> Announced {
        let state = self.state();
        let read =
            matches!(state.result, Pending::Prepared { statement: reading, read: true } if reading == statement.key());
        Announced { read, logged: state.session.wants_digest() }
    }

    fn rows_stored(&self, statement: ActiveStatement, logged: bool) {
        let mut state = self.state();
        if logged {
            let digest = self.native.digest_statement(statement);
            let generated = state.session.awaits_generated_rows();
            let insert_id = if generated { self.native.generated_id_of_statement(statement) } else { 0 };
            state.session.on_stored(digest, insert_id, self.status_in_transaction());
        }
        state.finished(statement.key());
    }

    /// A statement that only reads is executed again, if none of its rows has reached the application.
    fn executes_again(&self, statement: ActiveStatement, read: bool, attempts: &mut Attempts) -> bool {
        let Some((evidence, failure)) = self.evidence_on(statement) else { return false };
        self.finished(statement);
        // Some rows may have been fetched as they came, before the rest of them was to be stored.
        let whole = read && self.native.rows_are_whole(statement);
        let Some(known) = self.known(statement).filter(|_| whole) else {
            let generation = self.state().pulse.generation();
            self.endpoint().suspect(generation);
            return false;
        };
        self.native.set_failure(&failure);
        self.state().executing = Some(statement);
        let values = std::mem::take(&mut self.state().values);
        let again = self.rescued_rows(statement, (&known, &values), evidence, attempts);
        let mut state = self.state();
        (state.executing, state.values) = (None, values);
        again
    }

    fn rescued_rows(
        &self,
        statement: ActiveStatement,
        (known, values): (&Preparation, &[Value]),
        mut evidence: Evidence,
        attempts: &mut Attempts,
    ) -> bool {
        loop {
            self.state().failing = Some(known.text.to_vec());
            if let Next::Deliver(_) = self.line().rescue(evidence, &known.statement, attempts, 1) {
                self.tell(statement);
                return false;
            }
            let own = self.bound(statement).unwrap_or_default();
            if self.native.execute_with(statement, values, &own).is_ok() {
                self.state().result = Pending::Prepared { statement: statement.key(), read: true };
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
