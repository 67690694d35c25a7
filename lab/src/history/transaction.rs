//! A write of several rows: what the application was told of each, and what the final writer may have of it. Pure.

use super::{Outcome, Statement, StatementKind};
use std::collections::BTreeSet;

/// A server that reports one of these has rolled the whole transaction back.
const ROLLED_BACK: [u32; 1] = [1213];

/// What a workload says of a transaction at the beginning of its record's message: `[20 3=1290 7=1213]` is a
/// transaction of twenty rows, of which the third and the seventh failed and were forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    pub rows: u32,
    /// Rows whose statement failed, with the error; the transaction went on after it.
    pub swallowed: Vec<(u32, u32)>,
}

/// What the final writer has of one write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Rows, those that are there twice included.
    pub rows: u32,
    /// Rows that differ.
    pub distinct: u32,
    /// The numbers of the rows of a transaction.
    pub parts: BTreeSet<u32>,
}

/// How what is there differs from what may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    AsTold,
    /// It was acknowledged, and nothing of it is there.
    Lost,
    /// A part of it is there without the rest.
    Torn,
    /// It was reported failed, and is there. Legitimate after a lost connection.
    PresentThoughFailed,
}

impl Transaction {
    pub fn of(statement: &Statement) -> Option<Self> {
        if statement.kind != StatementKind::Insert {
            return None;
        }
        let (inside, _) = statement.message.strip_prefix('[')?.split_once(']')?;
        let mut words = inside.split(' ');
        let rows = words.next()?.parse().ok()?;
        let pair =
            |word: &str| word.split_once('=').and_then(|(row, error)| Some((row.parse().ok()?, error.parse().ok()?)));
        Some(Self { rows, swallowed: words.map(pair).collect::<Option<_>>()? })
    }

    /// The rows that a COMMIT makes permanent: those that succeeded after the last error that rolls everything back.
    fn committed(&self) -> BTreeSet<u32> {
        let failed: BTreeSet<_> = self.swallowed.iter().map(|(row, _)| *row).collect();
        let gone = self.rolled_back().unwrap_or(0);
        (gone + 1..=self.rows).filter(|row| !failed.contains(row)).collect()
    }

    /// Whether its COMMIT made any row permanent: a program that ignores errors also commits nothing.
    pub fn commits_something(&self) -> bool {
        !self.committed().is_empty()
    }

    /// The last row at which the server rolled everything back.
    fn rolled_back(&self) -> Option<u32> {
        let fatal = self.swallowed.iter().filter(|(_, error)| ROLLED_BACK.contains(error));
        fatal.map(|(row, _)| *row).max()
    }

    /// Compares what is there with what the application was told.
    pub(crate) fn fate(&self, outcome: Outcome, stored: &Stored) -> Fate {
        let (committed, parts) = (self.committed(), &stored.parts);
        // A row whose answer was lost may be there, as long as all the others are.
        let unknown: BTreeSet<_> =
            self.swallowed.iter().filter(|(_, error)| is_unknown(*error)).map(|(row, _)| *row).collect();
        let surplus = parts.iter().any(|row| !committed.contains(row) && !unknown.contains(row));
        let complete = committed.is_subset(parts);
        if outcome == Outcome::Ok {
            return match (surplus, complete) {
                (false, true) => Fate::AsTold,
                (_, false) if parts.is_empty() => Fate::Lost,
                _ => Fate::Torn,
            };
        }
        // Behind an error that rolled back, the application's further statements may each have been a transaction.
        let severed = self.rolled_back().is_some();
        match (parts.is_empty(), surplus, complete || severed) {
            (true, ..) => Fate::AsTold,
            (false, false, true) => Fate::PresentThoughFailed,
            _ => Fate::Torn,
        }
    }
}

/// Whether only the client says that it failed.
fn is_unknown(error: u32) -> bool {
    (2000..3000).contains(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(line: &str, parts: &[u32]) -> Fate {
        let statement = Statement::parse(line).unwrap();
        let parts: BTreeSet<_> = parts.iter().copied().collect();
        let rows = parts.len() as u32;
        Transaction::of(&statement).unwrap().fate(statement.outcome, &Stored { rows, distinct: rows, parts })
    }

    #[test]
    fn an_acknowledged_transaction_is_there_whole() {
        let line = "1,1,insert,0,10,ok,0,[3]";
        assert_eq!(fate(line, &[1, 2, 3]), Fate::AsTold);
        assert_eq!(fate(line, &[2, 3]), Fate::Torn);
        assert_eq!(fate(line, &[]), Fate::Lost);
    }

    #[test]
    fn a_failed_transaction_is_there_whole_or_not_at_all() {
        let line = "1,1,insert,0,10,error,2013,[3] Lost connection";
        assert_eq!(fate(line, &[]), Fate::AsTold);
        assert_eq!(fate(line, &[1, 2, 3]), Fate::PresentThoughFailed);
        assert_eq!(fate(line, &[3]), Fate::Torn);
    }

    #[test]
    fn a_statement_that_failed_alone_is_missing_alone() {
        let line = "1,1,insert,0,10,ok,0,[4 2=1290]";
        assert_eq!(fate(line, &[1, 3, 4]), Fate::AsTold);
        assert_eq!(fate(line, &[3, 4]), Fate::Torn, "the row before it was acknowledged");
        assert_eq!(fate(line, &[1, 2, 3, 4]), Fate::Torn, "the server had rejected it");
    }

    #[test]
    fn what_follows_a_deadlock_is_all_that_is_there() {
        let line = "1,1,insert,0,10,ok,0,[4 2=1213]";
        assert_eq!(fate(line, &[3, 4]), Fate::AsTold);
        assert_eq!(fate(line, &[1, 3, 4]), Fate::Torn, "the row before it was rolled back");
        assert_eq!(fate("1,1,insert,0,10,error,2013,[4 2=1213] gone", &[3]), Fate::PresentThoughFailed);
    }

    #[test]
    fn a_transaction_whose_rows_all_failed_commits_nothing() {
        let something = |line: &str| Transaction::of(&Statement::parse(line).unwrap()).unwrap().commits_something();
        assert!(something("1,1,insert,0,10,ok,0,[2 1=1290]"));
        assert!(!something("1,1,insert,0,10,ok,0,[2 1=1290 2=2013]"));
        assert!(!something("1,1,insert,0,10,ok,0,[2 2=1213]"), "the row before it was rolled back");
    }

    #[test]
    fn rows_after_a_lost_connection_are_not_committed_without_those_before_it() {
        let line = "1,1,insert,0,10,ok,0,[4 2=2013]";
        assert_eq!(fate(line, &[3, 4]), Fate::Torn);
        assert_eq!(fate(line, &[1, 3, 4]), Fate::AsTold);
        assert_eq!(fate(line, &[1, 2, 3, 4]), Fate::AsTold);
    }

    #[test]
    fn a_write_of_one_row_is_no_transaction() {
        let plain = Statement::parse("1,1,insert,0,10,error,1290,[server] is read-only").unwrap();
        assert_eq!(Transaction::of(&plain), None);
    }
}
