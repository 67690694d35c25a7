//! Prepared statements of one handle: their state and errors, what is bound to them, executed once more with values.

use std::ffi::{c_int, c_uint, c_ulong, c_void};

use super::{
    calibration::{ERROR_TEXT, SQLSTATE},
    native::{ActiveStatement, Native, text},
    parameters,
    sys::*,
};
use crate::{
    protect::line::Executed,
    session::{
        execution::{Content, Value},
        transaction::{Digest, Digesting},
    },
    verdict::failure::Failure,
};

/// The statement's columns are not what they were (`CR_NEW_STMT_METADATA`).
pub(super) fn other_columns() -> Failure {
    let text = "The number of columns in the result set differs from the number of bound buffers. You must reset the \
                statement, rebind the result set columns, and execute the statement again";
    Failure::new(2057, b"HY000", text)
}

/// `CR_OUT_OF_MEMORY`.
pub(super) fn out_of_memory() -> Failure {
    Failure::new(2008, b"HY000", "MySQL client ran out of memory")
}

/// Calls a function of the handle's own library on one of its statements.
macro_rules! on_statement {
    ($native:ident.$function:ident($statement:expr $(, $argument:expr)*)) => {
        // SAFETY: a live statement of a handle that the application is in a call on, so no other thread uses it (see
        // `ActiveStatement::new`), or one of our own. The arguments are valid as the function's manual page wants them.
        unsafe { ($native.api().$function)($statement, $($argument),*) }
    };
}
pub(super) use on_statement;

/// States of a statement in libmariadb: executed, with nothing that waits; with rows that wait to be stored or fetched; with
/// all rows fetched.
const EXECUTED: u32 = 2;
const WAITING: u32 = 3;
const FETCH_DONE: u32 = 6;

impl Native {
    /// The error of a prepared statement of this handle.
    pub fn statement_failure(&self, statement: ActiveStatement) -> Failure {
        self.failure_of(statement.pointer())
    }

    pub(super) fn failure_of(&self, statement: *mut MYSQL_STMT) -> Failure {
        let number = on_statement!(self.mysql_stmt_errno(statement));
        let (words, state) =
            (on_statement!(self.mysql_stmt_error(statement)), on_statement!(self.mysql_stmt_sqlstate(statement)));
        // SAFETY: both are NUL-terminated, inside the statement, and read before anything else is done with it.
        let (words, state) = unsafe { (text(words), text(state)) };
        let mut sqlstate = *b"HY000";
        if state.len() == sqlstate.len() {
            sqlstate.copy_from_slice(state);
        }
        Failure { number, sqlstate, text: words.to_vec() }
    }

    /// Makes the library report this error for the last call on the statement.
    pub fn set_statement_failure(&self, statement: ActiveStatement, failure: &Failure) {
        let Some(layout) = self.statement_layout() else { return };
        let base = statement.pointer().cast::<u8>();
        let length = failure.text.len().min(ERROR_TEXT - 1);
        // SAFETY: calibrated offsets of a number, of an array of ERROR_TEXT and of one of SQLSTATE bytes, that do not
        // overlap; lengths are kept below both.
        unsafe {
            base.add(layout.last_errno).cast::<c_uint>().write(failure.number);
            let (words, state) = (base.add(layout.last_error), base.add(layout.sqlstate));
            words.copy_from_nonoverlapping(failure.text.as_ptr(), length);
            words.add(length).write(0);
            state.copy_from_nonoverlapping(failure.sqlstate.as_ptr(), SQLSTATE - 1);
            state.add(SQLSTATE - 1).write(0);
        }
    }

    pub fn statement_counts(&self, statement: ActiveStatement) -> (u32, u32) {
        let statement = statement.pointer();
        (
            on_statement!(self.mysql_stmt_param_count(statement)) as u32,
            on_statement!(self.mysql_stmt_field_count(statement)),
        )
    }

    /// Affected rows and insert id of the last execution.
    pub fn statement_done(&self, statement: ActiveStatement) -> (u64, u64) {
        let statement = statement.pointer();
        (on_statement!(self.mysql_stmt_affected_rows(statement)), on_statement!(self.mysql_stmt_insert_id(statement)))
    }

