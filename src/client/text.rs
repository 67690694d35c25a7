//! Texts and commands of a client library: what `mysql_real_query` and its kin are made of.

use std::ffi::c_int;

use super::{Call, handle::Guest, layout::native::Active, session_calls};
use crate::{
    guard::decide,
    protect::{
        attempts::Attempts,
        connection::{Sent, Waited},
        line::Protected,
        look::{Look, Start},
        rescue::Next,
        statement::{Returned, Rules, evidence_of},
    },
    sql::Statement,
};

/// `mysql_real_query`, `mysql_query` and whatever is made of them.
pub fn query(call: Call, mysql: Active, text: &[u8], real: impl Fn() -> c_int) -> c_int {
    if session_calls::may_kill(text) && session_calls::kills_in_vain(call, mysql, text) {
        return 1;
    }
    // Written in place: this is on the way of every statement.
    let (mut statement, mut start) = (Statement::reading(), Start::Closely);
    let first_look = |guest: &Guest| {
        let mut state = guest.state();
        statement = guest.classify(&mut state, text);
        if guest.in_order(state, &statement) {
            start = Start::AtOnce(guest.exchange(&statement));
        }
    };
    let Some((guest, ())) = call.enter_and(mysql, first_look) else { return real() };
    let look = |attempts| Look::at(guest.line(), &statement, attempts);
    guest.attend_from(start, look, real, |returned, attempts| guest.after(text, &statement, returned, attempts))
}

/// `mysql_autocommit`: the statement that the client library makes of it.
pub fn set_autocommit(call: Call, mysql: Active, on: bool, real: impl Fn() -> c_int) -> c_int {
    let text: &[u8] = if on { b"SET autocommit=1" } else { b"SET autocommit=0" };
    query(call, mysql, text, real)
}

/// `mysql_send_query`: sent now, read later.
pub fn send_query(call: Call, mysql: Active, text: &[u8], real: impl Fn() -> c_int) -> c_int {
    if session_calls::may_kill(text) && session_calls::kills_in_vain(call, mysql, text) {
        return 1;
    }
    let Some(guest) = call.enter(mysql) else { return real() };
    let Some(statement) = decide(|| guest.classify(&mut guest.state(), text)) else { return real() };
    guest.attend(&statement, real, |returned, attempts| {
        if returned.code != 0 {
            return guest.after(text, &statement, returned, attempts);
        }
        let mut state = guest.state();
        let wait = Waited { time: attempts.time(guest.now()), recalled: guest.recalled.get() };
        let only_command_in_flight =
            state.sent.is_none() && state.session.prepared.is_empty() && state.session.pinned().is_none();
        state.sent = Some(Sent { text: text.to_vec(), statement: statement.clone(), only_command_in_flight, wait });
        Next::Deliver(0)
    })
}

/// `mysql_read_query_result`: the answer to what was sent.
pub fn read_query_result(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = call.enter(mysql) else { return real() };
    let Some(sent) = decide(|| guest.state().sent.take()).flatten() else { return real() };
    let mut attempts = Attempts::after(sent.wait.time, guest.now());
    guest.recalled.set(sent.wait.recalled);
    let exchange = decide(|| sent.only_command_in_flight.then(|| guest.begin_exchange()).flatten()).flatten();
    let mut returned = Returned::from(real(), exchange);
    loop {
        match decide(|| guest.after(&sent.text, &sent.statement, returned, &mut attempts)) {
            // Sent and read in one: the connection that was waiting to be read is gone.
            Some(Next::Send) => {
                let exchange = decide(|| guest.begin_exchange()).flatten();
                returned = Returned::from(c_int::from(guest.native.run(&sent.text) != 0), exchange);
            }
            Some(Next::Deliver(code)) => {
                // It is unknown when it came: the application has waited for it.
                decide(|| guest.state().answered = 0);
                return code;
            }
            None => return returned.code,
        }
    }
}

/// `mysql_ping`, which leaves nothing behind.
pub fn ping(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    retried(call, mysql, real, |_| ())
}

/// `mysql_select_db`.
pub fn select_db(call: Call, mysql: Active, name: &[u8], real: impl Fn() -> c_int) -> c_int {
    retried(call, mysql, real, |guest| guest.state().session.on_database(name))
}

/// A command that may be run twice and touches no transaction; `succeeded` says what it did to the session.
pub(super) fn retried(call: Call, mysql: Active, real: impl Fn() -> c_int, succeeded: impl Fn(&Guest)) -> c_int {
    let Some(guest) = call.enter(mysql) else { return real() };
    retried_on(&guest, real, succeeded)
}

pub(super) fn retried_on(guest: &Guest, real: impl Fn() -> c_int, succeeded: impl Fn(&Guest)) -> c_int {
    guest.attend(&COMMAND, real, |Returned { code, .. }, attempts| {
        if code == 0 {
            succeeded(guest);
            let in_transaction = guest.line().status_in_transaction();
            guest.state().session.on_flag(in_transaction);
            return Next::Deliver(code);
        }
        match evidence_of(&guest.native.failure()) {
            Some(evidence) => guest.line().rescue(evidence, &COMMAND, attempts, code),
            None => Next::Deliver(code),
        }
    })
}

pub(super) static COMMAND: Statement = Statement::command();

/// A call that is never made twice (KILL, list functions): only looked after beforehand.
pub fn never_retried<T>(call: Call, mysql: Active, real: impl Fn() -> T) -> T {
    let Some(guest) = call.enter(mysql) else { return real() };
    let _ = decide(|| guest.line().before(&COMMAND, &mut Attempts::default()));
    real()
}

/// A call that speaks of this very server (KILL, shutdown): made where the handle is.
pub fn left_in_place<T>(call: Call, mysql: Active, real: impl Fn() -> T) -> T {
    // Entered all the same: what the library calls meanwhile is nested.
    let _guest = call.enter(mysql);
    real()
}
