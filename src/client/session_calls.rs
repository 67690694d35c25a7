//! Calls that begin or end a session or a part of it: close, change user, reset, server options.

use std::ffi::c_int;

use super::{
    Call,
    handle::{Guest, Handle},
    inherited,
    layout::native::{Active, ActiveStatement},
    registry::Handles,
    text::{query, retried, retried_on},
};
use crate::{
    control::{config, option::Mode},
    guard::{self, decide},
    host::steer,
    process::{Process, current},
    protect::{
        connection::Pending,
        line::Protected,
        statement::{Rules, evidence_of},
    },
    verdict::{evidence, failure::Failure},
};

/// `mysql_close`: struck off before the structure is freed.
pub fn close(call: Call, mysql: Active, real: impl Fn()) {
    strike_off(call, mysql);
    real();
}

/// The handle is about to be closed.
pub fn strike_off(call: Call, mysql: Active) {
    if call.find(mysql).is_none() {
        inherited::spare_the_parent(call, mysql);
    } else if let Some(process) = current::existing() {
        decide(|| Handles::of(process).map(|own| own.handles.remove(mysql.key())));
    }
}

/// `mysql_change_user`: the server forgets the session, and so do we.
pub fn change_user(call: Call, mysql: Active, login: [Option<&[u8]>; 2], real: impl Fn() -> c_int) -> c_int {
    retried(call, mysql, real, |guest| {
        guest.handle.logs_in_as(login);
        guest.line().transaction_gone();
        guest.state().session.on_change_user();
    })
}

/// `mysql_reset_connection`: the server forgets most of it. libmariadb lets it be called in the middle of rows, and throws
/// the rest away: on a connection that was replaced meanwhile, the rest would seem to be no rows. So it is lost then.
pub fn reset_connection(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = call.enter(mysql) else { return real() };
    if decide(|| guest.idle()) != Some(false) {
        return retried_on(&guest, real, Guest::was_reset);
    }
    let code = real();
    decide(|| {
        if code == 0 {
            guest.was_reset();
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

impl Guest {
    pub(super) fn was_reset(&self) {
        // libmariadb keeps the flag.
        self.line().transaction_gone();
        let character_set = self.native.character_set();
        self.state().session.on_reset(&character_set);
    }
}

/// `mysql_kill`: as the text that it sends. The id that a handle of this process was opened with belongs to no connection once the handle
/// has moved; on another server it may be a stranger's.
pub fn kill(call: Call, mysql: Active, id: u64, real: impl Fn() -> c_int) -> c_int {
    query(call, mysql, format!("KILL {id}").as_bytes(), real)
}

/// The text may be a KILL.
#[inline]
pub fn may_kill(text: &[u8]) -> bool {
    text.first().is_some_and(|first| first.eq_ignore_ascii_case(&b'k'))
}

/// Is it a KILL of a connection that is no more, by an id that the application remembers from before a move? Then the handle has
/// the server's error for that, and nothing is sent.
#[cold]
#[inline(never)]
pub fn kills_in_vain(call: Call, mysql: Active, text: &[u8]) -> bool {
    let killer = call.find(mysql).zip(call.native(mysql)).zip(current::existing());
    let Some((((killer, native), process), id)) = killer.zip(killed(text)) else { return false };
    let in_vain = decide(|| is_of_the_past(process, &killer, id)) == Some(true);
    if in_vain {
        decide(|| native.set_failure(&Failure::new(NO_SUCH_THREAD, b"HY000", &format!("Unknown thread id: {id}"))));
    }
    in_vain
}

/// The id in `KILL [HARD | SOFT] [CONNECTION | QUERY] id` (both servers' manuals, "KILL Statement"). `None` for all else that KILL
/// takes: expressions, users, and MariaDB's ids of queries.
fn killed(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.trim_end_matches([';', ' ', '\t', '\r', '\n', '\0']);
    let mut words = text.split_ascii_whitespace().peekable();
    let is = |word: &&str, one_of: &[&str]| one_of.iter().any(|it| word.eq_ignore_ascii_case(it));
    words.next().filter(|word| is(word, &["KILL"]))?;
    words.next_if(|word| is(word, &["HARD", "SOFT"]));
    words.next_if(|word| is(word, &["CONNECTION", "QUERY"]));
    let id = words.next()?.parse().ok()?;
    words.next().is_none().then_some(id)
}

/// `ER_NO_SUCH_THREAD`.
const NO_SUCH_THREAD: u32 = 1094;

/// A handle of the killer's endpoint had this id when it was opened, and none on the killer's server has it now.
fn is_of_the_past(process: &Process, killer: &Handle, id: u64) -> bool {
    let here = killer.lock().peer;
    let mut past = false;
    let Some(own) = Handles::of(process) else { return false };
    let present = own.handles.any(|handle| {
        let (peer, thread) = (handle.lock().peer, handle.thread());
        past |= handle.first_id == id && thread != id && std::ptr::eq(handle.endpoint, killer.endpoint);
        thread == id && peer == here
    });
    past && !present && config().mode != Mode::Observe
}

/// `mysql_set_character_set`. While a handle is reconnected, the library itself calls it, so that a session begins with
/// the character set that its last one ended with: it is to begin as its last one began.
pub fn set_character_set(call: Call, mysql: Active, name: &[u8], real: impl Fn() -> c_int) -> c_int {
    if call.nested() && steer::reconnecting() {
        return 0;
    }
    retried(call, mysql, real, |guest| guest.state().session.on_character_set(name))
}

/// `mysql_set_server_option`.
pub fn server_option(call: Call, mysql: Active, option: c_int, real: impl Fn() -> c_int) -> c_int {
    retried(call, mysql, real, |guest| guest.state().session.on_server_option(option))
}

/// `mysql_stmt_init`: from now on we know whose statement it is.
pub fn statement_made(call: Call, mysql: Active, statement: ActiveStatement) {
    if statement.key() != 0 && !call.nested() && !guard::ourselves() {
        // Also before the handle is connected: then it is not known yet whether it will be protected.
        decide(|| {
            if call.library().is_some_and(|library| library.managed().is_some())
                && let Some(own) = current::started().and_then(Handles::of)
            {
                own.statements.insert(statement.key(), mysql);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_kill_is_read_in_each_of_its_forms_and_no_other_number_is() {
        for text in ["KILL 7", "kill query 7;", "KILL CONNECTION 7", "Kill Hard Query 7", "KILL\n SOFT  CONNECTION 7 ;"]
        {
            assert_eq!(killed(text.as_bytes()), Some(7), "{text}");
        }
        for text in ["KILL", "KILL USER 7", "KILL QUERY ID 7", "KILL 3 + 4", "KILL 7 8", "KILLER 7", "KILL -7", "k"] {
            assert_eq!(killed(text.as_bytes()), None, "{text}");
        }
        assert!(may_kill(b"KILL 7") && may_kill(b"kill 7") && !may_kill(b"SELECT 7") && !may_kill(b""));
    }
}
