//! Prepared statements of one handle: their state read, their errors set, one prepared anew without its owner noticing.

use std::ffi::{c_int, c_uint, c_ulong, c_void};

use super::{
    calibration::{ERROR_TEXT, SQLSTATE},
    native::{ActiveStatement, Failure, Native, text},
    parameters,
    statement_layout::StatementLayout,
    sys::*,
};
use crate::session::{
    execution::{Content, Value},
    transaction::{Digest, Digesting},
};

/// The statement's columns are not what they were (`CR_NEW_STMT_METADATA`).
fn other_columns() -> Failure {
    let text = "The number of columns in the result set differs from the number of bound buffers. You must reset the \
                statement, rebind the result set columns, and execute the statement again";
    Failure::new(2057, b"HY000", text)
}

/// `CR_OUT_OF_MEMORY`.
fn out_of_memory() -> Failure {
    Failure::new(2008, b"HY000", "MySQL client ran out of memory")
}

/// What an execution that we made ourselves came to.
pub enum Executed {
    Done { affected: u64, insert_id: u64 },
    Rows(Digest),
}

/// Calls a function of the handle's own library on one of its statements.
macro_rules! on_statement {
    ($native:ident.$function:ident($statement:expr $(, $argument:expr)*)) => {
        // SAFETY: a live statement of a handle that the application is in a call on, so nobody else uses it (see
        // `ActiveStatement::new`), or one of our own. The arguments are valid as the function's manual page wants them.
        unsafe { ($native.api().$function)($statement, $($argument),*) }
    };
}

impl Native {
    /// The error of a prepared statement of this handle.
    pub fn statement_failure(&self, statement: ActiveStatement) -> Failure {
        self.failure_of(statement.pointer())
    }

