//! Result sets: stored ones are digested inside a transaction and fetched again if they were cut off; streaming ones
//! keep the connection where it is.

use std::{ffi::c_int, ptr};

use super::{
    Call,
    handle::Guest,
    layout::{native::Active, sys::MYSQL_RES},
    registry::{Handles, any_streams},
};
use crate::{
    guard::{decide, glance},
    process::current,
    protect::{
        attempts::Attempts,
        connection::{Pending, Read},
        line::{Downstream, Protected},
        rescue::Next,
    },
    sql::Pin,
    verdict::{Evidence, evidence},
};

/// `mysql_store_result`.
pub fn store_result(call: Call, mysql: Active, real: impl Fn() -> *mut MYSQL_RES) -> *mut MYSQL_RES {
    let first = call.store_plainly(mysql, &real, |result| !result.is_null());
    if let Some(result) = first.filter(|result| !result.is_null()) {
        return result;
    }
    store_closely(call, mysql, first, real)
}

/// `first`: what the call has said already, if it was made.
#[inline(never)]
fn store_closely(
    call: Call,
    mysql: Active,
    first: Option<*mut MYSQL_RES>,
    real: impl Fn() -> *mut MYSQL_RES,
) -> *mut MYSQL_RES {
    let announced = |guest: &Guest| {
        let mut state = guest.state();
        (std::mem::take(&mut state.result), state.session.transaction().is_some())
    };
    let Some((guest, (mut pending, mut logged))) = call.enter_and(mysql, announced) else {
        return first.unwrap_or_else(real);
    };
    let mut result = first.unwrap_or_else(&real);
    let mut attempts = Attempts::default();
    loop {
        if !result.is_null() {
            if logged {
                decide(|| guest.stored(result));
            }
            return result;
        }
        // Most often there are no rows for want of a query, which is no error and leaves nothing to be decided.
        let failed = glance(|| guest.native.error_number() != 0) == Some(true);
        if !failed || decide(|| guest.runs_again(&pending, &mut attempts)) != Some(true) {
            return ptr::null_mut();
        }
        (pending, logged) = decide(|| announced(&guest)).unwrap_or_default();
        result = real();
    }
}

impl Guest {
    /// The rows were cut off. None of them has reached the application: a read may be run again whole.
    fn runs_again(&self, pending: &Pending, attempts: &mut Attempts) -> bool {
        let failure = self.native.failure();
        let Some(evidence) = evidence::of_error(failure.number, &failure.text) else { return false };
        let Pending::Announced { read: true } = pending else {
            let generation = self.state().pulse.generation();
            self.endpoint().suspect(generation);
            return false;
        };
        let Read { text, statement } = std::mem::take(&mut self.state().read);
        loop {
            self.state().failing = Some(text.clone());
            match self.line().rescue(evidence, &statement, attempts, 1) {
                Next::Deliver(_) => return false,
                Next::Send if self.native.run(&text) == 0 => {
                    let mut state = self.state();
                    state.read = Read { text, statement };
                    state.result = Pending::Announced { read: true };
                    return true;
                }
                Next::Send => {
                    let failure = self.native.failure();
                    if evidence::of_error(failure.number, &failure.text) != Some(Evidence::Unknown) {
                        return false;
                    }
                }
            }
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
            if let Some(own) = current::current().and_then(Handles::of) {
                own.streams.insert(result as usize, mysql);
            }
        }
    });
    result
}

/// `mysql_free_result`, once it was done: the end of a stream.
#[inline]
pub fn freed(result: *mut MYSQL_RES) {
    if any_streams() {
        stream_freed(result);
    }
}

fn stream_freed(result: *mut MYSQL_RES) {
    let Some(process) = current::existing() else { return };
    decide(|| {
        if process.is_ours()
            && let Some(own) = Handles::of(process)
            && let Some(mysql) = own.streams.remove(result as usize)
            && let Some(handle) = own.handles.get(mysql.key())
        {
            handle.stream_ended(result as usize);
        }
    });
}

/// `mysql_next_result`: the statements of this text after its first have begun, so nothing is run again here.
pub fn next_result(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = call.enter(mysql) else { return real() };
    let code = real();
    decide(|| guest.came_next(code));
    code
}

impl Guest {
    /// The application has this result of its last statement now.
    pub(super) fn stored(&self, result: *mut MYSQL_RES) {
        let in_transaction = self.status_in_transaction();
        if self.state().session.wants_digest() {
            let digest = self.native.digest(result);
            let generated = self.state().session.awaits_generated_rows();
            let insert_id = if generated { self.native.generated_id(result) } else { 0 };
            self.state().session.on_stored(digest, insert_id, in_transaction);
        } else if !in_transaction && !self.native.more_results() {
            self.state().session.on_results_over();
        }
    }

    /// What a text has to say behind its first result.
    pub(super) fn came_next(&self, code: c_int) {
        let rows = code == 0 && self.native.field_count() > 0;
        self.state().result = if rows { Pending::Announced { read: false } } else { Pending::None };
        if code <= 0 && self.status_in_transaction() {
            self.state().session.on_further_result_in_transaction();
        } else if code <= 0 && !rows && !self.native.more_results() {
            self.state().session.on_results_over();
        }
        if code > 0 {
            let failure = self.native.failure();
            self.state().session.on_further_failure();
            if evidence::of_error(failure.number, &failure.text).is_some() {
                let generation = self.state().pulse.generation();
                self.endpoint().suspect(generation);
                // Some statements of the text were run, some not: only the application can tell.
                self.pin(Pin::Unclear);
            }
        }
    }
}
