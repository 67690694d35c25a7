//! Rows of prepared statements: stored ones are digested inside a transaction and fetched again if they were cut off.

use std::ffi::c_int;

use super::{
    super::{
        Call,
        handle::Guest,
        layout::native::ActiveStatement,
        rescue::Next,
        state::{Execution, Pending},
        statement::evidence_of,
    },
    entered, entered_and,
};
use crate::{
    hooks::{decide, glance},
    sql::Pin,
    verdict::Evidence,
};

/// `mysql_stmt_store_result`: digested inside a transaction; a read that was cut off is executed again whole.
pub fn store_result(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let announced = |guest: &Guest| guest.rows_announced(statement);
    let Some((guest, mut read)) = entered_and(call, statement, announced) else { return real() };
    let mut attempts = 0;
    loop {
        let code = real();
        if code == 0 {
            glance(|| guest.rows_stored(statement, read));
            return code;
        }
        if decide(|| guest.executes_again(statement, read.take(), &mut attempts)) != Some(true) {
            return code;
        }
        read = decide(|| announced(&guest)).flatten();
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

/// `mysql_stmt_free_result`: what was not read is read to its end.
pub fn free_result(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = entered(call, statement) else { return real() };
    let code = real();
    glance(|| guest.finished(statement));
    code
}

impl Guest {
    /// The rows that are about to be stored: what is executed again if they are cut off.
    pub(super) fn rows_announced(&self, statement: ActiveStatement) -> Option<Execution> {
        match &mut self.state().result {
            Pending::Prepared { statement: reading, read } if *reading == statement => read.take(),
            _ => None,
        }
    }

    pub(super) fn rows_stored(&self, statement: ActiveStatement, read: Option<Execution>) {
        let mut state = self.state();
        if state.session.wants_digest() {
            let digest = self.native.digest_statement(statement);
            state.session.on_stored(digest, self.status_in_transaction());
        }
        state.finished(statement);
        if let Some(Execution { values, .. }) = read {
            state.spare = values;
        }
    }

    /// None of the rows has reached the application: a statement that only reads is executed again.
    pub(super) fn executes_again(
        &self,
        statement: ActiveStatement,
        read: Option<Execution>,
        attempts: &mut u32,
    ) -> bool {
        let Some((evidence, failure)) = self.evidence_on(statement) else { return false };
        self.finished(statement);
        let Some(read) = read else {
            let generation = self.state().pulse.generation();
            self.endpoint().suspect(generation);
            return false;
        };
        self.native.set_failure(&failure);
        self.state().executing = Some(statement);
        let again = self.rescued_rows(statement, read, evidence, attempts);
        self.state().executing = None;
        again
    }

    pub(super) fn rescued_rows(
        &self,
        statement: ActiveStatement,
        read: Execution,
        mut evidence: Evidence,
        attempts: &mut u32,
    ) -> bool {
        loop {
            if let Next::Deliver(_) = self.rescue(evidence, &read.preparation.statement, attempts, 1) {
                self.tell(statement);
                return false;
            }
            let own = self.bound(statement).unwrap_or_default();
            if self.native.execute_with(statement, &read.values, &own).is_ok() {
                self.state().result = Pending::Prepared { statement, read: Some(read) };
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