    fn failure_of(&self, statement: *mut MYSQL_STMT) -> Failure {
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
        /// libmariadb: the states of a statement that was executed and waits for nothing, and of one whose rows were
        /// all fetched. libmysqlclient counts a statement whose rows are over as prepared.
        const EXECUTED: u32 = 2;
        const FETCH_DONE: u32 = 6;
        let Some((layout, state)) = self.statement_layout().zip(self.statement_state(statement)) else { return false };
        match self.api().mariadb_reconnect {
            Some(_) => state <= EXECUTED || state == FETCH_DONE,
            None => state <= layout.unprepared + 1,
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
        let (parameters, _) = self.statement_counts(statement);
        // SAFETY: a calibrated offset of a live statement; the library's array has an element for each parameter.
        unsafe {
            let first = statement.pointer().cast::<u8>().add(params).cast::<*const MYSQL_BIND>().read();
            (!first.is_null()).then(|| std::slice::from_raw_parts(first, parameters as usize))
        }
    }

    /// The values that an execution under way is about to send, in `memory` that earlier ones have left.
    pub fn values(
        &self,
        binds: &[MYSQL_BIND],
        memory: Vec<Value>,
        long: impl Fn(u32) -> Option<Vec<u8>>,
    ) -> Option<Vec<Value>> {
        // `MYSQL_TIME`: libmysqlclient's has a time zone at its end.
        let time = if self.api().mariadb_reconnect.is_some() { 40 } else { 48 };
        // SAFETY: called inside mysql_stmt_execute with what was bound last.
        unsafe { parameters::read(binds, time, memory, long) }
    }

    /// Learns where this library keeps what, if that is not known yet. Nothing may be under way on the handle.
    pub fn examine_statements(&self) {
        self.managed().examine_statements(self.mysql());
    }

    pub fn statements_can_be_moved(&self) -> bool {
        self.statement_layout().is_some()
    }

    /// libmariadb agrees with its server that the columns that were told with the preparation are not told again with an
    /// execution: they are copied to where it would put them. False if rows that were stored before have to be read by
    /// other columns.
    fn copy_columns(&self, from: *mut MYSQL_STMT, to: *mut MYSQL_STMT, fields: u32, rows_stored: bool) -> bool {
        if self.api().mariadb_reconnect.is_none() || fields == 0 {
            return true;
        }
        if on_statement!(self.mysql_stmt_field_count(to)) != fields {
            return !rows_stored;
        }
        let of = |statement| {
            let told = on_statement!(self.mysql_stmt_result_metadata(statement));
            if told.is_null() {
                return None;
            }
            let api = self.api();
            // SAFETY: just made; the columns themselves belong to the statement.
            let columns = unsafe { (api.mysql_fetch_fields)(told) };
            // SAFETY: as above, and freed once.
            unsafe { (api.mysql_free_result)(told) };
            Some(columns)
        };
        let (Some(from), Some(to)) = (of(from), of(to)) else { return false };
        let mut same = true;
        for at in 0..fields as usize {
            // SAFETY: both statements have so many columns, each its own.
            let (new, old) = unsafe { (&*from.add(at), &mut *to.add(at)) };
            let numbers = |of: &MYSQL_FIELD| (of.kind, of.length, of.flags, of.decimals, of.charset);
            if numbers(new) != numbers(old) {
                same = false;
                if !rows_stored {
                    (old.kind, old.length, old.flags, old.decimals, old.charset) = numbers(new);
                }
            }
        }
        same || !rows_stored
    }

    /// Prepares on this connection what `statement` was prepared with on an earlier one, and puts the new id into it:
    /// whatever is bound to it, or stored, stays. `state`: how far it had got. After an error it belongs to nothing on the
    /// server.
    pub fn prepare_again(
        &self,
        statement: ActiveStatement,
        text: &[u8],
        counts: (u32, u32),
        state: u32,
    ) -> Result<(), Failure> {
        let Some(layout) = self.statement_layout() else { return Err(out_of_memory()) };
        let temporary = on_statement!(self.mysql_stmt_init(self.mysql()));
        if temporary.is_null() {
            return Err(out_of_memory());
        }
        let failed = on_statement!(self.mysql_stmt_prepare(temporary, text.as_ptr().cast(), text.len() as c_ulong));
        let found = (
            on_statement!(self.mysql_stmt_param_count(temporary)) as u32,
            on_statement!(self.mysql_stmt_field_count(temporary)),
        );
        let rows_stored = state > layout.unprepared + 1;
        let outcome = match failed {
            0 if found == counts && self.copy_columns(temporary, statement.pointer(), found.1, rows_stored) => Ok(()),
            0 => Err(other_columns()),
            _ => Err(self.failure_of(temporary)),
        };
        let (own, new) = (Fields::of(statement.pointer(), layout), Fields::of(temporary, layout));
        // SAFETY: calibrated offsets of two live statements of this handle.
        unsafe {
            own.id().write(if outcome.is_ok() { new.id().read() } else { 0 });
            own.state().write(state.max(layout.unprepared + 1));
            if own.mysql().read().is_null() {
                own.mysql().write(self.mysql());
                own.link(self.stmts(layout));
            }
            if outcome.is_ok() {
                // Closing it must not close what it was made for: it becomes nobody's.
                new.unlink(self.stmts(layout));
                new.mysql().write(std::ptr::null_mut());
            }
        }
        on_statement!(self.mysql_stmt_close(temporary));
        if on_statement!(self.mysql_stmt_errno(statement.pointer())) == crate::evidence::SERVER_LOST {
            // The library's word for what happened to it when its connection went.
            self.set_statement_failure(statement, &Failure::new(0, b"00000", ""));
        }
        outcome
    }

    /// The statement is what it was before its connection was replaced, but for that connection: it can be bound, and its
    /// execution says that the server is lost. libmysqlclient says so by itself.
    pub fn seem_prepared(&self, statement: ActiveStatement, state: u32, without_rows: bool) {
        let Some(layout) = self.statement_layout().filter(|_| self.api().mariadb_reconnect.is_some()) else { return };
        if state > layout.unprepared {
            let state = if without_rows { layout.unprepared + 1 } else { state };
            // SAFETY: a calibrated offset of a live statement of this handle.
            unsafe { Fields::of(statement.pointer(), layout).state().write(state) };
        }
    }

    /// Takes all statements off the handle, so that the library does not end them. Null: there are none.
    pub(super) fn hide_statements(&self) -> Option<Hidden> {
        let stmts = self.stmts(self.statement_layout()?);
        // SAFETY: a calibrated offset of a live handle.
        Some(Hidden(unsafe { stmts.replace(std::ptr::null_mut()) }))
    }

    /// Puts them back.
    pub(super) fn show_statements(&self, hidden: Hidden) {
        if let Some(layout) = self.statement_layout() {
            // SAFETY: as above; nothing was linked meanwhile.
            unsafe { self.stmts(layout).write(hidden.0) };
        }
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
        let mut bound = parameters::bind(values);
        if !values.is_empty() {
            on_statement!(self.mysql_stmt_bind_param(statement.pointer(), bound.binds.as_mut_ptr()));
        }
        for (at, value) in (0..).zip(values) {
            if let Content::Long(data) = &value.content {
                self.send_piece(statement.pointer(), at, data)?;
            }
        }
        let failed = on_statement!(self.mysql_stmt_execute(statement.pointer())) != 0;
        let failure = failed.then(|| self.statement_failure(statement));
        if !values.is_empty() {
            self.bind_again(statement, own);
        }
        match failure {
            None => Ok(()),
            Some(failure) => {
                self.set_statement_failure(statement, &failure);
                Err(failure)
            }
        }
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
        let mut bound = parameters::bind(values);
        if !values.is_empty() {
            succeeded(on_statement!(self.mysql_stmt_bind_param(temporary, bound.binds.as_mut_ptr())).into())?;
        }
        for (at, value) in (0..).zip(values) {
            if let Content::Long(data) = &value.content {
                self.send_piece(temporary, at, data)?;
            }
        }
        succeeded(on_statement!(self.mysql_stmt_execute(temporary)))?;
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

    fn stmts(&self, layout: &StatementLayout) -> *mut *mut List {
        self.mysql().cast::<u8>().wrapping_add(layout.stmts).cast()
    }
}

/// The statements of a handle while it has none.
pub(super) struct Hidden(*mut List);

/// `LIST` of both libraries.
#[repr(C)]
struct List {
    prev: *mut List,
    next: *mut List,
    data: *mut c_void,
}

/// Where the fields of one statement are.
struct Fields<'a> {
    base: *mut u8,
    layout: &'a StatementLayout,
}

impl<'a> Fields<'a> {
    fn of(statement: *mut MYSQL_STMT, layout: &'a StatementLayout) -> Self {
        Fields { base: statement.cast(), layout }
    }

