//! Doors of the client library: the `mysql_*` calls that touch the network, and those that end what they began.

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_void};

use super::wake;
use crate::client::{
    Call, connect,
    layout::{
        native::{Active, ActiveStatement, text},
        sys::{MYSQL, MYSQL_BIND, MYSQL_RES, MYSQL_STMT},
    },
    prepared, results, session_calls, text,
};

/// `CR_UNKNOWN_ERROR`, for a function that the caller's library does not have.
const FAILED: c_int = 2000;

mysql_doors! {
    from 0;

    fn mysql_real_query(mysql: *mut MYSQL, query: *const c_char, length: c_ulong) -> c_int, FAILED, |call, real| {
        // SAFETY: the application passes `length` readable bytes, or a string (see `sized`).
        let text = unsafe { sized(call, query, length) };
        text::query(call, active(mysql), text, real)
    }

    fn mysql_query(mysql: *mut MYSQL, query: *const c_char) -> c_int, FAILED, |call, real| {
        // SAFETY: the application passes a NUL-terminated string.
        let text = unsafe { text(query) };
        text::query(call, active(mysql), text, real)
    }

    fn mysql_send_query(mysql: *mut MYSQL, query: *const c_char, length: c_ulong) -> c_int, FAILED, |call, real| {
        // SAFETY: the application passes `length` readable bytes, or a string (see `sized`).
        let text = unsafe { sized(call, query, length) };
        text::send_query(call, active(mysql), text, real)
    }

    /// `my_bool` in libmariadb, `bool` in libmysqlclient: one byte either way.
    fn mysql_read_query_result(mysql: *mut MYSQL) -> c_char, 1, |call, real| {
        byte(text::read_query_result(call, active(mysql), || c_int::from(real())))
    }

    fn mysql_store_result(mysql: *mut MYSQL) -> *mut MYSQL_RES, std::ptr::null_mut(), |call, real| {
        results::store_result(call, active(mysql), real)
    }

    fn mysql_use_result(mysql: *mut MYSQL) -> *mut MYSQL_RES, std::ptr::null_mut(), |call, real| {
        results::use_result(call, active(mysql), real)
    }

    fn mysql_next_result(mysql: *mut MYSQL) -> c_int, FAILED, |call, real| {
        results::next_result(call, active(mysql), real)
    }

    fn mysql_free_result(result: *mut MYSQL_RES) -> *mut c_void, std::ptr::null_mut(), |_call, real| {
        real();
        results::freed(result);
        std::ptr::null_mut()
    }

    fn mysql_ping(mysql: *mut MYSQL) -> c_int, FAILED, |call, real| {
        text::ping(call, active(mysql), real)
    }

    fn mysql_select_db(mysql: *mut MYSQL, name: *const c_char) -> c_int, FAILED, |call, real| {
        // SAFETY: the application passes a NUL-terminated string or null.
        let name = unsafe { text(name) };
        text::select_db(call, active(mysql), name, real)
    }

    fn mysql_autocommit(mysql: *mut MYSQL, mode: c_char) -> c_char, 1, |call, real| {
        byte(text::set_autocommit(call, active(mysql), mode != 0, || c_int::from(real())))
    }

    fn mysql_commit(mysql: *mut MYSQL) -> c_char, 1, |call, real| {
        byte(text::query(call, active(mysql), b"COMMIT", || c_int::from(real())))
    }

    fn mysql_rollback(mysql: *mut MYSQL) -> c_char, 1, |call, real| {
        byte(text::query(call, active(mysql), b"ROLLBACK", || c_int::from(real())))
    }

    fn mysql_set_character_set(mysql: *mut MYSQL, name: *const c_char) -> c_int, FAILED, |call, real| {
        // SAFETY: the application passes a NUL-terminated string or null.
        let name = unsafe { text(name) };
        session_calls::set_character_set(call, active(mysql), name, real)
    }

    fn mysql_change_user(mysql: *mut MYSQL, user: *const c_char, password: *const c_char, db: *const c_char)
        -> c_char, 1, |call, real|
    {
        // SAFETY: the application passes NUL-terminated strings or null.
        let login = unsafe { [given(user), given(password)] };
        byte(session_calls::change_user(call, active(mysql), login, || c_int::from(real())))
    }

    fn mysql_reset_connection(mysql: *mut MYSQL) -> c_int, FAILED, |call, real| {
        session_calls::reset_connection(call, active(mysql), real)
    }

    fn mysql_set_server_option(mysql: *mut MYSQL, option: c_int) -> c_int, FAILED, |call, real| {
        session_calls::server_option(call, active(mysql), option, real)
    }

    fn mysql_close(mysql: *mut MYSQL) -> *mut c_void, std::ptr::null_mut(), |call, real| {
        session_calls::close(call, active(mysql), || { real(); });
        std::ptr::null_mut()
    }

    fn mysql_stat(mysql: *mut MYSQL) -> *const c_char, std::ptr::null(), |call, real| {
        text::never_retried(call, active(mysql), real)
    }

    fn mysql_dump_debug_info(mysql: *mut MYSQL) -> c_int, FAILED, |call, real| {
        text::never_retried(call, active(mysql), real)
    }

    fn mysql_refresh(mysql: *mut MYSQL, options: c_uint) -> c_int, FAILED, |call, real| {
        text::never_retried(call, active(mysql), real)
    }

    fn mysql_kill(mysql: *mut MYSQL, id: c_ulong) -> c_int, FAILED, |call, real| {
        session_calls::kill(call, active(mysql), id, real)
    }

    fn mysql_shutdown(mysql: *mut MYSQL, level: c_int) -> c_int, FAILED, |call, real| {
        text::left_in_place(call, active(mysql), real)
    }

    fn mysql_list_dbs(mysql: *mut MYSQL, wild: *const c_char) -> *mut MYSQL_RES, std::ptr::null_mut(), |call, real| {
        text::never_retried(call, active(mysql), real)
    }

    fn mysql_list_tables(mysql: *mut MYSQL, wild: *const c_char) -> *mut MYSQL_RES, std::ptr::null_mut(), |call, real| {
        text::never_retried(call, active(mysql), real)
    }

    fn mysql_list_fields(mysql: *mut MYSQL, table: *const c_char, wild: *const c_char)
        -> *mut MYSQL_RES, std::ptr::null_mut(), |call, real|
    {
        text::never_retried(call, active(mysql), real)
    }

    fn mysql_list_processes(mysql: *mut MYSQL) -> *mut MYSQL_RES, std::ptr::null_mut(), |call, real| {
        text::never_retried(call, active(mysql), real)
    }

    fn mysql_stmt_init(mysql: *mut MYSQL) -> *mut MYSQL_STMT, std::ptr::null_mut(), |call, real| {
        let made = real();
        session_calls::statement_made(call, active(mysql), active_statement(made));
        made
    }

    fn mysql_stmt_prepare(statement: *mut MYSQL_STMT, query: *const c_char, length: c_ulong) -> c_int, FAILED,
        |call, real|
    {
        // SAFETY: the application passes `length` readable bytes, or a string (see `sized`).
        let text = unsafe { sized(call, query, length) };
        prepared::prepare(call, active_statement(statement), text, real)
    }

    fn mysql_stmt_execute(statement: *mut MYSQL_STMT) -> c_int, FAILED, |call, real| {
        prepared::execute(call, active_statement(statement), real)
    }

    fn mysql_stmt_store_result(statement: *mut MYSQL_STMT) -> c_int, FAILED, |call, real| {
        prepared::store_result(call, active_statement(statement), real)
    }

    fn mysql_stmt_next_result(statement: *mut MYSQL_STMT) -> c_int, FAILED, |call, real| {
        prepared::next_result(call, active_statement(statement), real)
    }

    fn mysql_stmt_send_long_data(statement: *mut MYSQL_STMT, parameter: c_uint, data: *const c_char, length: c_ulong)
        -> c_char, 1, |call, real|
    {
        let bytes: &[u8] = if data.is_null() || length == 0 {
            b""
        } else {
            // SAFETY: the application passes `length` readable bytes.
            unsafe { std::slice::from_raw_parts(data.cast(), length as usize) }
        };
        byte(prepared::send_long_data(call, active_statement(statement), parameter, bytes, || c_int::from(real())))
    }

    fn mysql_stmt_bind_param(statement: *mut MYSQL_STMT, binds: *mut MYSQL_BIND) -> c_char, 1, |call, real| {
        let failed = real();
        if failed == 0 {
            prepared::bound(call, active_statement(statement), Some(binds as usize));
        }
        failed
    }

    fn mysql_stmt_bind_named_param(
        statement: *mut MYSQL_STMT, binds: *mut MYSQL_BIND, count: c_uint, names: *mut *const c_char
    ) -> c_char, 1, |call, real| {
        prepared::bound(call, active_statement(statement), None);
        real()
    }

    fn mysql_stmt_attr_set(statement: *mut MYSQL_STMT, attribute: c_int, value: *const c_void)
        -> c_char, 1, |call, real|
    {
        prepared::attribute_set(call, active_statement(statement), attribute);
        real()
    }

    fn mysql_stmt_reset(statement: *mut MYSQL_STMT) -> c_char, 1, |call, real| {
        byte(prepared::reset(call, active_statement(statement), || c_int::from(real())))
    }

    fn mysql_stmt_free_result(statement: *mut MYSQL_STMT) -> c_char, 1, |call, real| {
        byte(prepared::free_result(call, active_statement(statement), || c_int::from(real())))
    }

    fn mysql_stmt_close(statement: *mut MYSQL_STMT) -> c_char, 1, |call, real| {
        byte(prepared::close(call, active_statement(statement), || c_int::from(real())))
    }
}

