//! One `MYSQL` of the application: its state read, its functions called, its connection replaced in place.
//!
//! Exists only while a call of the application on that handle is under way, so the pointer is valid and nobody else
//! uses it: a handle must not be shared between threads at a time (MySQL C API manual, "Writing C API Threaded
//! Client Programs").

use std::{
    ffi::{CStr, CString, c_char, c_int, c_uint, c_ulong},
    net::SocketAddr,
    ptr,
    time::Duration,
};

use super::{
    calibration::{ERROR_TEXT, NET_FD, NET_VIO, SQLSTATE},
    library::Managed,
    sys::*,
};
use crate::{
    hooks::raw,
    session::transaction::{Digest, Digesting},
};

/// An error as the library keeps it on the handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub number: u32,
    pub sqlstate: [u8; 5],
    pub text: Vec<u8>,
}

impl Failure {
    pub fn new(number: u32, sqlstate: &[u8; 5], text: &str) -> Self {
        Failure { number, sqlstate: *sqlstate, text: text.as_bytes().to_vec() }
    }
}

#[derive(Clone, Copy)]
pub struct Native {
    mysql: *mut MYSQL,
    managed: &'static Managed,
}

/// A reply to a statement that we ran ourselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Done { affected: u64, insert_id: u64 },
    Rows(Vec<Vec<Option<Vec<u8>>>>),
}

impl Native {
    /// # Safety
    /// `mysql` is a handle of the library that `managed` describes, and the application is inside a call on it.
    pub unsafe fn new(mysql: *mut MYSQL, managed: &'static Managed) -> Self {
        Native { mysql, managed }
    }

    // SAFETY (this block): the handle is valid (see `new`), the functions are the library's own and only read it.

    pub fn thread_id(&self) -> c_ulong {
        unsafe { (self.managed.api.mysql_thread_id)(self.mysql) }
    }

    pub fn affected_rows(&self) -> u64 {
        unsafe { (self.managed.api.mysql_affected_rows)(self.mysql) }
    }

    pub fn insert_id(&self) -> u64 {
        unsafe { (self.managed.api.mysql_insert_id)(self.mysql) }
    }

    pub fn field_count(&self) -> c_uint {
        unsafe { (self.managed.api.mysql_field_count)(self.mysql) }
    }

    pub fn more_results(&self) -> bool {
        unsafe { (self.managed.api.mysql_more_results)(self.mysql) != 0 }
    }

    pub fn character_set(&self) -> String {
        let name = unsafe { (self.managed.api.mysql_character_set_name)(self.mysql) };
        if name.is_null() { String::new() } else { unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned() }
    }

    pub fn failure(&self) -> Failure {
        let api = &self.managed.api;
        let (number, state, text) = unsafe {
            let state = CStr::from_ptr((api.mysql_sqlstate)(self.mysql)).to_bytes();
            let text = CStr::from_ptr((api.mysql_error)(self.mysql)).to_bytes();
            ((api.mysql_errno)(self.mysql), state, text)
        };
        let mut sqlstate = *b"HY000";
        if state.len() == sqlstate.len() {
            sqlstate.copy_from_slice(state);
        }
        Failure { number, sqlstate, text: text.to_vec() }
    }

    /// The error of a prepared statement of this handle, just executed.
    pub fn statement_failure(&self, statement: *mut MYSQL_STMT) -> Failure {
        let api = &self.managed.api;
        let (number, text) = unsafe {
            let text = CStr::from_ptr((api.mysql_stmt_error)(statement)).to_bytes();
            ((api.mysql_stmt_errno)(statement), text)
        };
        Failure { number, sqlstate: *b"HY000", text: text.to_vec() }
    }

    /// How long the application itself is willing to wait for a connect, if it said so.
    pub fn connect_patience(&self) -> Option<Duration> {
        self.seconds(MYSQL_OPT_CONNECT_TIMEOUT)
    }

    pub fn error_number(&self) -> u32 {
        unsafe { (self.managed.api.mysql_errno)(self.mysql) }
    }

    /// The read timeout that the application set on the handle, if it did.
    pub fn read_timeout(&self) -> Option<Duration> {
        self.seconds(MYSQL_OPT_READ_TIMEOUT)
    }

