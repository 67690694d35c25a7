//! The application: it writes rows, alone and in transactions, reads, and connects anew where it was told that its connection is lost.
//! Of each call it notes what it was told, and whether that may be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    connection::{Connection, Loss, READ_TIMEOUT},
    world::{counts, world},
};
use crate::{
    control::config,
    endpoint::Endpoint,
    host::interruption::Recall,
    protect::{
        attempts::Attempts,
        connect::{Attempt, Failed},
        line::{Downstream, Protected},
        look::{Look, Start, Usual},
        statement::Rules,
    },
    sql::Statement,
};

/// What the application knows of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Stored,
    /// An answer was lost.
    Unknown,
    NotStored,
}

pub struct Program {
    endpoint: Arc<Endpoint>,
    connection: Option<Connection>,
    rows: BTreeMap<u32, Told>,
    /// Rows of one transaction each.
    transactions: Vec<Vec<u32>>,
    next_row: u32,
}

impl Program {
    /// Its rows have numbers from `next_row` on.
    pub fn new(endpoint: &Arc<Endpoint>, next_row: u32) -> Self {
        let endpoint = Arc::clone(endpoint);
        Program { endpoint, connection: None, rows: BTreeMap::new(), transactions: Vec::new(), next_row }
    }

    /// Does one thing, with an occasional loss in one of `losses` statements.
    pub fn step(&mut self, losses: u64) {
        if !self.is_connected() {
            return;
        }
        let what = { world().look().dice.below(4) };
        match what {
            0 => self.reads(losses),
            1 | 2 => {
                let row = self.fresh_rows(1)[0];
                let told = self.writes(&format!("INSERT INTO t VALUES ({row})"), losses);
                self.rows.insert(row, told);
            }
            _ => self.transacts(losses),
        }
    }

    fn fresh_rows(&mut self, many: u32) -> Vec<u32> {
        let first = self.next_row;
        self.next_row += many;
        (first..self.next_row).collect()
    }

    /// Connects if need be, and sets up the session.
    fn is_connected(&mut self) -> bool {
        if self.connection.as_ref().is_some_and(|connection| !connection.is_lost()) {
            return true;
        }
        self.connection = self.connects();
        if self.endpoint.was_forked() {
            return false;
        }
        let Some(connection) = &self.connection else { return false };
        if query(connection, "SET SESSION sql_mode = 'ANSI'") != 0 {
            self.connection = None;
        }
        self.connection.is_some() && !self.endpoint.was_forked()
    }

    fn connects(&self) -> Option<Connection> {
        let (began, mut recall, mut to) = (self.endpoint.now(), Some(Recall::of_no_signal()), None);
        loop {
            let (led, failure) = match Connection::open(&self.endpoint, to) {
                Ok(connection) => return Some(connection),
                Err(failed) => failed,
            };
            if !self.endpoint.has_a_writer() {
                return None;
            }
            let deadline = Some(began + READ_TIMEOUT);
            let failed = Failed { failure: &failure, began, to, led, deadline };
            Attempt(to) = failed.next_attempt(&self.endpoint, &mut recall)?;
        }
    }

    fn reads(&mut self, losses: u64) {
        let text = "SELECT v FROM t WHERE id = 1";
        let (code, call) = self.calls(text, losses);
        if code != 0 && !call.may_fail_to_read() {
            call.violated(text);
        }
    }

    /// A statement that writes, outside of a transaction.
    fn writes(&mut self, text: &str, losses: u64) -> Told {
        let (code, call) = self.calls(text, losses);
        if code == 0 {
            return Told::Stored;
        }
        match call.number {
            // Whether it was executed is known to no client.
            2013 if call.unknown => Told::Unknown,
            2006 | 2013 if call.gave_up() => Told::NotStored,
            1290 if call.gave_up() => Told::NotStored,
            _ => {
                call.violated(text);
                Told::Unknown
            }
        }
    }

    fn transacts(&mut self, losses: u64) {
        let many = 1 + { world().look().dice.below(3) } as u32;
        let rows = self.fresh_rows(many);
        let mut told = Told::NotStored;
        // After 1213 it is run again, as frameworks do.
        for _ in 0..3 {
            match self.runs_transaction(&rows, losses) {
                Some(end) => {
                    told = end;
                    break;
                }
                None if self.is_connected() => {}
                None => break,
            }
        }
        rows.iter().for_each(|row| {
            self.rows.insert(*row, told);
        });
        self.transactions.push(rows);
    }

