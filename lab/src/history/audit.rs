//! The judgement on a history: a pure function of what the application saw and of the rows that are there.

use super::transaction::{Fate, Stored, Transaction};
use super::{History, Outcome, Rows, Statement, StatementKind};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

/// What a history amounts to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Everything attempted, connects and reads included.
    pub statements: u64,
    /// Writes that the application was told are stored.
    pub acknowledged: u64,
    /// Statements that ended with an error.
    pub failed: u64,
    /// Acknowledged writes that the final writer does not have, as (worker, seq).
    pub lost: Vec<(u32, u32)>,
    /// Writes that are there more than once.
    pub doubled: Vec<(u32, u32)>,
    /// Transactions of which a part is there without the rest.
    pub torn: Vec<(u32, u32)>,
    /// Writes that ended with an error and are there nevertheless: legitimate after a lost connection, never after 1290.
    pub unacknowledged_present: Vec<(u32, u32)>,
    /// Reads that did not find what had been acknowledged before.
    pub stale_reads: u64,
    /// The longest single statement.
    pub worst_stall: Duration,
    /// The longest time that any worker was without an acknowledged write.
    pub worst_write_gap: Duration,
    /// By error number.
    pub errors: BTreeMap<u32, ErrorCount>,
}

/// How often an error was seen, and how it read the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorCount {
    pub count: u64,
    pub first: String,
}

impl Audit {
    pub(crate) fn of(history: &History, rows: &Rows) -> Self {
        let mut audit = Self { statements: history.statements.len() as u64, ..Self::default() };
        let mut last_write = HashMap::new();
        let nothing = Stored::default();
        for statement in &history.statements {
            let key = (statement.worker, statement.seq);
            audit.worst_stall = audit.worst_stall.max(statement.duration());
            match statement.outcome {
                Outcome::Ok => {}
                Outcome::Stale => audit.stale_reads += 1,
                Outcome::Error => audit.count_error(statement.errno, &statement.message),
            }
            let gap_from = *last_write.entry(statement.worker).or_insert(statement.start_us);
            let gap = Duration::from_micros(statement.end_us.saturating_sub(gap_from));
            audit.worst_write_gap = audit.worst_write_gap.max(gap);
            if statement.is_acknowledged_write() {
                last_write.insert(statement.worker, statement.end_us);
            }
            if statement.kind == StatementKind::Insert {
                let stored = rows.get(&key).unwrap_or(&nothing);
                audit.acknowledged += u64::from(statement.is_acknowledged_write());
                match fate(statement, stored) {
                    Fate::AsTold => {}
                    Fate::Lost => audit.lost.push(key),
                    Fate::Torn => audit.torn.push(key),
                    Fate::PresentThoughFailed => audit.unacknowledged_present.push(key),
                }
                if stored.rows > stored.distinct {
                    audit.doubled.push(key);
                }
            }
        }
        audit
    }

    /// Nothing lost, doubled, torn or stale. Errors are another question.
    pub fn is_consistent(&self) -> bool {
        let [lost, doubled, torn] = [&self.lost, &self.doubled, &self.torn].map(Vec::is_empty);
        lost && doubled && torn && self.stale_reads == 0
    }

    /// Consistent, and the application saw no error at all.
    pub fn is_spotless(&self) -> bool {
        self.is_consistent() && self.failed == 0
    }

    fn count_error(&mut self, errno: u32, message: &str) {
        self.failed += 1;
        let first = || ErrorCount { count: 0, first: message.to_owned() };
        self.errors.entry(errno).or_insert_with(first).count += 1;
    }
}

fn fate(statement: &Statement, stored: &Stored) -> Fate {
    if let Some(transaction) = Transaction::of(statement) {
        return transaction.fate(statement.outcome, stored);
    }
    match (statement.is_acknowledged_write(), stored.rows) {
        (true, 0) => Fate::Lost,
        (true, _) | (false, 0) => Fate::AsTold,
        (false, _) => Fate::PresentThoughFailed,
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} statements, {} writes acknowledged, {} failed",
            self.statements, self.acknowledged, self.failed
        )?;
        let (lost, doubled, present) = (self.lost.len(), self.doubled.len(), self.unacknowledged_present.len());
        writeln!(
            f,
            "{lost} lost, {doubled} doubled, {} torn, {} stale reads, {present} unacknowledged but stored",
            self.torn.len(),
            self.stale_reads
        )?;
        let (stall, gap) = (self.worst_stall.as_secs_f64(), self.worst_write_gap.as_secs_f64());
        write!(f, "longest statement {stall:.3} s, longest time without a write {gap:.3} s")?;
        self.errors.iter().try_for_each(|(errno, seen)| write!(f, "\nerror {errno} × {}: {}", seen.count, seen.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Statement;

    fn history(lines: &[&str]) -> History {
        History { statements: lines.iter().map(|line| Statement::parse(line).unwrap()).collect() }
    }

    /// One row each, stored so often.
    fn rows<const N: usize>(stored: [((u32, u32), u32); N]) -> Rows {
        let stored = stored.map(|(key, rows)| (key, Stored { rows, distinct: 1, ..Stored::default() }));
        Rows::from(stored)
    }

    #[test]
    fn an_acknowledged_write_that_is_missing_is_lost() {
        let audit = Audit::of(&history(&["1,1,insert,0,10,ok,0,", "1,2,insert,20,30,ok,0,"]), &rows([((1, 1), 1)]));
        assert_eq!(audit.lost, [(1, 2)]);
        assert!(!audit.is_consistent());
    }

    #[test]
    fn a_write_that_is_there_twice_is_doubled_whether_acknowledged_or_not() {
        let audit = Audit::of(
            &history(&["1,1,insert,0,10,ok,0,", "1,2,insert,20,30,error,2013,gone"]),
            &rows([((1, 1), 2), ((1, 2), 2)]),
        );
        assert_eq!(audit.doubled, [(1, 1), (1, 2)]);
        assert_eq!(audit.unacknowledged_present, [(1, 2)]);
    }

    #[test]
    fn the_write_gap_spans_failures_and_the_stall_does_not() {
        let lines = ["1,1,insert,0,10,ok,0,", "1,2,insert,20,30,error,1290,no", "1,3,insert,500,520,ok,0,"];
        let audit = Audit::of(&history(&lines), &rows([((1, 1), 1), ((1, 3), 1)]));
        assert_eq!(audit.worst_write_gap, Duration::from_micros(510));
        assert_eq!(audit.worst_stall, Duration::from_micros(20));
        assert_eq!(audit.errors[&1290], ErrorCount { count: 1, first: "no".into() });
    }
}
