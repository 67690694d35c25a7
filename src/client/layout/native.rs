//! One `MYSQL` of the application: its state read, its functions called, its connection replaced in place.
//!
//! Exists only while a call of the application on that handle is under way, so the pointer is valid and no other thread
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
    statement_layout::StatementLayout,
    sys::*,
};
use crate::{
    control::{config, option::Mode},
    host::{ending, exchange::Waits, patience, socket},
    process::current::identity,
    protect::line::Answer,
    session::transaction::{Digest, Digesting},
    sql::Server,
    verdict::failure::Failure,
};

/// A handle of the application, during a call on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Active(usize);

impl Active {
    /// # Safety
    /// The application is inside a call on `mysql`, or on a statement of it, and stays in it while this is used.
    pub unsafe fn new(mysql: *mut MYSQL) -> Self {
        Active(mysql as usize)
    }

    /// The address, as which the registry knows it.
    pub fn key(self) -> usize {
        Called::key(self)
    }
}

/// A prepared statement of the application, during a call on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveStatement(usize);

impl ActiveStatement {
    /// # Safety
    /// The application is inside a call on `statement`, or on its handle, and stays in it while this is used: until it
    /// is closed, a statement is used by the thread that uses its handle.
    pub unsafe fn new(statement: *mut MYSQL_STMT) -> Self {
        ActiveStatement(statement as usize)
    }

    pub(super) fn pointer(self) -> *mut MYSQL_STMT {
        self.0 as *mut MYSQL_STMT
    }

    pub fn key(self) -> usize {
        Called::key(self)
    }
}

/// Code that has one is in a call on that object.
pub trait Called: Copy {
    /// Its address.
    fn key(self) -> usize;
}

impl Called for Active {
    fn key(self) -> usize {
        self.0
    }
}

impl Called for ActiveStatement {
    fn key(self) -> usize {
        self.0
    }
}

#[derive(Clone, Copy)]
pub struct Native {
    active: Active,
    managed: &'static Managed,
}

/// Calls a function of the handle's own library on the handle.
macro_rules! on_handle {
    ($native:ident.$function:ident($($argument:expr),*)) => {
        // SAFETY: the handle is valid and no other thread uses it (see `Active::new`), and the function is its own
        // library's (see `Native::new`). The arguments are valid as the function's manual page wants them.
        unsafe { ($native.api().$function)($native.mysql(), $($argument),*) }
    };
}

pub(super) use on_handle;

impl Native {
    /// `managed` describes the library that the application calls the handle with.
    pub fn new(active: Active, managed: &'static Managed) -> Self {
        Native { active, managed }
    }

    pub(super) fn mysql(&self) -> *mut MYSQL {
        self.active.0 as *mut MYSQL
    }

