//! What one ride amounts to, in numbers. Pure.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use pointsman_lab::{EventKind, Outcome, Statement, Timeline};
use serde::{Serialize, Serializer};

use super::ride::Ride;

#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub statements: u64,
    pub acknowledged_writes: u64,
    pub failed: u64,
    pub lost: usize,
    pub doubled: usize,
    pub stale_reads: u64,
    /// The longest single statement.
    #[serde(rename = "worst_stall_seconds", serialize_with = "seconds")]
    pub worst_stall: Duration,
    /// The longest that a worker was without a successful write.
    #[serde(rename = "without_a_write_seconds", serialize_with = "seconds")]
    pub without_a_write: Duration,
    pub return_to_work: Return,
    pub errors: Vec<ErrorLine>,
}

/// When the workers wrote again, counted from the moment at which a server took writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Return {
    /// Of all workers that wrote again, the last; none if nothing ever took writes.
    #[serde(rename = "last_after_seconds", serialize_with = "maybe_seconds")]
    pub last: Option<Duration>,
    pub workers: usize,
    /// Workers that never wrote again.
    pub silent: usize,
}

/// Errors of one number and text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorLine {
    pub number: u32,
    pub count: u64,
    pub text: String,
}

impl Figures {
    pub fn of(ride: &Ride) -> Self {
        let (audit, statements) = (&ride.audit, &ride.history.statements);
        Self {
            statements: audit.statements,
            acknowledged_writes: audit.acknowledged,
            failed: audit.failed,
            lost: audit.lost.len(),
            doubled: audit.doubled.len(),
            stale_reads: audit.stale_reads,
            worst_stall: audit.worst_stall,
            without_a_write: audit.worst_write_gap,
            return_to_work: return_to_work(statements, &ride.timeline),
            errors: errors(statements),
        }
    }

    /// No error, nothing lost, nothing twice, and everybody at work.
    pub fn is_clean(&self) -> bool {
        self.failed == 0 && self.lost == 0 && self.doubled == 0 && self.return_to_work.silent == 0
    }
}

fn return_to_work(statements: &[Statement], timeline: &Timeline) -> Return {
    let back = timeline.first(EventKind::WriterBack);
    let back_us = timeline.started_us + back.map_or(u64::MAX / 2, |back| back.as_micros() as u64);
    // History is in the order in which statements ended, so the first that is found is the earliest.
    let mut first = HashMap::new();
    for statement in statements {
        let write: &mut Option<u64> = first.entry(statement.worker).or_default();
        if write.is_none() && statement.is_acknowledged_write() && statement.end_us >= back_us {
            *write = Some(statement.end_us);
        }
    }
    Return {
        last: first.values().flatten().max().map(|end| Duration::from_micros(end - back_us)),
        workers: first.len(),
        silent: if back.is_some() { first.values().filter(|write| write.is_none()).count() } else { 0 },
    }
}

/// The most frequent first.
fn errors(statements: &[Statement]) -> Vec<ErrorLine> {
    let mut counts = BTreeMap::<(u32, &str), u64>::new();
    for statement in statements.iter().filter(|statement| statement.outcome == Outcome::Error) {
        *counts.entry((statement.errno, &statement.message)).or_default() += 1;
    }
    let line = |((number, text), count): ((u32, &str), u64)| ErrorLine { number, count, text: text.to_owned() };
    let mut lines: Vec<_> = counts.into_iter().map(line).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.count));
    lines
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn maybe_seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_lab::{Event, StatementKind};

    fn write(worker: u32, end_us: u64, errno: u32) -> Statement {
        Statement {
            worker,
            seq: 1,
            kind: StatementKind::Insert,
            start_us: end_us - 5,
            end_us,
            outcome: if errno == 0 { Outcome::Ok } else { Outcome::Error },
            errno,
            message: if errno == 0 { String::new() } else { format!("error {errno}") },
        }
    }

    fn timeline(kind: EventKind) -> Timeline {
        let event = Event { at: Duration::from_micros(500), kind, text: "green is writable".into() };
        Timeline { scenario: "test".into(), started_us: 1000, events: vec![event] }
    }

    #[test]
    fn the_last_worker_to_write_again_counts() {
        let statements = [write(1, 1400, 0), write(2, 1510, 0), write(1, 1700, 0), write(2, 1900, 0)];
        let returned = return_to_work(&statements, &timeline(EventKind::WriterBack));
        assert_eq!(returned, Return { last: Some(Duration::from_micros(200)), workers: 2, silent: 0 });
    }

    #[test]
    fn a_worker_that_never_writes_again_is_silent() {
        let statements = [write(1, 1600, 0), write(2, 1400, 0), write(2, 1700, 1290)];
        let returned = return_to_work(&statements, &timeline(EventKind::WriterBack));
        assert_eq!(returned, Return { last: Some(Duration::from_micros(100)), workers: 2, silent: 1 });
    }

    #[test]
    fn nobody_is_silent_where_no_server_ever_took_writes() {
        let returned = return_to_work(&[write(1, 1600, 1290)], &timeline(EventKind::Dns));
        assert_eq!(returned, Return { last: None, workers: 1, silent: 0 });
    }

    #[test]
    fn errors_are_counted_by_number_and_text_with_the_most_frequent_first() {
        let lines = errors(&[write(1, 10, 2013), write(1, 20, 1290), write(1, 30, 1290), write(1, 40, 0)]);
        let shown: Vec<_> = lines.iter().map(|line| (line.number, line.count, line.text.as_str())).collect();
        assert_eq!(shown, [(1290, 2, "error 1290"), (2013, 1, "error 2013")]);
    }
}
