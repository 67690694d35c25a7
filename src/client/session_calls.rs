//! Calls that begin or end a session or a part of it: close, change user, reset, server options, prepared statements.

use std::ffi::c_int;

use super::{
    Call,
    layout::{
        native::{Active, ActiveStatement},
        sys::SERVER_STATUS_IN_TRANS,
    },
    statement::{HARMLESS, harmless},
};
use crate::{
    control::{config, option::Mode},
    endpoint::Role,
    evidence,
    hooks::{self, current, decide, steer},
    sql::{Pin, TransactionEffect, classify},
};

/// `mysql_close`: struck off before the structure is freed.
pub fn close(call: Call, mysql: Active, real: impl Fn()) {
    if call.find(mysql).is_some()
        && let Some(process) = current::existing()
    {
        decide(|| process.handles.remove(mysql.key()));
    }
    real();
}

/// `mysql_change_user`: the server forgets the session, and so do we.
pub fn change_user(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    harmless(call, mysql, real, |guest| guest.state().session.on_change_user())
}

/// `mysql_reset_connection`: the server forgets most of it.
pub fn reset_connection(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    harmless(call, mysql, real, |guest| guest.state().session.on_reset())
}

/// `mysql_set_character_set`. While a handle is reconnected, the library itself calls it, so that a session begins with
/// the character set that its last one ended with: it is to begin as its last one began.
pub fn set_character_set(call: Call, mysql: Active, name: &[u8], real: impl Fn() -> c_int) -> c_int {
    if call.nested() && steer::reconnecting() {
        return 0;
    }
    harmless(call, mysql, real, |guest| guest.state().session.on_character_set(name))
}

/// `mysql_set_server_option`.
pub fn server_option(call: Call, mysql: Active, option: c_int, real: impl Fn() -> c_int) -> c_int {
    harmless(call, mysql, real, |guest| guest.state().session.on_server_option(option))
}

/// `mysql_stmt_init`: from now on we know whose statement it is.
pub fn statement_made(call: Call, mysql: Active, statement: ActiveStatement) {
    if statement.key() != 0 && !call.nested() && !hooks::ourselves() {
        // Also before the handle is connected: then nobody knows yet whether it will be protected.
        decide(|| {
            if call.library().is_some_and(|library| library.managed().is_some())
                && let Some(process) = current::started()
            {
                process.statements.insert(statement.key(), mysql);
            }
        });
    }
}

fn owner(statement: ActiveStatement) -> Option<Active> {
    let process = current::existing()?;
    if process.statements.is_empty() {
        return None;
    }
    decide(|| process.is_ours().then(|| process.statements.get(statement.key())).flatten()).flatten()
}

/// `mysql_stmt_prepare`: a live prepared statement pins its session; one that changes the session pins it for good.
pub fn prepare(call: Call, statement: ActiveStatement, text: &[u8], real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = owner(statement).and_then(|mysql| call.enter(mysql)) else { return real() };
    // An idle connection is moved before something is made on it that cannot be moved.
    let _ = decide(|| guest.before(&HARMLESS, &mut 0));
    let code = real();
    if code == 0 {
        decide(|| {
            let class = classify(text, guest.dialect());
            if !class.session.is_empty() || class.transaction != TransactionEffect::None {
                guest.pin(Pin::Unclear);
            }
            if class.streams {
                guest.native.expect_a_stream();
            }
            guest.state().session.on_prepared(statement.key());
        });
    }
    code
}

/// `mysql_stmt_execute`: runs where it is; a read-only refusal ends a pinned session.
pub fn execute(call: Call, statement: ActiveStatement, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = owner(statement).and_then(|mysql| call.enter(mysql)) else { return real() };
    let code = real();
    decide(|| {
        let in_transaction = guest.native.server_status() & SERVER_STATUS_IN_TRANS != 0;
        guest.state().session.on_unlogged(in_transaction);
        if code == 0 || guest.endpoint().role() != Role::Writer || config().mode == Mode::Observe {
            return;
        }
        let failure = guest.native.statement_failure(statement);
        if evidence::of_error(failure.number, &failure.text).is_some() {
            let generation = guest.state().pulse.generation();
            guest.endpoint().suspect(generation);
            guest.condemn();
        }
    });
    code
}

/// `mysql_stmt_close`.
pub fn statement_closed(statement: ActiveStatement) {
    let Some(process) = current::existing() else { return };
    if process.statements.is_empty() {
        return;
    }
    decide(|| {
        if process.is_ours()
            && let Some(mysql) = process.statements.remove(statement.key())
            && let Some(handle) = process.handles.get(mysql.key())
        {
            handle.lock().session.on_unprepared(statement.key());
        }
    });
}