    fn seconds(&self, option: c_int) -> Option<Duration> {
        let mut seconds: c_uint = 0;
        let failed = unsafe { (self.managed.api.mysql_get_option)(self.mysql, option, (&raw mut seconds).cast()) };
        // libmysqlclient's built-in default is a year.
        (failed == 0 && seconds > 0 && seconds < 24 * 3600).then(|| Duration::from_secs(seconds.into()))
    }

    // SAFETY (this block): offsets were calibrated on this very library, or are those that every version has.

    pub fn server_status(&self) -> c_uint {
        unsafe { self.at::<c_uint>(self.managed.layout.server_status).read() }
    }

    pub fn set_server_status(&self, status: c_uint) {
        unsafe { self.at::<c_uint>(self.managed.layout.server_status).write(status) }
    }

    pub fn connected(&self) -> bool {
        unsafe { !self.at::<*const u8>(NET_VIO).read().is_null() }
    }

    /// The socket, also after the connection was found dead.
    pub fn fd(&self) -> c_int {
        unsafe { self.at::<c_int>(NET_FD).read() }
    }

    pub fn peer(&self) -> Option<SocketAddr> {
        if self.connected() { raw::peer(self.fd()) } else { None }
    }

    /// Has the server ended the connection already?
    pub fn hung_up(&self) -> bool {
        !self.connected() || raw::hung_up(self.fd())
    }

    /// Makes the library report this error for the last call.
    pub fn set_failure(&self, failure: &Failure) {
        let layout = &self.managed.layout;
        let length = failure.text.len().min(ERROR_TEXT - 1);
        unsafe {
            self.at::<c_uint>(layout.last_errno).write(failure.number);
            let text = self.at::<u8>(layout.last_error);
            ptr::copy_nonoverlapping(failure.text.as_ptr(), text, length);
            text.add(length).write(0);
            let state = self.at::<u8>(layout.sqlstate);
            ptr::copy_nonoverlapping(failure.sqlstate.as_ptr(), state, SQLSTATE - 1);
            state.add(SQLSTATE - 1).write(0);
        }
    }

    unsafe fn at<T>(&self, offset: usize) -> *mut T {
        unsafe { self.mysql.cast::<u8>().add(offset).cast() }
    }

    // SAFETY (this block): the library's own functions on a handle that is between statements, which the callers see to.

    /// Runs a statement and collects its whole reply.
    pub fn query(&self, text: &[u8]) -> Result<Reply, Failure> {
        self.send(text)?;
        self.collect()
    }

    /// Runs a statement; the reply stays on the handle, as the application expects it. True if it succeeded.
    pub fn run(&self, text: &[u8]) -> c_int {
        unsafe { (self.managed.api.mysql_real_query)(self.mysql, text.as_ptr().cast(), text.len() as c_ulong) }
    }

    fn send(&self, text: &[u8]) -> Result<(), Failure> {
        if self.run(text) == 0 { Ok(()) } else { Err(self.failure()) }
    }

    fn collect(&self) -> Result<Reply, Failure> {
        let api = &self.managed.api;
        if self.field_count() == 0 {
            let reply = Reply::Done { affected: self.affected_rows(), insert_id: self.insert_id() };
            self.skip_further_results();
            return Ok(reply);
        }
        let rows = unsafe {
            let result = (api.mysql_store_result)(self.mysql);
            if result.is_null() {
                return Err(self.failure());
            }
            let mut rows = Vec::new();
            self.each_row(result, |row| rows.push(row.iter().map(|field| field.map(<[u8]>::to_vec)).collect()));
            (api.mysql_free_result)(result);
            rows
        };
        self.skip_further_results();
        Ok(Reply::Rows(rows))
    }

    /// A replayed text may be a multi-statement: nothing may stay on the handle.
    fn skip_further_results(&self) {
        let api = &self.managed.api;
        while self.more_results() && unsafe { (api.mysql_next_result)(self.mysql) } == 0 {
            if self.field_count() > 0 {
                unsafe {
                    let result = (api.mysql_store_result)(self.mysql);
                    if !result.is_null() {
                        (api.mysql_free_result)(result);
                    }
                }
            }
        }
    }