    /// `None`: it was rolled back, for a reason that lets it be run again.
    fn runs_transaction(&mut self, rows: &[u32], losses: u64) -> Option<Told> {
        let inserts = rows.iter().map(|row| format!("INSERT INTO t VALUES ({row})"));
        let texts: Vec<_> = ["BEGIN".to_owned()].into_iter().chain(inserts).chain(["COMMIT".to_owned()]).collect();
        let cuts = { world().look().cuts };
        for text in &texts {
            let (code, call) = self.calls(text, losses);
            if call.forked {
                return Some(Told::Unknown);
            }
            if code == 0 {
                continue;
            }
            let is_commit = text == "COMMIT";
            match call.number {
                1213 if text != "BEGIN" => return None,
                2006 | 2013 if is_commit && call.unknown => return Some(Told::Unknown),
                // A KILL on a healthy server stays one, and a loss is told where the wait for a writer was given up.
                2006 | 2013 if call.unknown || call.gave_up() || call.was_cut || cuts != { world().look().cuts } => {}
                1290 if call.gave_up() => {}
                _ => call.violated(text),
            }
            self.rolls_back();
            return Some(Told::NotStored);
        }
        Some(Told::Stored)
    }

    fn rolls_back(&mut self) {
        if let Some(connection) = self.connection.as_ref().filter(|connection| !connection.is_lost()) {
            query(connection, "ROLLBACK");
        }
    }

    fn calls(&mut self, text: &str, losses: u64) -> (i32, Call) {
        let Some(connection) = &self.connection else { return (1, Call::default()) };
        let (began, loss) = {
            let mut world = world().look();
            let loss = world.dice.one_in(losses).then(|| match world.dice.below(3) {
                0 => Loss::Unsent,
                1 => Loss::Unexecuted,
                _ => Loss::Unanswered,
            });
            let told = loss.map_or(String::new(), |loss| format!(" ({loss:?})"));
            world.say(format!("> {text}{told}"));
            (world.time, loss)
        };
        let open_before = self.endpoint.circuit_open();
        connection.loses.set(loss);
        let code = query(connection, text);
        connection.loses.set(None);
        connection.store();
        let (circuit_open, forked) = (self.endpoint.circuit_open(), self.endpoint.was_forked());
        let mut world = world().look();
        let call = Call {
            number: if code == 0 { 0 } else { connection.told().number },
            took: world.time - began,
            unknown: connection.unknown.get(),
            was_cut: loss.is_some(),
            circuit_open: open_before || circuit_open,
            forked,
        };
        let lost = if connection.is_lost() { ", its connection is lost" } else { "" };
        world.say(format!("< {}{lost}, after {:?}", call.number, call.took));
        (code, call)
    }

    /// Is all as the application was told?
    pub fn check(&self) {
        let (stored, misplaced) = {
            let world = world().look();
            (counts(&world.rows), world.misplaced.iter().copied().collect::<BTreeSet<_>>())
        };
        let mut found = Vec::new();
        for (row, told) in self.rows.iter().filter(|(row, _)| !misplaced.contains(row)) {
            let times = stored.get(row).copied().unwrap_or(0);
            match (told, times) {
                (Told::Stored, 1) | (Told::Unknown, 0 | 1) | (Told::NotStored, 0) => {}
                (_, 2..) => found.push(format!("row {row} is there {times} times")),
                (told, _) => found.push(format!("row {row} was told {told:?}, and is there {times} times")),
            }
        }
        for rows in &self.transactions {
            let there = rows.iter().filter(|row| stored.contains_key(row)).count();
            if there != 0 && there != rows.len() && !rows.iter().any(|row| misplaced.contains(row)) {
                found.push(format!("of the transaction {rows:?} a part is there"));
            }
        }
        let mut world = world().look();
        found.into_iter().for_each(|found| world.violated(found));
    }
}

/// How a call of the application ended.
#[derive(Debug, Default)]
struct Call {
    number: u32,
    took: Duration,
    /// What became of it on its server is known to no client.
    unknown: bool,
    /// The story has cut its connection.
    was_cut: bool,
    /// The endpoint has failed open, before it or in it.
    circuit_open: bool,
    /// A signal handler has forked in the middle: this is the child, whose parent goes on with the call.
    forked: bool,
}

impl Call {
    /// The library waited for as long as it may, or did not wait since it had done so before.
    fn gave_up(&self) -> bool {
        self.forked || self.circuit_open || self.took >= READ_TIMEOUT.min(config().hold_max)
    }

    /// A read that was lost with a healthy server reaches the application, as a KILL.
    fn may_fail_to_read(&self) -> bool {
        self.was_cut || self.unknown || self.gave_up()
    }

    fn violated(&self, text: &str) {
        world().look().violated(format!("{text}: {self:?}"));
    }
}

/// One call of the application, as a front end makes it.
fn query(connection: &Connection, text: &str) -> i32 {
    let (mut statement, mut start) = (Statement::reading(), Start::Closely);
    {
        let mut state = connection.state();
        statement.clone_from(&connection.classify(&mut state, text.as_bytes()));
        let usual = Usual::of(connection, &state, &statement);
        drop(state);
        if usual.is_in_order(connection, &statement) {
            start = Start::AtOnce(connection.exchange(&statement));
        }
    }
    let look = |attempts: Attempts| Look::at(connection.line(), &statement, attempts);
    let code = connection.attend_from(
        start,
        look,
        || connection.send(text.as_bytes()),
        |returned, attempts| connection.after(text.as_bytes(), &statement, returned, attempts),
    );
    let _ = connection.more_results();
    code
}
