//! Restoring a session on a fresh connection: what the application has set, and its prepared statements.

use std::sync::Arc;

use super::{handle::Guest, layout::native::Failure, registry::any_statements};
use crate::{session::journal::Step, verdict::evidence};

/// Rebuilds the session. On error the connection is of no use: the session on it is not the application's.
pub fn restore(guest: &Guest) -> Result<(), Failure> {
    let (reset, steps) = {
        let mut state = guest.state();
        state.session.on_move();
        let reset = state.session.to_reset().cloned();
        (reset, state.session.to_restore().collect::<Vec<_>>())
    };
    if let Some(reset) = reset {
        if any_statements() {
            guest.native.examine_statements();
        }
        if let Some(database) = &reset.database {
            guest.native.select_db(database)?;
        }
        guest.native.set_character_set(&reset.character_set)?;
        guest.native.reset_connection()?;
    }
    guest.bring_increment()?;
    for step in steps {
        match step {
            Step::Text(text) => run(guest, &text)?,
            Step::Database(name) => guest.native.select_db(&name)?,
            Step::CharacterSet(name) => guest.native.set_character_set(&name)?,
            Step::ServerOption(option) => guest.native.set_server_option(option)?,
        }
    }
    prepare_all(guest)
}

/// ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: MariaDB prepares no write in a session whose transactions are read-only. The
/// application prepared it in a transaction that was not.
const IN_READ_ONLY_TRANSACTION: u32 = 1792;

fn run(guest: &Guest, text: &[u8]) -> Result<(), Failure> {
    match guest.native.query(text) {
        Err(failure) if failure.number == IN_READ_ONLY_TRANSACTION => {
            for text in [b"START TRANSACTION READ WRITE", text, b"COMMIT AND NO CHAIN NO RELEASE"] {
                guest.native.query(text)?;
            }
            Ok(())
        }
        done => done.map(drop),
    }
}

/// Prepares every live statement anew. They had their ids from a counter of the connection that is gone: the number of
/// one may be that of another now.
fn prepare_all(guest: &Guest) -> Result<(), Failure> {
    let live: Vec<_> = {
        let state = guest.state();
        let known = state.session.prepared.iter();
        known
            .filter_map(|(address, prepared)| {
                Some((state.statements.get(&address)?.statement, Arc::clone(&prepared.preparation)))
            })
            .collect()
    };
    for (statement, preparation) in live {
        match guest.prepare_again(statement, &preparation) {
            Ok(()) => {}
            // The connection's own trouble.
            Err(failure) if evidence::of_error(failure.number, &failure.text).is_some() => return Err(failure),
            // This one cannot be prepared here (its table is not there): its execution will say so, and the rest of the
            // session has nothing to do with it.
            Err(_) => {}
        }
    }
    Ok(())
}
