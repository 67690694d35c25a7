//! Restoring a session on a fresh connection, and replaying an open transaction on it.

use std::{collections::BTreeMap, sync::Arc, time::UNIX_EPOCH};

use super::{
    handle::Guest,
    layout::{
        native::{Failure, Reply as Answer},
        statements::Executed,
    },
};
use crate::{
    evidence,
    hooks::current,
    session::{
        execution::Act,
        journal::Step,
        transaction::{Digesting, Entry, Reply},
    },
    verdict::Evidence,
};

/// Rebuilds the session. On error the connection is of no use: the session on it is not the application's.
pub fn restore(guest: &Guest) -> Result<(), Failure> {
    let (reset, steps) = {
        let mut state = guest.state();
        state.session.on_move();
        let reset = state.session.to_reset().cloned();
        (reset, state.session.to_restore().collect::<Vec<_>>())
    };
    if let Some(reset) = reset {
        if current::existing().is_some_and(|process| !process.statements.is_empty()) {
            guest.native.examine_statements();
        }
        if let Some(database) = &reset.database {
            guest.native.select_db(database)?;
        }
        guest.native.set_character_set(&reset.character_set)?;
        guest.native.reset_connection()?;
    }
    for step in steps {
        match step {
            Step::Text(text) => drop(guest.native.query(&text)?),
            Step::Database(name) => guest.native.select_db(&name)?,
            Step::CharacterSet(name) => guest.native.set_character_set(&name)?,
            Step::ServerOption(option) => guest.native.set_server_option(option)?,
        }
    }
    prepare_all(guest)
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

/// Why a transaction could not be replayed.
pub enum Unreplayed {
    /// The server itself is not the writer any more, or gone: to be judged like any failure.
    Evidence(Evidence),
    /// It would not be the same transaction.
    Different(String),
}

/// Runs the log again and compares every reply. On `Err` nothing of it is left on the server.
pub fn replay(guest: &Guest, entries: &[Entry]) -> Result<(), Unreplayed> {
    // First as it was. A generated id can come out differently, because ids of rolled-back inserts are never
    // replicated; then once more with the ids that the application has already been told.
    let mut ids = BTreeMap::new();
    for _ in 0..=entries.len() {
        match run_all(guest, entries, &ids) {
            Ok(()) => return Ok(()),
            Err(difference) => {
                for statement in [&b"ROLLBACK"[..], b"SET timestamp = DEFAULT"] {
                    guest.native.query(statement).map_err(|failure| unreplayed(&failure))?;
                }
                match difference {
                    Difference::InsertId { entry, wanted } if ids.insert(entry, wanted).is_none() => {}
                    Difference::InsertId { entry, .. } => {
                        return Err(Unreplayed::Different(format!("statement {entry}: another insert id")));
                    }
                    Difference::Other(why) => return Err(Unreplayed::Different(why)),
                    Difference::Evidence(evidence) => return Err(Unreplayed::Evidence(evidence)),
                }
            }
        }
    }
    Err(Unreplayed::Different("the replies keep differing".to_owned()))
}

enum Difference {
    /// Only the generated id differs.
    InsertId {
        entry: usize,
        wanted: u64,
    },
    Other(String),
    Evidence(Evidence),
}

fn run_all(guest: &Guest, entries: &[Entry], ids: &BTreeMap<usize, u64>) -> Result<(), Difference> {
    let other = |at: usize, why: &str| Difference::Other(format!("statement {at} of the transaction: {why}"));
    let failed = |at: usize, failure: &Failure| match evidence::of_error(failure.number, &failure.text) {
        Some(evidence) => Difference::Evidence(evidence),
        None => other(at, &describe(failure)),
    };
    for (at, entry) in entries.iter().enumerate() {
        // What NOW() said then (MySQL manual, `timestamp`).
        let moment = entry.moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let set = format!("SET timestamp = {}.{:06}", moment.as_secs(), moment.subsec_micros());
        guest.native.query(set.as_bytes()).map_err(|failure| failed(at, &failure))?;
        if let Some(id) = ids.get(&at) {
            // MySQL manual, `insert_id`: the value for the following INSERT.
            let set = format!("SET insert_id = {id}");
            guest.native.query(set.as_bytes()).map_err(|failure| failed(at, &failure))?;
        }
        match (run(guest, &entry.act), &entry.reply) {
            (Ok(Executed::Done { affected, insert_id }), Reply::Done { affected: told, insert_id: told_id }) => {
                if affected != *told {
                    return Err(other(at, "another number of affected rows"));
                }
                if insert_id != *told_id {
                    return Err(Difference::InsertId { entry: at, wanted: *told_id });
                }
            }
            (Ok(Executed::Rows(rows)), Reply::Rows(told)) => {
                if rows != *told {
                    return Err(other(at, "other rows"));
                }
            }
            (Err(failure), Reply::Failed(told)) if failure.number == *told => {}
            (Err(failure), _) => return Err(failed(at, &failure)),
            (Ok(_), _) => return Err(other(at, "another kind of reply")),
        }
    }
    guest.native.query(b"SET timestamp = DEFAULT").map_err(|failure| failed(entries.len(), &failure))?;
    Ok(())
}

/// Prepared statements are executed on one of our own: the application's has results of the first run.
fn run(guest: &Guest, act: &Act) -> Result<Executed, Failure> {
    let text = match act {
        Act::Text(text) => text,
        Act::Execution { text, values } => return guest.native.execute_once(text, values),
    };
    Ok(match guest.native.query(text)? {
        Answer::Done { affected, insert_id } => Executed::Done { affected, insert_id },
        Answer::Rows(rows) => {
            let mut digesting = Digesting::default();
            for row in &rows {
                digesting.row(&row.iter().map(Option::as_deref).collect::<Vec<_>>());
            }
            Executed::Rows(digesting.finish())
        }
    })
}

fn unreplayed(failure: &Failure) -> Unreplayed {
    match evidence::of_error(failure.number, &failure.text) {
        Some(evidence) => Unreplayed::Evidence(evidence),
        None => Unreplayed::Different(describe(failure)),
    }
}

fn describe(failure: &Failure) -> String {
    format!("error {}: {}", failure.number, String::from_utf8_lossy(&failure.text))
}
