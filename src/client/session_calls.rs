//! Calls that begin or end a session or a part of it: close, change user, reset, server options.

use std::ffi::c_int;

use super::{
    Call,
    layout::native::{Active, ActiveStatement},
    statement::harmless,
};
use crate::hooks::{self, current, decide, steer};

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
    harmless(call, mysql, real, |guest| {
        guest.transaction_gone();
        guest.state().session.on_change_user();
    })
}

/// `mysql_reset_connection`: the server forgets most of it.
pub fn reset_connection(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    harmless(call, mysql, real, |guest| {
        // libmariadb keeps the flag.
        guest.transaction_gone();
        let character_set = guest.native.character_set();
        guest.state().session.on_reset(character_set.as_bytes());
    })
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