    /// Digests a stored result of this handle that the application has not seen yet.
    /// Called with what `mysql_store_result` of this handle has just returned.
    pub fn digest(&self, result: *mut MYSQL_RES) -> Digest {
        let mut digesting = Digesting::default();
        unsafe { self.each_row(result, |row| digesting.row(row)) };
        digesting.finish()
    }

    /// Walks all rows of a stored result and puts its cursor back to the first row.
    ///
    /// # Safety
    /// `result` is a stored result of this handle, just obtained.
    unsafe fn each_row(&self, result: *mut MYSQL_RES, mut row_seen: impl FnMut(&[Option<&[u8]>])) {
        let api = &self.managed.api;
        unsafe {
            let fields = (api.mysql_num_fields)(result) as usize;
            let mut row: Vec<Option<&[u8]>> = Vec::with_capacity(fields);
            loop {
                let values = (api.mysql_fetch_row)(result);
                if values.is_null() {
                    break;
                }
                let lengths = (api.mysql_fetch_lengths)(result);
                row.clear();
                for at in 0..fields {
                    let value = *values.add(at);
                    row.push((!value.is_null()).then(|| {
                        std::slice::from_raw_parts(value.cast::<u8>().cast_const(), *lengths.add(at) as usize)
                    }));
                }
                row_seen(&row);
            }
            (api.mysql_data_seek)(result, 0);
        }
    }

    pub fn select_db(&self, name: &[u8]) -> Result<(), Failure> {
        let name = CString::new(name).map_err(|_| Failure::new(1049, b"42000", "a NUL byte in a database name"))?;
        if unsafe { (self.managed.api.mysql_select_db)(self.mysql, name.as_ptr()) } == 0 {
            Ok(())
        } else {
            Err(self.failure())
        }
    }

    /// `mysql_set_server_option`.
    pub fn set_server_option(&self, option: c_int) -> Result<(), Failure> {
        if unsafe { (self.managed.api.mysql_set_server_option)(self.mysql, option) } == 0 {
            Ok(())
        } else {
            Err(self.failure())
        }
    }

    /// Logs in again on the same handle; the caller has steered the address. On failure the old connection, if it
    /// was alive, is still there.
    pub fn reconnect(&self) -> Result<(), Failure> {
        let Managed { api, layout } = self.managed;
        // Both libraries refuse to reconnect a handle that they believe to be in a transaction.
        self.set_server_status(self.server_status() & !(SERVER_STATUS_IN_TRANS | SERVER_MORE_RESULTS_EXIST));
        let failed = match (api.mariadb_reconnect, layout.reconnect) {
            (Some(mariadb_reconnect), _) => {
                let set = |flag: u8| unsafe {
                    (api.mysql_options)(self.mysql, MARIADB_OPT_RECONNECT, (&raw const flag).cast())
                };
                let mut before: u8 = 0;
                unsafe { (api.mysql_get_option)(self.mysql, MARIADB_OPT_RECONNECT, (&raw mut before).cast()) };
                set(1);
                let failed = unsafe { mariadb_reconnect(self.mysql) } != 0;
                set(before);
                failed
            }
            (None, Some(reconnect)) => unsafe {
                let (flag, unusable) = (self.at::<u8>(reconnect), self.at::<u8>(layout.net_error));
                let before = (flag.read(), unusable.read());
                flag.write(1);
                // "Socket unusable": the next command reconnects first.
                unusable.write(2);
                let thread = self.thread_id();
                let failed = (api.mysql_ping)(self.mysql) != 0;
                flag.write(before.0);
                if failed && self.thread_id() == thread {
                    unusable.write(before.1);
                }
                failed
            },
            (None, None) => true,
        };
        if failed { Err(self.failure()) } else { Ok(()) }
    }

    /// Ends the connection, so that the library itself finds it lost at the next call.
    pub fn cut(&self) {
        if self.connected() {
            raw::shutdown(self.fd());
        }
    }

    pub fn key(&self) -> usize {
        self.mysql as usize
    }
}

/// A NUL-terminated string of the caller, or empty.
///
/// # Safety
/// Null, or NUL-terminated and alive for `'a`.
pub unsafe fn text<'a>(pointer: *const c_char) -> &'a [u8] {
    if pointer.is_null() { b"" } else { unsafe { CStr::from_ptr(pointer) }.to_bytes() }
}