    fn id(&self) -> *mut c_ulong {
        self.base.wrapping_add(self.layout.id).cast()
    }

    fn state(&self) -> *mut u32 {
        self.base.wrapping_add(self.layout.state).cast()
    }

    fn mysql(&self) -> *mut *mut MYSQL {
        self.base.wrapping_add(self.layout.mysql).cast()
    }

    fn list(&self) -> *mut List {
        self.base.wrapping_add(self.layout.list).cast()
    }

    /// Puts the statement in front of a handle's others.
    ///
    /// # Safety
    /// A live statement that is in no list, and the list of a live handle; offsets are calibrated.
    unsafe fn link(&self, stmts: *mut *mut List) {
        // SAFETY: as the caller vouches.
        unsafe {
            let (own, first) = (self.list(), stmts.read());
            (*own).prev = std::ptr::null_mut();
            (*own).next = first;
            (*own).data = self.base.cast();
            if !first.is_null() {
                (*first).prev = own;
            }
            stmts.write(own);
        }
    }

    /// # Safety
    /// A live statement that is in this list of a live handle; offsets are calibrated.
    unsafe fn unlink(&self, stmts: *mut *mut List) {
        // SAFETY: as the caller vouches.
        unsafe {
            let (prev, next) = ((*self.list()).prev, (*self.list()).next);
            if prev.is_null() {
                stmts.write(next);
            } else {
                (*prev).next = next;
            }
            if !next.is_null() {
                (*next).prev = prev;
            }
        }
    }
}
