//! What was allowed and what was not: a pure function of what a run has seen.

use std::collections::{BTreeMap, HashSet};

use pointsman_lab::{Audit, Loss, Outcome, ScenarioKind, Statement, StatementKind, Transaction};

use super::promise::{self, LOST_CONNECTION};
use super::twin;

/// ER_ERROR_DURING_COMMIT: the server does not know itself (Galera, of a node that is cut off in the middle of a COMMIT).
const DURING_COMMIT: u32 = 1180;

/// When connections were taken away: from the end of the step before to its own end.
#[derive(Debug, Clone, Copy)]
pub struct Disruption {
    pub from_us: u64,
    pub until_us: u64,
    pub loss: Loss,
}

/// All that a judgement rests on.
pub struct Witness<'a> {
    pub kind: ScenarioKind,
    pub statements: &'a [Statement],
    pub audit: &'a Audit,
    pub disruptions: Vec<Disruption>,
    pub silent: u32,
    pub left_behind: u32,
    pub died: Option<&'a str>,
    /// Everything is forbidden that is not allowed; else all is the twin's to judge.
    pub spotless: bool,
    /// A read is a transaction with a COMMIT of its own, whose lost answer is 2013 as that of any other.
    pub commits_reads: bool,
}

#[derive(Debug, Default)]
pub struct Judgement {
    /// Errors that the story allows.
    pub allowed: u64,
    /// Errors that it does not.
    pub forbidden: u64,
    /// Everything wrong, errors included, one clause each; none is a clean run.
    pub reasons: Vec<String>,
}

impl Judgement {
    pub fn is_clean(&self) -> bool {
        self.reasons.is_empty()
    }
}

pub fn of(witness: &Witness) -> Judgement {
    let Witness { kind, statements, audit, .. } = witness;
    let mut judgement = Judgement::default();
    let mut excused = HashSet::new();
    let mut forbidden = BTreeMap::<_, u64>::new();
    for (statement, errno) in statements.iter().flat_map(with_errors) {
        let allowed = !witness.spotless
            || promise::originals(*kind).contains(&errno)
            || is_victim(statement, errno)
            || in_flight(statement, errno, witness, &mut excused);
        if allowed {
            judgement.allowed += 1;
        } else {
            judgement.forbidden += 1;
            *forbidden.entry((errno, statement.kind)).or_default() += 1;
        }
    }
    if !witness.spotless {
        return judgement;
    }
    let mut wrong = |count: u64, what: &str| {
        if count > 0 {
            judgement.reasons.push(format!("{count} {what}"));
        }
    };
    for ((errno, kind), count) in forbidden {
        wrong(count, &format!("× error {errno} of {}", name(kind)));
    }
    wrong(audit.lost.len() as u64, "lost");
    wrong(audit.doubled.len() as u64, "doubled");
    wrong(audit.torn.len() as u64, "transactions stored in part");
    wrong(phantoms(witness), "stored although rejected");
    wrong(if promise::allows_stale_reads(*kind) { 0 } else { audit.stale_reads }, "stale reads");
    wrong(witness.silent.into(), "workers never got through again");
    wrong(witness.left_behind.into(), "connections left behind");
    judgement.reasons.extend(witness.died.map(|status| format!("the program ended by itself ({status})")));
    judgement
}

fn with_errors(statement: &Statement) -> impl Iterator<Item = (&Statement, u32)> {
    twin::errors(statement).into_iter().map(move |errno| (statement, errno))
}

/// A transaction that cannot be carried over is reported rolled back, as after a deadlock.
fn is_victim(statement: &Statement, errno: u32) -> bool {
    errno == 1213 && Transaction::of(statement).is_some()
}

/// A write whose connection was lost while it was under way: nobody can know whether it happened. A connection has one at
/// a time, so each disruption excuses one error of a worker.
fn in_flight(statement: &Statement, errno: u32, witness: &Witness, excused: &mut HashSet<(u32, usize)>) -> bool {
    let commits =
        statement.kind == StatementKind::Insert || statement.kind == StatementKind::Select && witness.commits_reads;
    if !commits || !LOST_CONNECTION.contains(&errno) {
        return false;
    }
    let mut disruptions = witness.disruptions.iter().enumerate();
    disruptions.any(|(index, disruption)| {
        let met = statement.end_us >= disruption.from_us
            && match disruption.loss {
                Loss::Ended => statement.start_us <= disruption.until_us,
                // The connection looks open until somebody has sent something and waited for an answer.
                Loss::Silenced => true,
            };
        met && excused.insert((statement.worker, index))
    })
}