    /// Does the application want the rows of this statement from a cursor of the server?
    pub fn wants_cursor(&self, statement: ActiveStatement) -> bool {
        let mut kind: c_ulong = 0;
        let kind_at: *mut c_void = (&raw mut kind).cast();
        on_statement!(self.mysql_stmt_attr_get(statement.pointer(), STMT_ATTR_CURSOR_TYPE, kind_at)) == 0 && kind != 0
    }

    /// The library's own word for how far the statement has got. `None`: not calibrated.
    pub fn statement_state(&self, statement: ActiveStatement) -> Option<u32> {
        let layout = self.statement_layout()?;
        // SAFETY: a calibrated offset of a live statement.
        Some(unsafe { statement.pointer().cast::<u8>().add(layout.state).cast::<u32>().read() })
    }

    /// Were all rows of its last execution read, or given up?
    pub fn rows_are_over(&self, statement: ActiveStatement) -> bool {
        let Some((layout, state)) = self.statement_layout().zip(self.statement_state(statement)) else { return false };
        match self.api().mariadb_reconnect {
            Some(_) => state <= EXECUTED || state == FETCH_DONE,
            // It counts a statement whose rows are over as prepared.
            None => state <= layout.unprepared + 1,
        }
    }

    /// Do all rows of its last execution wait to be stored or fetched, the first one too?
    pub fn rows_are_whole(&self, statement: ActiveStatement) -> bool {
        let Some((layout, state)) = self.statement_layout().zip(self.statement_state(statement)) else { return false };
        match self.api().mariadb_reconnect {
            Some(_) => state == WAITING,
            // With its first row it gets another state, and counts as prepared once more if one could not be fetched.
            None => state == layout.unprepared + 2,
        }
    }

    /// Copies what the application has just bound.
    pub fn bound(&self, statement: ActiveStatement, binds: usize) -> Vec<MYSQL_BIND> {
        let (parameters, _) = self.statement_counts(statement);
        if binds == 0 || parameters == 0 {
            return Vec::new();
        }
        // SAFETY: the application passes as many as the statement has parameters (manual, mysql_stmt_bind_param).
        unsafe { std::slice::from_raw_parts(binds as *const MYSQL_BIND, parameters as usize) }.to_vec()
    }

    /// What is bound now, if this library lets it be changed without a call. To be read before anything is bound.
    pub fn bound_now(&self, statement: ActiveStatement) -> Option<&[MYSQL_BIND]> {
        let params = self.statement_layout()?.params?;
        let parameters = on_statement!(self.mysql_stmt_param_count(statement.pointer()));
        // SAFETY: a calibrated offset of a live statement; the library's array has an element for each parameter.
        unsafe {
            let first = statement.pointer().cast::<u8>().add(params).cast::<*const MYSQL_BIND>().read();
            (!first.is_null()).then(|| std::slice::from_raw_parts(first, parameters as usize))
        }
    }

    /// The values that an execution under way is about to send, in `memory` that earlier ones have left.
    pub fn read_values(
        &self,
        binds: &[MYSQL_BIND],
        values: &mut Vec<Value>,
        long: impl Fn(u32) -> Option<Vec<u8>>,
    ) -> bool {
        // `MYSQL_TIME`: libmysqlclient's has a time zone at its end.
        let time = if self.api().mariadb_reconnect.is_some() { 40 } else { 48 };
        // SAFETY: called inside mysql_stmt_execute with what was bound last.
        unsafe { parameters::read(binds, time, values, long) }
    }

    /// Learns where this library keeps what, if that is not known yet. Nothing may be under way on the handle.
    pub fn examine_statements(&self) {
        self.managed().examine_statements(self.mysql());
    }

    pub fn statements_can_be_moved(&self) -> bool {
        self.statement_layout().is_some()
    }

    /// Binds once more what the application has bound: the server has to be told the types.
    pub fn bind_again(&self, statement: ActiveStatement, binds: &[MYSQL_BIND]) {
        let mut binds = binds.to_vec();
        on_statement!(self.mysql_stmt_bind_param(statement.pointer(), binds.as_mut_ptr()));
    }

    pub fn send_long_data(&self, statement: ActiveStatement, parameter: u32, data: &[u8]) -> Result<(), Failure> {
        self.send_piece(statement.pointer(), parameter, data)
    }