    pub(super) fn api(&self) -> &'static Api {
        &self.managed.api
    }

    pub(super) fn managed(&self) -> &'static Managed {
        self.managed
    }

    pub(super) fn statement_layout(&self) -> Option<&'static StatementLayout> {
        self.managed.statements()
    }

    pub fn thread_id(&self) -> c_ulong {
        on_handle!(self.mysql_thread_id())
    }

    pub fn affected_rows(&self) -> u64 {
        on_handle!(self.mysql_affected_rows())
    }

    pub fn insert_id(&self) -> u64 {
        on_handle!(self.mysql_insert_id())
    }

    pub fn field_count(&self) -> c_uint {
        on_handle!(self.mysql_field_count())
    }

    /// The number of warnings of the last statement on the connection, once its rows are read.
    pub fn warning_count(&self) -> u32 {
        on_handle!(self.mysql_warning_count())
    }

    pub fn more_results(&self) -> bool {
        // What mysql_more_results() looks at, in every version of both libraries.
        self.server_status() & SERVER_MORE_RESULTS_EXIST != 0
    }

    /// By the version that the server has greeted with, of which a proxy may have made another one.
    pub fn is_mariadb_server(&self) -> bool {
        let version = on_handle!(self.mysql_get_server_info());
        // SAFETY: a NUL-terminated text that the library owns, or null.
        let version = unsafe { text(version) };
        version.windows(7).any(|word| word.eq_ignore_ascii_case(b"MariaDB"))
    }

    pub fn character_set(&self) -> Vec<u8> {
        let name = on_handle!(self.mysql_character_set_name());
        // SAFETY: a NUL-terminated name that the library owns, or null.
        unsafe { text(name) }.to_vec()
    }

    /// Is the connection's character set one of these?
    pub fn has_character_set(&self, names: &[&str]) -> bool {
        let name = on_handle!(self.mysql_character_set_name());
        // SAFETY: a NUL-terminated name that the library owns, or null.
        let name = unsafe { text(name) };
        names.iter().any(|other| other.as_bytes() == name)
    }

    /// Which server it is, as far as it says.
    pub fn server(&self) -> Server {
        if !self.connected() {
            // libmysqlclient would make an error of the question.
            return Server::Unknown;
        }
        let info = on_handle!(self.mysql_get_server_info());
        // SAFETY: a NUL-terminated text that the library owns, or null.
        Server::of(unsafe { text(info) })
    }

    pub fn failure(&self) -> Failure {
        let (state, text) = (on_handle!(self.mysql_sqlstate()), on_handle!(self.mysql_error()));
        // SAFETY: both are NUL-terminated, inside the handle, and read before anything else is done with it.
        let (state, text) = unsafe { (self::text(state), self::text(text)) };
        let mut sqlstate = *b"HY000";
        if state.len() == sqlstate.len() {
            sqlstate.copy_from_slice(state);
        }
        Failure { number: self.error_number(), sqlstate, text: text.to_vec() }
    }

    pub fn error_number(&self) -> u32 {
        on_handle!(self.mysql_errno())
    }

    /// The read timeout that the application set on the handle, if it did.
    pub fn read_timeout(&self) -> Option<Duration> {
        self.seconds(MYSQL_OPT_READ_TIMEOUT)
    }

    /// How long the application itself is willing to wait for a connect, if it said so.
    pub fn connect_patience(&self) -> Option<Duration> {
        self.seconds(MYSQL_OPT_CONNECT_TIMEOUT)
    }

    fn seconds(&self, option: c_int) -> Option<Duration> {
        let mut seconds: c_uint = 0;
        let failed = on_handle!(self.mysql_get_option(option, (&raw mut seconds).cast()));
        // libmysqlclient's built-in default is a year.
        (failed == 0 && seconds > 0 && seconds < 24 * 3600).then(|| Duration::from_secs(seconds.into()))
    }

    /// A field of the structure.
    pub(super) fn field<T>(&self, offset: usize) -> *mut T {
        self.mysql().cast::<u8>().wrapping_add(offset).cast()
    }

    pub fn server_status(&self) -> c_uint {
        // SAFETY: the offset was calibrated on this very library.
        unsafe { self.field::<c_uint>(self.managed.layout.server_status).read() }
    }

    pub fn set_server_status(&self, status: c_uint) {
        // SAFETY: as above.
        unsafe { self.field::<c_uint>(self.managed.layout.server_status).write(status) }
    }

    pub fn connected(&self) -> bool {
        // SAFETY: the first member in every version of both libraries.
        unsafe { !self.field::<*const u8>(NET_VIO).read().is_null() }
    }

    /// The socket, also after the connection was found dead.
    pub fn fd(&self) -> c_int {
        // SAFETY: at this place in every version of both libraries.
        unsafe { self.field::<c_int>(NET_FD).read() }
    }

    pub fn peer(&self) -> Option<SocketAddr> {
        if self.connected() { socket::peer(self.fd()) } else { None }
    }

    /// Has the server ended the connection already?
    pub fn hung_up(&self) -> bool {
        !self.connected() || socket::hung_up(self.fd())
    }

    /// Has the connection ended? Asked just before something is sent: the usual answer is cheap.
    pub fn has_ended(&self) -> bool {
        !self.connected() || socket::has_ended(self.fd())
    }

    /// How answers on this connection are to be waited for. `None` under TLS: there the library may write after a statement
    /// (an alert, new keys), so that a tail that never left may be that; and it does not read by `recv`.
    pub fn waits(&self) -> Option<Waits> {
        if !self.connected() || !on_handle!(self.mysql_get_ssl_cipher()).is_null() {
            return None;
        }
        // libmariadb 3.3 and 3.4, plugins/pvio/pvio_socket.c: a `recv` that does not wait, and then, without a time limit or a
        // function of the application, nothing but `poll` and the same `recv`.
        let (mut seconds, mut function): (c_uint, usize) = (0, 0);
        let told = self.managed.polls
            && config().mode != Mode::Observe
            && on_handle!(self.mysql_get_option(MYSQL_OPT_READ_TIMEOUT, (&raw mut seconds).cast())) == 0
            && on_handle!(self.mysql_get_option(MARIADB_OPT_IO_WAIT, (&raw mut function).cast())) == 0;
        Some(if told && seconds == 0 && function == 0 { Waits::InRecv } else { Waits::Itself })
    }

    /// The next statement may ask for a file's content.
    pub fn expect_a_stream(&self) {
        if self.connected() {
            patience::clear_user_timeout(self.fd());
        }
    }

    /// Makes the library report this error for the last call.
    pub fn set_failure(&self, failure: &Failure) {
        let layout = &self.managed.layout;
        let length = failure.text.len().min(ERROR_TEXT - 1);
        let (text, state) = (self.field::<u8>(layout.last_error), self.field::<u8>(layout.sqlstate));
        // SAFETY: calibrated offsets of a number, of an array of ERROR_TEXT and of one of SQLSTATE bytes, that do not
        // overlap; lengths are kept below both.
        unsafe {
            self.field::<c_uint>(layout.last_errno).write(failure.number);
            ptr::copy_nonoverlapping(failure.text.as_ptr(), text, length);
            text.add(length).write(0);
            ptr::copy_nonoverlapping(failure.sqlstate.as_ptr(), state, SQLSTATE - 1);
            state.add(SQLSTATE - 1).write(0);
        }
    }

    /// Runs a statement and collects its whole reply.
    pub fn query(&self, text: &[u8]) -> Result<Answer, Failure> {
        if self.run(text) != 0 {
            return Err(self.failure());
        }
        if self.field_count() == 0 {
            let reply = Answer::Done { affected: self.affected_rows(), insert_id: self.insert_id() };
            self.skip_further_results();
            return Ok(reply);
        }
        let mut rows = Vec::new();
        let result = on_handle!(self.mysql_store_result());
        if result.is_null() {
            return Err(self.failure());
        }
        self.each_row(result, |row| rows.push(row.iter().map(|field| field.map(<[u8]>::to_vec)).collect()));
        self.free(result);
        self.skip_further_results();
        Ok(Answer::Rows(rows))
    }

    /// Runs a statement; the reply stays on the handle, as the application expects it. Returns what the library did.
    pub fn run(&self, text: &[u8]) -> c_int {
        on_handle!(self.mysql_real_query(text.as_ptr().cast(), text.len() as c_ulong))
    }

    /// A replayed text may be a multi-statement: nothing may stay on the handle.
    fn skip_further_results(&self) {
        while self.more_results() && on_handle!(self.mysql_next_result()) == 0 {
            if self.field_count() > 0 {
                let result = on_handle!(self.mysql_store_result());
                if !result.is_null() {
                    self.free(result);
                }
            }
        }
    }

    fn free(&self, result: *mut MYSQL_RES) {
        // SAFETY: a result that we stored and no other code has seen.
        unsafe { (self.managed.api.mysql_free_result)(result) }
    }

    /// Digests what `mysql_store_result` of this handle has just returned.
    pub fn digest(&self, result: *mut MYSQL_RES) -> Digest {
        let mut digesting = Digesting::default();
        self.each_row(result, |row| digesting.row(row));
        digesting.finish()
    }

    /// Walks all rows of a result just stored and puts its cursor back to the first row.
    pub(super) fn each_row(&self, result: *mut MYSQL_RES, mut row_seen: impl FnMut(&[Option<&[u8]>])) {
        let api = &self.managed.api;
        // SAFETY: the result is valid and complete; a row has as many values and lengths as the result has fields, and
        // both are valid until the next row is fetched.
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
        self.succeeded(on_handle!(self.mysql_select_db(name.as_ptr())))
    }

    /// `mysql_set_character_set`: the library's and the session's.
    pub fn set_character_set(&self, name: &[u8]) -> Result<(), Failure> {
        let name = CString::new(name).map_err(|_| Failure::new(1115, b"42000", "a NUL byte in a character set"))?;
        self.succeeded(on_handle!(self.mysql_set_character_set(name.as_ptr())))
    }

    /// `mysql_reset_connection`, of which the application's prepared statements learn nothing.
    pub fn reset_connection(&self) -> Result<(), Failure> {
        let hidden = self.hide_statements();
        let code = on_handle!(self.mysql_reset_connection());
        if let Some(hidden) = hidden {
            self.show_statements(hidden);
        }
        self.succeeded(code)
    }

    /// `mysql_set_server_option`.
    pub fn set_server_option(&self, option: c_int) -> Result<(), Failure> {
        self.succeeded(on_handle!(self.mysql_set_server_option(option)))
    }

    pub(super) fn succeeded(&self, code: c_int) -> Result<(), Failure> {
        if code == 0 { Ok(()) } else { Err(self.failure()) }
    }

    /// Ends the connection to `peer`, so that the library itself finds it lost at the next call. A socket that leads
    /// elsewhere is not the library's, whatever it believes: its descriptor was closed behind its back. Not in a
    /// child, where it is the parent's.
    pub fn cut(&self, peer: Option<SocketAddr>) {
        if self.connected() && identity() != 0 && peer.is_some() && self.peer() == peer {
            ending::shutdown(self.fd());
        }
    }
}

/// A NUL-terminated string of the caller, or empty.
///
/// # Safety
/// Null, or NUL-terminated and alive for `'a`.
pub unsafe fn text<'a>(pointer: *const c_char) -> &'a [u8] {
    if pointer.is_null() {
        b""
    } else {
        // SAFETY: as the caller vouches.
        unsafe { CStr::from_ptr(pointer) }.to_bytes()
    }
}
