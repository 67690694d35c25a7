//! A server of the [`world`](super::world), and what it does with the statements of one connection.

use std::time::Instant;

use super::world::world;
use crate::{endpoint::topology, protect::line::Answer, verdict::failure::Failure};

/// What a server has of a connection.
#[derive(Clone, Debug)]
pub struct Link {
    pub server: usize,
    pub start: u32,
    pub thread: u64,
    /// The name meant another server when it was opened, and DNS said so, not only since a moment.
    pub astray: bool,
    /// The application has set up its session here (`SET SESSION sql_mode = …`).
    pub mode: bool,
    pub transaction: Option<Vec<u32>>,
}

/// What a client says of a connection that is no more.
pub fn lost(number: u32) -> Failure {
    Failure::new(number, b"HY000", "Lost connection to server during query")
}

fn value(text: impl ToString) -> Option<Vec<u8>> {
    Some(text.to_string().into_bytes())
}

impl Link {
    /// The server executes a statement of the connection, at `now`.
    pub fn executes(&mut self, text: &[u8], now: Instant) -> Result<Answer, Failure> {
        let server = self.server;
        let text = std::str::from_utf8(text).unwrap_or_default();
        let done = |affected| Ok(Answer::Done { affected, insert_id: 0 });
        let rows = |values: Vec<Option<Vec<u8>>>| Ok(Answer::Rows(vec![values]));
        let read_only = { world().look().servers[server].read_only };
        let refused = || Failure::new(1290, b"HY000", "The server is running with the --read-only option");
        if text.contains("@@global.read_only") {
            let on = u8::from(read_only);
            return rows([value(on), value(0), value(0), value(0), value(server), value(server), value(3306)].to_vec());
        }
        if text.starts_with("SHOW GLOBAL STATUS LIKE 'Uptime'") {
            let up = now.saturating_duration_since(world().look().servers[server].started);
            return rows(vec![value("Uptime"), value(up.as_secs())]);
        }
        if text.as_bytes() == topology::QUESTION {
            return Err(Failure::new(1146, b"42S02", "Table 'mysql.rds_topology' doesn't exist"));
        }
        if text.starts_with("SELECT @@timestamp") {
            let time = { world().look().time };
            return rows(vec![value(format!("{}.{:06}", time.as_secs(), time.subsec_micros()))]);
        }
        if text.contains("auto_increment_increment") && text.starts_with("SELECT") {
            return rows(vec![value(1), value(1)]);
        }
        if text.contains("information_schema.VIEWS") {
            return Ok(Answer::Rows(Vec::new()));
        }
        if text.starts_with("SET SESSION sql_mode") {
            self.mode = true;
            return done(0);
        }
        if text.starts_with("SET ") || text == "DO 0" || text.starts_with("SELECT 1 FROM") {
            return done(0);
        }
        if !self.mode {
            world().look().violated(format!("{text} ran in a session that the application has not set up"));
        }
        match text.split(' ').next() {
            Some("BEGIN") => {
                let open = self.transaction.replace(Vec::new());
                commit(server, self.astray, open.unwrap_or_default());
                done(0)
            }
            Some("COMMIT") => {
                let open = self.transaction.take().unwrap_or_default();
                if read_only && !open.is_empty() {
                    return Err(refused());
                }
                commit(server, self.astray, open);
                done(0)
            }
            Some("ROLLBACK") => {
                self.transaction = None;
                done(0)
            }
            Some("INSERT") => {
                if read_only {
                    return Err(refused());
                }
                let row = text.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a row's number");
                match &mut self.transaction {
                    Some(open) => open.push(row),
                    None => commit(server, self.astray, vec![row]),
                }
                done(1)
            }
            _ => rows(vec![value(1)]),
        }
    }
}

/// The server commits rows of a connection. `astray`: the name meant another server when it was opened.
fn commit(server: usize, astray: bool, rows: Vec<u32>) {
    if rows.is_empty() {
        return;
    }
    let mut world = world().look();
    let named = world.named;
    if !world.ever_named[server] {
        world.violated(format!("rows {rows:?} were written to {server}, which the name has never meant"));
    } else if astray && server != named && server != world.leader {
        let why = format!("opened to {server} when the name meant {named}");
        world.violated(format!("rows {rows:?} were written by a connection that was {why}"));
    }
    world.say(format!("{server} commits {rows:?}"));
    if server == world.leader {
        world.rows.extend(rows);
    } else {
        world.misplaced.extend(rows);
    }
}