/// What a function that returns one byte has returned, or the 1 of an error of ours.
fn byte(code: c_int) -> c_char {
    code as c_char
}

/// The handle of the call that is under way.
pub(super) fn active(mysql: *mut MYSQL) -> Active {
    // SAFETY: only the doors in this file call this, with the argument that the application called them with.
    unsafe { Active::new(mysql) }
}

/// The prepared statement of the call that is under way.
fn active_statement(statement: *mut MYSQL_STMT) -> ActiveStatement {
    // SAFETY: as above.
    unsafe { ActiveStatement::new(statement) }
}

/// A statement text. libmariadb takes the lengths 0 and -1 for "up to the NUL byte".
///
/// # Safety
/// `pointer` is null or has `length` readable bytes, or is such a string, for as long as the call lasts.
pub(super) unsafe fn sized<'a>(call: Call, pointer: *const c_char, length: c_ulong) -> &'a [u8] {
    if pointer.is_null() {
        return b"";
    }
    if length == c_ulong::MAX || length == 0 && call.measures_empty_texts() {
        // SAFETY: as the caller vouches.
        return unsafe { text(pointer) };
    }
    // SAFETY: as the caller vouches.
    unsafe { std::slice::from_raw_parts(pointer.cast(), length as usize) }
}

/// Behind all others: it is written out by hand.
const REAL_CONNECT: usize = super::asynchronous::END;

