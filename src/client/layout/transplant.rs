//! The transplant: a prepared statement is prepared anew on another connection, without its owner noticing.

use std::ffi::{c_ulong, c_void};

use super::{
    native::{ActiveStatement, Native},
    statement_layout::StatementLayout,
    statements::{on_statement, other_columns, out_of_memory},
    sys::*,
};
use crate::verdict::failure::Failure;

impl Native {
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
                // Closing it must not close what it was made for: it becomes a statement without a handle.
                new.unlink(self.stmts(layout));
                new.mysql().write(std::ptr::null_mut());
            }
        }
        on_statement!(self.mysql_stmt_close(temporary));
        if on_statement!(self.mysql_stmt_errno(statement.pointer())) == crate::verdict::evidence::SERVER_LOST {
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
