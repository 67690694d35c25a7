//! Result sets: stored ones are digested inside a transaction and fetched again if they were cut off; streaming ones
//! keep the connection where it is.

use std::{ffi::c_int, ptr, sync::Arc};

use super::{
    Call,
    handle::Pending,
    layout::{native::Active, sys::MYSQL_RES},
    rescue::Next,
};
use crate::{
    evidence,
    hooks::{current, decide},
    sql::Pin,
    verdict::Evidence,
};

/// `mysql_store_result`.
pub fn store_result(call: Call, mysql: Active, real: impl Fn() -> *mut MYSQL_RES) -> *mut MYSQL_RES {
    let Some(guest) = call.enter(mysql) else { return real() };
    let mut attempts = 0;
    loop {
        let announced = decide(|| std::mem::take(&mut guest.state().result)).unwrap_or_default();
        let result = real();
        if !result.is_null() {
            decide(|| {
                let in_transaction = guest.status_in_transaction();
                if guest.state().session.wants_digest() {
                    let digest = guest.native.digest(result);
                    guest.state().session.on_stored(digest, in_transaction);
                } else if !in_transaction && !guest.native.more_results() {
                    guest.state().session.on_results_over();
                }
            });
            return result;
        }
        // A read whose rows were cut off: none of them has reached the application, it may be run again whole.
        let again = decide(|| {
            let failure = guest.native.failure();
            let Some(evidence) = evidence::of_error(failure.number, &failure.text) else { return false };
            let Pending::Announced(Some(read)) = announced else {
                let generation = guest.state().pulse.generation();
                guest.endpoint().suspect(generation);
                return false;
            };
            loop {
                match guest.rescue(evidence, &read.1, &mut attempts, 1) {
                    Next::Deliver(_) => return false,
                    Next::Send if guest.native.run(&read.0) == 0 => {
                        guest.state().result = Pending::Announced(Some(Arc::clone(&read)));
                        return true;
                    }
                    Next::Send => {
                        let failure = guest.native.failure();
                        if evidence::of_error(failure.number, &failure.text) != Some(Evidence::Unknown) {
                            return false;
                        }
                    }
                }
            }
        });
        if again != Some(true) {
            return ptr::null_mut();
        }
    }
}

/// `mysql_use_result`: rows go to the application as they arrive; from the first one on nothing can be run again.
pub fn use_result(call: Call, mysql: Active, real: impl Fn() -> *mut MYSQL_RES) -> *mut MYSQL_RES {
    let Some(guest) = call.enter(mysql) else { return real() };
    let result = real();
    decide(|| {
        if result.is_null() {
            guest.state().result = Pending::None;
        } else {
            guest.state().result = Pending::Streaming(result as usize);
            if let Some(process) = current::current() {
                process.streams.insert(result as usize, mysql);
            }
        }
    });
    result
}

/// `mysql_free_result`, once it was done: the end of a stream.
pub fn freed(result: *mut MYSQL_RES) {
    let Some(process) = current::existing() else { return };
    if process.streams.is_empty() {
        return;
    }
    decide(|| {
        if process.is_ours()
            && let Some(mysql) = process.streams.remove(result as usize)
            && let Some(handle) = process.handles.get(mysql.key())
        {
            handle.stream_ended(result as usize);
        }
    });
}

/// `mysql_next_result`: the statements of this text after its first have begun, so nothing is run again here.
pub fn next_result(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = call.enter(mysql) else { return real() };
    let code = real();
    decide(|| {
        let rows = code == 0 && guest.native.field_count() > 0;
        guest.state().result = if rows { Pending::Announced(None) } else { Pending::None };
        if code <= 0 && guest.status_in_transaction() {
            guest.state().session.on_further_result_in_transaction();
        } else if code <= 0 && !rows && !guest.native.more_results() {
            guest.state().session.on_results_over();
        }
        if code > 0 {
            let failure = guest.native.failure();
            guest.state().session.on_further_failure();
            if evidence::of_error(failure.number, &failure.text).is_some() {
                let generation = guest.state().pulse.generation();
                guest.endpoint().suspect(generation);
                // Some statements of the text were run, some not: nobody but the application can tell.
                guest.pin(Pin::Unclear);
            }
        }
    });
    code
}
