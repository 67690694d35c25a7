//! The question whether a server accepts writes, and whether it serves at all: in one statement where the server has it.
//!
//! `read_only` and `innodb_read_only` (MariaDB 12 says OFF and ON); `offline_mode` of MySQL, which lets privileged accounts in
//! and no others; and of a Galera node whether it is part of its cluster: a node that is not executes no statement on a
//! table (error 1047), and still answers that it is not read-only (MySQL manual, "Server System Variables"; Galera
//! documentation, `wsrep_ready`). Nor does one that its operator has told to (`wsrep_reject_queries`). With `wsrep_sync_wait` a node waits before each SELECT until it knows what the others know;
//! this question is about the node alone and does not wait.

use super::line::{Answer, Protected};
use crate::{
    endpoint::{behind::Server, prober::Writability},
    verdict::{Evidence, evidence},
};

/// The most that is asked of each family first. What comes behind four values says which server this is: its id alone is the
/// same on all servers that were given none by their configuration.
const MARIADB: [&[u8]; 5] = [
    b"SET STATEMENT wsrep_sync_wait=0 FOR SELECT @@global.read_only, @@global.innodb_read_only, \
        @@global.wsrep_reject_queries <> 'NONE', @@global.wsrep_on, @@server_id, @@hostname, @@port",
    b"SELECT @@global.read_only, @@global.innodb_read_only, 0, 0, @@server_id, @@hostname, @@port",
    b"SET STATEMENT wsrep_sync_wait=0 FOR SELECT @@global.read_only, @@global.innodb_read_only, \
        @@global.wsrep_reject_queries <> 'NONE', @@global.wsrep_on",
    b"SELECT @@global.read_only, @@global.innodb_read_only",
    b"SELECT @@global.read_only",
];
const MYSQL: [&[u8]; 5] = [
    b"SELECT @@global.read_only, @@global.innodb_read_only, @@global.offline_mode, 0, @@server_id, @@hostname, @@server_uuid",
    b"SELECT @@global.read_only, @@global.innodb_read_only, 0, 0, @@server_id, @@hostname, @@port",
    b"SELECT @@global.read_only, @@global.innodb_read_only, @@global.offline_mode",
    b"SELECT @@global.read_only, @@global.innodb_read_only",
    b"SELECT @@global.read_only",
];
/// ER_UNKNOWN_SYSTEM_VARIABLE: a server without it.
const UNKNOWN_VARIABLE: u32 = 1193;

/// A value as servers give it.
type Value = Option<Vec<u8>>;

/// What a row of answers says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Says(Writability),
    /// It is writable if it is part of its cluster.
    OfACluster,
}

/// What the connected server says of itself, and which server it is.
pub fn ask(guest: &dyn Protected) -> (Writability, Option<Server>) {
    let questions = if guest.is_mariadb_server() { MARIADB } else { MYSQL };
    for question in questions {
        match guest.query(question) {
            Ok(Answer::Rows(rows)) => {
                let [row] = rows.as_slice() else { return (Writability::Unclear, None) };
                let server = Server::of(row.get(4..).unwrap_or_default());
                return match read(row) {
                    Row::Says(answer) => (answer, server),
                    Row::OfACluster => (ask_of_its_cluster(guest), server),
                };
            }
            Err(failure) if failure.number == UNKNOWN_VARIABLE => {}
            Err(failure) if evidence::of_error(failure.number, &failure.text) == Some(Evidence::Unready) => {
                return (Writability::Unfit, None);
            }
            // Any other answer is no proof of writability; a lost connection is told apart by its socket.
            Ok(Answer::Done { .. }) | Err(_) => break,
        }
    }
    (no_answer(guest), None)
}

/// A status variable cannot be asked for in the same statement.
fn ask_of_its_cluster(guest: &dyn Protected) -> Writability {
    match guest.query(b"SHOW GLOBAL STATUS LIKE 'wsrep_ready'") {
        Ok(Answer::Rows(rows)) => match rows.first().and_then(|row| row.get(1)) {
            Some(ready) if is_off(ready) => Writability::Unfit,
            _ => Writability::Writable,
        },
        Ok(Answer::Done { .. }) | Err(_) => no_answer(guest),
    }
}

fn no_answer(guest: &dyn Protected) -> Writability {
    if guest.hung_up() { Writability::Lost } else { Writability::Unclear }
}

fn is_off(value: &Value) -> bool {
    matches!(value.as_deref(), Some(b"0" | b"OFF"))
}

/// `read_only`, `innodb_read_only`, whether it refuses to serve (`offline_mode`, `wsrep_reject_queries`), `wsrep_on`, as far as
/// the server has them.
fn read(row: &[Value]) -> Row {
    let is_on = |at: usize| row.get(at).is_some_and(|value| !is_off(value));
    match () {
        () if is_on(0) || is_on(1) || row.is_empty() => Row::Says(Writability::ReadOnly),
        () if is_on(2) => Row::Says(Writability::Unfit),
        () if is_on(3) => Row::OfACluster,
        () => Row::Says(Writability::Writable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_far_as_the_server_has_the_variables() {
        for (row, said) in [
            (&["0"][..], Row::Says(Writability::Writable)),
            (&["1"], Row::Says(Writability::ReadOnly)),
            (&["OFF", "0"], Row::Says(Writability::Writable)),
            (&["NO_LOCK", "0"], Row::Says(Writability::ReadOnly)),
            (&["0", "1"], Row::Says(Writability::ReadOnly)),
            (&["0", "0", "1"], Row::Says(Writability::Unfit)),
            (&["1", "0", "1"], Row::Says(Writability::ReadOnly)),
            (&["0", "0", "0", "0"], Row::Says(Writability::Writable)),
            (&["0", "0", "0", "1"], Row::OfACluster),
            (&["1", "0", "0", "1"], Row::Says(Writability::ReadOnly)),
        ] {
            let row: Vec<Value> = row.iter().map(|value| Some(value.as_bytes().to_vec())).collect();
            assert_eq!(read(&row), said, "{row:?}");
        }
    }
}
