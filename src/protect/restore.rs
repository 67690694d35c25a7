//! Restoring a session on a fresh connection: what the application has set, and its prepared statements.

use super::line::Protected;
use crate::{session::journal::Step, verdict::failure::Failure};

/// Rebuilds the session. On error the connection is of no use: the session on it is not the application's.
pub fn restore(guest: &dyn Protected) -> Result<(), Failure> {
    let (reset, steps) = {
        let mut state = guest.state();
        state.session.on_move();
        let reset = state.session.to_reset().cloned();
        (reset, state.session.to_restore().collect::<Vec<_>>())
    };
    if let Some(reset) = reset {
        guest.reset_as(&reset)?;
    }
    guest.bring_increment()?;
    for step in steps {
        match step {
            Step::Text(text) => run(guest, &text)?,
            step => guest.apply(&step)?,
        }
    }
    guest.prepare_all_again()
}

/// ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: MariaDB prepares no write in a session whose transactions are read-only. The
/// application prepared it in a transaction that was not.
const IN_READ_ONLY_TRANSACTION: u32 = 1792;

fn run(guest: &dyn Protected, text: &[u8]) -> Result<(), Failure> {
    match guest.query(text) {
        Err(failure) if failure.number == IN_READ_ONLY_TRANSACTION => {
            for text in [b"START TRANSACTION READ WRITE", text, b"COMMIT AND NO CHAIN NO RELEASE"] {
                guest.query(text)?;
            }
            Ok(())
        }
        done => done.map(drop),
    }
}
