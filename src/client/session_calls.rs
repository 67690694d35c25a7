//! Calls that begin or end a session or a part of it: close, change user, reset, server options.

use std::ffi::c_int;

use super::{
    Call,
    handle::{Guest, Handle, Pending},
    layout::native::{Active, ActiveStatement, Failure, Native},
    statement::{evidence_of, harmless, harmless_to, query},
};
use crate::{
    evidence,
    hooks::{self, current, decide, steer},
    process::Process,
};

/// `mysql_close`: struck off before the structure is freed.
pub fn close(call: Call, mysql: Active, real: impl Fn()) {
    strike_off(call, mysql);
    real();
}

/// The handle is about to be closed.
pub fn strike_off(call: Call, mysql: Active) {
    if call.find(mysql).is_some()
        && let Some(process) = current::existing()
    {
        decide(|| process.handles.remove(mysql.key()));
    }
}

/// `mysql_change_user`: the server forgets the session, and so do we.
pub fn change_user(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    harmless(call, mysql, real, |guest| guest.state().session.on_change_user())
}

/// `mysql_reset_connection`: the server forgets most of it. libmariadb lets it be called in the middle of rows, and throws
/// the rest away: on a connection that was replaced meanwhile, the rest would seem to be no rows. So it is lost then.
pub fn reset_connection(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = call.enter(mysql) else { return real() };
    let succeeded = |guest: &Guest| guest.state().session.on_reset();
    if decide(|| guest.idle()) != Some(false) {
        return harmless_to(&guest, real, succeeded);
    }
    let code = real();
    decide(|| {
        if code == 0 {
            succeeded(&guest);
            let mut state = guest.state();
            (state.result, state.sent) = (Pending::None, None);
        } else if evidence_of(&guest.native.failure()).is_some_and(evidence::ends_connection) {
            let generation = guest.state().pulse.generation();
            guest.endpoint().suspect(generation);
            guest.condemn();
        }
    });
    code
}

/// `mysql_kill`: as the text that it sends. The id that a handle of this process had before it was moved means that handle,
/// and not whoever has the number elsewhere.
pub fn kill(call: Call, mysql: Active, id: u64, real: impl Fn() -> c_int) -> c_int {
    let text = |id: u64| format!("KILL {id}").into_bytes();
    let killer = call.find(mysql).zip(call.native(mysql)).zip(current::existing());
    let meant = killer.and_then(|((killer, native), process)| decide(|| meant(process, &killer, native, id)));
    match meant.unwrap_or(Meant::This) {
        Meant::This => query(call, mysql, &text(id), real),
        Meant::MovedTo(id, native) => {
            let text = text(id);
            query(call, mysql, &text, || c_int::from(native.run(&text) != 0))
        }
        Meant::Elsewhere(native) => {
            decide(|| native.set_failure(&Failure::new(NO_SUCH_THREAD, b"HY000", &format!("Unknown thread id: {id}"))));
            1
        }
    }
}

/// `ER_NO_SUCH_THREAD`.
const NO_SUCH_THREAD: u32 = 1094;

/// What the id of a connection means on a handle's server.
enum Meant {
    This,
    /// The connection of a handle that has come here.
    MovedTo(u64, Native),
    /// That of a handle that is on another server.
    Elsewhere(Native),
}

fn meant(process: &Process, killer: &Handle, native: Native, id: u64) -> Meant {
    let here = killer.lock().peer;
    let mut moved = None;
    let present = process.handles.any(|handle| {
        let (peer, thread) = {
            let state = handle.lock();
            (state.peer, state.thread)
        };
        if handle.first_id == id && thread != id {
            moved = Some((peer, thread));
        }
        thread == id && peer == here
    });
    match moved.filter(|_| !present) {
        None => Meant::This,
        Some((peer, thread)) if peer == here => Meant::MovedTo(thread, native),
        Some(_) => Meant::Elsewhere(native),
    }
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