    fn send_piece(&self, statement: *mut MYSQL_STMT, parameter: u32, data: &[u8]) -> Result<(), Failure> {
        let (bytes, length) = (data.as_ptr().cast(), data.len() as c_ulong);
        match on_statement!(self.mysql_stmt_send_long_data(statement, parameter, bytes, length)) {
            0 => Ok(()),
            _ => Err(self.failure()),
        }
    }

    /// Executes the application's statement with values that it was executed with before; the reply stays on it. What the
    /// application has bound it may not have any more: it stays bound, and is not read.
    pub fn execute_with(
        &self,
        statement: ActiveStatement,
        values: &[Value],
        own: &[MYSQL_BIND],
    ) -> Result<(), Failure> {
        if own.len() != values.len() {
            return Err(other_columns());
        }
        let executed = self.bind_and_execute(statement.pointer(), values);
        // Whatever came of it: ours are gone in a moment.
        if !values.is_empty() {
            self.bind_again(statement, own);
        }
        if let Err(failure) = &executed {
            self.set_statement_failure(statement, failure);
        }
        executed
    }

    /// The values are bound for as long as it lasts.
    fn bind_and_execute(&self, statement: *mut MYSQL_STMT, values: &[Value]) -> Result<(), Failure> {
        let succeeded = |code: c_int| if code == 0 { Ok(()) } else { Err(self.failure_of(statement)) };
        let mut bound = parameters::bind(values);
        if !values.is_empty() {
            succeeded(on_statement!(self.mysql_stmt_bind_param(statement, bound.binds.as_mut_ptr())).into())?;
        }
        for (at, value) in (0..).zip(values) {
            if let Content::Long(data) = &value.content {
                self.send_piece(statement, at, data)?;
            }
        }
        succeeded(on_statement!(self.mysql_stmt_execute(statement)))
    }

    /// Executes a text with values on a statement of our own.
    pub fn execute_once(&self, text: &[u8], values: &[Value]) -> Result<Executed, Failure> {
        let temporary = on_statement!(self.mysql_stmt_init(self.mysql()));
        if temporary.is_null() {
            return Err(out_of_memory());
        }
        let executed = self.execute_on(temporary, text, values);
        on_statement!(self.mysql_stmt_close(temporary));
        executed
    }

    fn execute_on(&self, temporary: *mut MYSQL_STMT, text: &[u8], values: &[Value]) -> Result<Executed, Failure> {
        let succeeded = |code: c_int| if code == 0 { Ok(()) } else { Err(self.failure_of(temporary)) };
        succeeded(on_statement!(self.mysql_stmt_prepare(temporary, text.as_ptr().cast(), text.len() as c_ulong)))?;
        if on_statement!(self.mysql_stmt_param_count(temporary)) as usize != values.len() {
            return Err(other_columns());
        }
        self.bind_and_execute(temporary, values)?;
        if self.field_count() == 0 {
            let (affected, insert_id) = (
                on_statement!(self.mysql_stmt_affected_rows(temporary)),
                on_statement!(self.mysql_stmt_insert_id(temporary)),
            );
            return Ok(Executed::Done { affected, insert_id });
        }
        succeeded(on_statement!(self.mysql_stmt_store_result(temporary)))?;
        Ok(Executed::Rows(self.digest_of(temporary)))
    }

    /// Digests what `mysql_stmt_store_result` has just stored.
    pub fn digest_statement(&self, statement: ActiveStatement) -> Digest {
        self.digest_of(statement.pointer())
    }

    fn digest_of(&self, statement: *mut MYSQL_STMT) -> Digest {
        // libmysqlclient leaves the packet's first byte out of a row, and counts it all the same.
        let left_out = usize::from(self.api().mariadb_reconnect.is_none());
        let mut digesting = Digesting::default();
        let mut row = on_statement!(self.mysql_stmt_row_tell(statement));
        while !row.is_null() {
            // SAFETY: a list of stored rows, ended by null, each with so many bytes.
            unsafe {
                let length = ((*row).length as usize).saturating_sub(left_out);
                digesting.row(&[Some(std::slice::from_raw_parts((*row).data, length))]);
                row = (*row).next;
            }
        }
        digesting.finish()
    }
}