type RealConnect = unsafe extern "C" fn(
    *mut MYSQL,
    *const c_char,
    *const c_char,
    *const c_char,
    *const c_char,
    c_uint,
    *const c_char,
    c_ulong,
) -> *mut MYSQL;

/// Eight arguments leave no register for the return address, so this stub hands it over on the stack.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub extern "C" fn mysql_real_connect(
    mysql: *mut MYSQL,
    host: *const c_char,
    user: *const c_char,
    password: *const c_char,
    db: *const c_char,
    port: c_uint,
    socket: *const c_char,
    flags: c_ulong,
) -> *mut MYSQL {
    core::arch::naked_asm!(call_with_caller_as_ninth!(), body = sym real_connect_body)
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
extern "C" fn real_connect_body(
    mysql: *mut MYSQL,
    host: *const c_char,
    user: *const c_char,
    password: *const c_char,
    db: *const c_char,
    port: c_uint,
    socket: *const c_char,
    flags: c_ulong,
    caller: usize,
) -> *mut MYSQL {
    let call = if wake::wake_to_connect() { Some(calling(caller)) } else { None };
    let address = match call {
        Some(call) => real_connect_of(call),
        None => wake::real_of(c"mysql_real_connect", caller),
    };
    if address.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: the symbol of this name in a MySQL client library has this C signature.
    let function: RealConnect = unsafe { std::mem::transmute(address) };
    // SAFETY: the arguments are the caller's own; `more` only adds client-side flags.
    let real = |more| unsafe { function(mysql, host, user, password, db, port, socket, flags | more) };
    match call {
        // SAFETY: the application passes a NUL-terminated string or null.
        Some(call) => protected_connect(
            call,
            active(mysql),
            unsafe { text(host) },
            port,
            unsafe { [given(user), given(password)] },
            real,
        ),
        None => real(0),
    }
}

// Not inlined, any of these: nothing of it may be done before the library is awake.

/// # Safety
/// `argument` is a NUL-terminated string that outlives the call, or null.
unsafe fn given<'a>(argument: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller vouches for it.
    (!argument.is_null()).then(|| unsafe { text(argument) })
}

#[inline(never)]
fn calling(caller: usize) -> Call {
    Call::from(caller)
}

#[inline(never)]
fn real_connect_of(call: Call) -> *mut c_void {
    call.real(REAL_CONNECT, c"mysql_real_connect")
}

#[inline(never)]
fn protected_connect(
    call: Call,
    mysql: Active,
    host: &[u8],
    port: c_uint,
    login: [Option<&[u8]>; 2],
    real: impl Fn(c_ulong) -> *mut MYSQL,
) -> *mut MYSQL {
    connect::real_connect(call, mysql, host, port, login, real)
}
