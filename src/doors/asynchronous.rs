//! Doors of the client libraries' asynchronous calls: MariaDB's `_start` and `_cont`, Oracle's `_nonblocking`.
//!
//! Of MariaDB's, only those that an application needs for texts: whatever else it starts comes by as a nested call.

use std::ffi::{c_char, c_int, c_ulong};

use super::mysql::{active, sized};
use crate::client::{
    asynchronous::{
        Outcome,
        Work::{NextResult, Query, ReadQueryResult, ResetConnection, Send, StoreResult},
        again, step,
    },
    layout::{
        native::text,
        sys::{MYSQL, MYSQL_RES},
    },
    results, session_calls,
};

/// `NET_ASYNC_NOT_READY`, `NET_ASYNC_ERROR`, `NET_ASYNC_COMPLETE_NO_MORE_RESULTS`.
const NOT_READY: c_int = 1;
const ERROR: c_int = 2;
const NO_MORE_RESULTS: c_int = 3;

mysql_doors! {
    from super::mysql::END;

    fn mysql_real_query_start(code: *mut c_int, mysql: *mut MYSQL, query: *const c_char, length: c_ulong) -> c_int, 0,
        |call, real|
    {
        // SAFETY: the application passes `length` readable bytes, or a string (see `sized`).
        let text = unsafe { sized(call, query, length) };
        step(call, active(mysql), Some(Query(text)), || ends(real(), code))
    }

    fn mysql_real_query_cont(code: *mut c_int, mysql: *mut MYSQL, status: c_int) -> c_int, 0, |call, real| {
        step(call, active(mysql), None, || ends(real(), code))
    }

    fn mysql_query_start(code: *mut c_int, mysql: *mut MYSQL, query: *const c_char) -> c_int, 0, |call, real| {
        // SAFETY: the application passes a NUL-terminated string.
        let text = unsafe { text(query) };
        step(call, active(mysql), Some(Query(text)), || ends(real(), code))
    }

    fn mysql_query_cont(code: *mut c_int, mysql: *mut MYSQL, status: c_int) -> c_int, 0, |call, real| {
        step(call, active(mysql), None, || ends(real(), code))
    }

    fn mysql_send_query_start(code: *mut c_int, mysql: *mut MYSQL, query: *const c_char, length: c_ulong) -> c_int, 0,
        |call, real|
    {
        // SAFETY: the application passes `length` readable bytes, or a string (see `sized`).
        let text = unsafe { sized(call, query, length) };
        step(call, active(mysql), Some(Send(text)), || ends(real(), code))
    }

    fn mysql_send_query_cont(code: *mut c_int, mysql: *mut MYSQL, status: c_int) -> c_int, 0, |call, real| {
        step(call, active(mysql), None, || ends(real(), code))
    }

    fn mysql_read_query_result_start(code: *mut c_char, mysql: *mut MYSQL) -> c_int, 0, |call, real| {
        step(call, active(mysql), Some(ReadQueryResult), || ends(real(), code))
    }

    fn mysql_read_query_result_cont(code: *mut c_char, mysql: *mut MYSQL, status: c_int) -> c_int, 0, |call, real| {
        step(call, active(mysql), None, || ends(real(), code))
    }

    fn mysql_next_result_start(code: *mut c_int, mysql: *mut MYSQL) -> c_int, 0, |call, real| {
        step(call, active(mysql), Some(NextResult), || ends(real(), code))
    }

    fn mysql_next_result_cont(code: *mut c_int, mysql: *mut MYSQL, status: c_int) -> c_int, 0, |call, real| {
        step(call, active(mysql), None, || ends(real(), code))
    }

    fn mysql_store_result_start(result: *mut *mut MYSQL_RES, mysql: *mut MYSQL) -> c_int, 0, |call, real| {
        step(call, active(mysql), Some(StoreResult), || ends_with(real(), 0, result))
    }

    fn mysql_store_result_cont(result: *mut *mut MYSQL_RES, mysql: *mut MYSQL, status: c_int) -> c_int, 0, |call, real| {
        step(call, active(mysql), None, || ends_with(real(), 0, result))
    }

    /// Struck off at its beginning: its end frees the structure.
    fn mysql_close_start(mysql: *mut MYSQL) -> c_int, 0, |call, real| {
        session_calls::strike_off(call, active(mysql));
        real()
    }

    fn mysql_real_query_nonblocking(mysql: *mut MYSQL, query: *const c_char, length: c_ulong) -> c_int, ERROR,
        |call, real|
    {
        // SAFETY: the application passes `length` readable bytes, or a string (see `sized`).
        let text = unsafe { sized(call, query, length) };
        again(call, active(mysql), Query(text), || completes(real()))
    }

    fn mysql_send_query_nonblocking(mysql: *mut MYSQL, query: *const c_char, length: c_ulong) -> c_int, ERROR,
        |call, real|
    {
        // SAFETY: the application passes `length` readable bytes, or a string (see `sized`).
        let text = unsafe { sized(call, query, length) };
        again(call, active(mysql), Send(text), || completes(real()))
    }

    fn mysql_store_result_nonblocking(mysql: *mut MYSQL, result: *mut *mut MYSQL_RES) -> c_int, ERROR, |call, real| {
        again(call, active(mysql), StoreResult, || {
            let status = real();
            if status == NOT_READY { (status, None) } else { ends_with(status, status, result) }
        })
    }

    fn mysql_next_result_nonblocking(mysql: *mut MYSQL) -> c_int, ERROR, |call, real| {
        again(call, active(mysql), NextResult, || completes(real()))
    }

    fn mysql_reset_connection_nonblocking(mysql: *mut MYSQL) -> c_int, ERROR, |call, real| {
        again(call, active(mysql), ResetConnection, || completes(real()))
    }

    fn mysql_free_result_nonblocking(result: *mut MYSQL_RES) -> c_int, ERROR, |_call, real| {
        let status = real();
        if status != NOT_READY {
            results::freed(result);
        }
        status
    }
}

/// MariaDB's: what the call waits for, nothing if it is over; then `code` has what its blocking twin returns.
fn ends<T: Copy + Into<c_int>>(waits_for: c_int, code: *mut T) -> (c_int, Option<Outcome>) {
    // SAFETY: only the doors in this file call this, with where the library has just written.
    (waits_for, (waits_for == 0).then(|| Outcome::Code(unsafe { *code }.into())))
}

/// An asynchronous call that gives a result. It is over if the library says `over`.
fn ends_with(status: c_int, over: c_int, result: *mut *mut MYSQL_RES) -> (c_int, Option<Outcome>) {
    // SAFETY: as above.
    (status, (status == over).then(|| Outcome::Result(unsafe { *result })))
}

/// Oracle's.
fn completes(status: c_int) -> (c_int, Option<Outcome>) {
    let outcome = match status {
        NOT_READY => None,
        NO_MORE_RESULTS => Some(Outcome::Code(-1)),
        status => Some(Outcome::Code(status)),
    };
    (status, outcome)
}