/// Writes that are there although a server said that it rejected them: what a client says of itself leaves that open.
pub fn phantoms(witness: &Witness) -> u64 {
    let present: HashSet<_> = witness.audit.unacknowledged_present.iter().copied().collect();
    let rejected = witness.statements.iter().filter(|statement| {
        statement.kind == StatementKind::Insert
            && statement.outcome == Outcome::Error
            && matches!(statement.errno, 1000..2000 | 3000..)
            && statement.errno != DURING_COMMIT
    });
    rejected.filter(|statement| present.contains(&(statement.worker, statement.seq))).count() as u64
}

fn name(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Connect => "a connect",
        StatementKind::Insert => "a write",
        StatementKind::Select => "a read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(start_us: u64, kind: StatementKind, errno: u32) -> Statement {
        let (worker, seq, end_us, outcome) = (1, start_us as u32, start_us + 10, Outcome::Error);
        Statement { worker, seq, kind, start_us, end_us, outcome, errno, message: String::new() }
    }

    fn counts(kind: ScenarioKind, loss: Loss, statements: &[Statement]) -> (u64, u64) {
        let disruptions = vec![Disruption { from_us: 100, until_us: 120, loss }];
        let audit = Audit::default();
        let judgement = of(&Witness {
            kind,
            statements,
            audit: &audit,
            disruptions,
            silent: 0,
            left_behind: 0,
            died: None,
            spotless: true,
            commits_reads: false,
        });
        (judgement.allowed, judgement.forbidden)
    }

    #[test]
    fn a_crash_excuses_the_one_write_of_a_connection_that_was_under_way() {
        let crash = |statements: &[Statement]| counts(ScenarioKind::Crash, Loss::Ended, statements);
        assert_eq!(crash(&[failed(95, StatementKind::Insert, 2013)]), (1, 0));
        assert_eq!(crash(&[failed(95, StatementKind::Insert, 2013), failed(110, StatementKind::Insert, 2013)]), (1, 1));
        assert_eq!(crash(&[failed(121, StatementKind::Insert, 2013)]), (0, 1), "sent on a connection known to be dead");
        assert_eq!(crash(&[failed(95, StatementKind::Select, 2013)]), (0, 1), "a read can be run again");
        assert_eq!(crash(&[failed(95, StatementKind::Insert, 1290)]), (0, 1), "a rejected write never ran");
    }

    #[test]
    fn what_the_library_is_not_asked_to_hide_is_left_to_the_comparison_with_the_twin() {
        let statements = [failed(5000, StatementKind::Select, 1045)];
        let audit = Audit { stale_reads: 1, lost: vec![(1, 1)], ..Audit::default() };
        let witness = |spotless| {
            let (kind, disruptions, died) = (ScenarioKind::Password, vec![], None);
            let (statements, audit) = (&statements, &audit);
            of(&Witness {
                kind,
                statements,
                audit,
                disruptions,
                silent: 1,
                left_behind: 0,
                died,
                spotless,
                commits_reads: false,
            })
        };
        assert!(witness(false).is_clean());
        assert_eq!(witness(true).reasons.len(), 4);
    }

    #[test]
    fn a_black_hole_excuses_a_write_that_was_sent_into_it() {
        let statements = [failed(5000, StatementKind::Insert, 2013), failed(6000, StatementKind::Insert, 2013)];
        assert_eq!(counts(ScenarioKind::BlackHole, Loss::Silenced, &statements), (1, 1));
    }

    #[test]
    fn the_original_error_is_allowed_only_where_the_switchover_outlasts_the_hold() {
        let statements = [failed(5000, StatementKind::Insert, 1290)];
        assert_eq!(counts(ScenarioKind::Never, Loss::Ended, &statements), (1, 0));
        assert_eq!(counts(ScenarioKind::ReadOnly, Loss::Ended, &statements), (0, 1));
    }

    #[test]
    fn a_write_that_is_there_although_it_was_rejected_is_wrong_and_one_lost_in_flight_is_not() {
        let statements = [1290, 2013, 1180].map(|number| failed(u64::from(number), StatementKind::Insert, number));
        let audit = Audit { unacknowledged_present: vec![(1, 1290), (1, 2013), (1, 1180)], ..Audit::default() };
        let (kind, disruptions) = (ScenarioKind::Never, vec![]);
        let witness = Witness {
            kind,
            statements: &statements,
            audit: &audit,
            disruptions,
            silent: 0,
            left_behind: 0,
            died: None,
            spotless: true,
            commits_reads: false,
        };
        assert_eq!(phantoms(&witness), 1);
    }
}
