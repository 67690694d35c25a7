//! One attempted statement, and its line in a workload's output.

use super::Transaction;
use serde::Serialize;
use std::time::Duration;

/// What a workload attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    Connect,
    /// A write with everything that makes it durable: with autocommit off, its COMMIT too.
    Insert,
    /// A read of the last row that a neighbouring connection (with DBD, this one) was told is stored; `seq` is that row's.
    Select,
}

/// How it ended, as the application saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    Error,
    /// A read that did not find what the application had been told is stored.
    Stale,
}

/// One attempted statement. Times are CLOCK_MONOTONIC in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    pub worker: u32,
    pub seq: u32,
    pub kind: StatementKind,
    pub start_us: u64,
    pub end_us: u64,
    pub outcome: Outcome,
    pub errno: u32,
    pub message: String,
}

impl Statement {
    /// Reads `worker,seq,kind,start_us,end_us,outcome,errno,message`.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(8, ',');
        let mut next = || fields.next();
        Some(Self {
            worker: next()?.parse().ok()?,
            seq: next()?.parse().ok()?,
            kind: match next()? {
                "connect" => StatementKind::Connect,
                "insert" => StatementKind::Insert,
                "select" => StatementKind::Select,
                _ => return None,
            },
            start_us: next()?.parse().ok()?,
            end_us: next()?.parse().ok()?,
            outcome: match next()? {
                "ok" => Outcome::Ok,
                "error" => Outcome::Error,
                "stale" => Outcome::Stale,
                _ => return None,
            },
            errno: next()?.parse().ok()?,
            message: next()?.to_owned(),
        })
    }

    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.end_us.saturating_sub(self.start_us))
    }

    /// The application did what it is there for: a COMMIT behind errors that it ignored stores nothing.
    pub fn got_through(&self) -> bool {
        self.outcome == Outcome::Ok && Transaction::of(self).is_none_or(|transaction| transaction.commits_something())
    }

    /// A write that the application was told is stored.
    pub fn is_acknowledged_write(&self) -> bool {
        self.kind == StatementKind::Insert && self.outcome == Outcome::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_may_contain_commas() {
        let statement = Statement::parse("3,17,insert,1000,3500,error,1290,no, not now").unwrap();
        assert_eq!((statement.errno, statement.message.as_str()), (1290, "no, not now"));
        assert_eq!(statement.duration(), Duration::from_micros(2500));
    }

    #[test]
    fn a_broken_line_is_no_statement() {
        assert_eq!(Statement::parse("3,17,insert,1000"), None);
        assert_eq!(Statement::parse("3,17,update,1,2,ok,0,"), None);
    }
}
