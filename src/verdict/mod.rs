//! The verdict: evidence × statement × session → action. The table of the design, as one pure function.
//!
//! It performs nothing and knows no sockets, handles or libraries. Both front ends ask it, so that a rule is
//! written once. Every row of the table is a test below.

pub mod evidence;
pub mod failure;

use crate::sql::{Statement, TransactionEffect};

/// What is known of the fate of a statement that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The server answered ERR because it is read-only (1290 with a read-only text, 1836).
    ReadOnly,
    /// The server answered ERR before it began the statement, because it serves no account just now: a Galera node that has lost
    /// its cluster. The connection stays, and so does a transaction that is open on it.
    Unready,
    /// The server answered ERR because it is going away (1053, 1077, 1079, 3032), perhaps in the middle of the statement:
    /// it rolls back what a transaction covers, and a table without transactions keeps the rows that were changed by then.
    GoingAway,
    /// The connection was dead before we sent, or the command was not accepted in full, or its end never left this host.
    NotSent,
    /// The command was sent; no answer came.
    Unknown,
    /// Rows had already reached the application.
    Partial,
}

impl Evidence {
    /// The server is there, and answered that it takes no such statement now.
    pub fn is_refusal(self) -> bool {
        matches!(self, Evidence::ReadOnly | Evidence::Unready)
    }
}

/// What the statement's text tells (from the classifier).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    pub only_reads: bool,
    /// Its author vouched that it may run twice.
    pub vouched: bool,
    /// An ERR reply speaks of the whole of it. False for CALL and multi-statement texts.
    pub atomic: bool,
    /// It may end the transaction by committing it (COMMIT, BEGIN, implicit commit, CALL).
    pub commits: bool,
    /// It is COMMIT and nothing else: whatever became of it, no transaction is open afterwards.
    pub is_commit: bool,
}

impl Class {
    pub fn of(statement: &Statement) -> Self {
        use TransactionEffect::{Commit, None, Rollback, Savepoint};
        Class {
            only_reads: statement.only_reads,
            vouched: statement.vouched,
            atomic: statement.atomic,
            commits: !matches!(statement.transaction, None | Rollback | Savepoint),
            is_commit: statement.transaction == Commit && statement.atomic,
        }
    }
}

/// The session at the moment the statement was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    pub in_transaction: bool,
    /// Every statement of the open transaction is in the log and may be run again.
    pub replayable: bool,
    /// Something in it cannot be rebuilt elsewhere.
    pub pinned: bool,
    /// The transaction is still open on this very connection, and its server accepts writes again.
    pub still_open: bool,
}

/// What the incumbent said when it was probed after the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incumbent {
    /// Answers, writable, not restarted: there was no switchover, so a cut was meant (KILL) or an accident of its own.
    Healthy,
    /// Read-only, unreachable, restarted, or another server is the writer by now.
    Replaced,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The application gets the error exactly as the server or library gave it.
    PassOn,
    /// Pinned session on a demoted server: the original error, and the connection is reported lost (2006) next time.
    PassOnThenLost,
    /// Move (if the writer is elsewhere), restore, run the statement again.
    RunAgain,
    /// Move, restore, replay the transaction's log, run the statement again. A reply that differs: `Victim`.
    Replay,
    /// Move, restore, report 1213 / 40001: the transaction is gone, the connection is good.
    Victim,
    /// Report the loss (2013) once; the handle is healthy again afterwards.
    SurfaceLoss,
    /// Report the loss; the connection stays lost, since an open transaction went with it.
    SurfaceLossStayLost,
}

/// The table. Call it only for an endpoint whose role is writer, with one of the [`Evidence`]s at hand.
pub fn verdict(evidence: Evidence, class: Class, session: Session, incumbent: Incumbent) -> Action {
    use Evidence::*;
    // CALL and multi-statement texts may have done half of their work when ERR arrives.
    let evidence = match evidence {
        ReadOnly | Unready | GoingAway if !class.atomic && !class.only_reads => {
            if session.pinned {
                return Action::PassOn;
            }
            Unknown
        }
        other => other,
    };
    if session.pinned {
        return match evidence {
            ReadOnly | Unready => Action::PassOnThenLost,
            // The server is gone and the session with it: only the application can build a new one.
            _ => Action::SurfaceLossStayLost,
        };
    }
    let replay_or_victim = if session.replayable { Action::Replay } else { Action::Victim };
    match (evidence, session.in_transaction) {
        (Partial, false) => Action::SurfaceLoss,
        (Partial, true) => Action::SurfaceLossStayLost,
        (ReadOnly | Unready, false) => Action::RunAgain,
        // It was read-only for a moment, and refused one statement: its transaction has lost nothing. What commits is
        // another matter, since a server rolls back what it does not commit.
        (ReadOnly | Unready, true) if session.still_open && !class.commits => Action::RunAgain,
        (ReadOnly | Unready, true) => replay_or_victim,
        (NotSent, false) => Action::RunAgain,
        // A COMMIT with nothing open has nothing to do.
        (GoingAway, false) if class.only_reads || class.vouched || class.is_commit => Action::RunAgain,
        (GoingAway, false) => Action::SurfaceLoss,
        (Unknown, false) => match incumbent {
            // A DBA's KILL stays a KILL.
            Incumbent::Healthy => Action::SurfaceLoss,
            Incumbent::Replaced if class.only_reads || class.vouched => Action::RunAgain,
            Incumbent::Replaced => Action::SurfaceLoss,
        },
        // COMMIT may have happened. Never replayed.
        (Unknown, true) if class.is_commit => Action::SurfaceLoss,
        // The same of all that commits first what was open.
        (GoingAway | Unknown, true) if class.commits && !class.is_commit => Action::SurfaceLossStayLost,
        (GoingAway | NotSent | Unknown, true) => match incumbent {
            Incumbent::Healthy => Action::SurfaceLossStayLost,
            Incumbent::Replaced => replay_or_victim,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::*;
    use Evidence as E;
    use Incumbent::*;

    const READ: Class = Class { only_reads: true, vouched: false, atomic: true, commits: false, is_commit: false };
    const WRITE: Class = Class { only_reads: false, ..READ };
    const VOUCHED: Class = Class { vouched: true, ..WRITE };
    const COMMIT: Class = Class { commits: true, is_commit: true, ..WRITE };
    const DDL: Class = Class { commits: true, ..WRITE };
    const CALL: Class = Class { atomic: false, ..WRITE };
    const OUTSIDE: Session = Session { in_transaction: false, replayable: false, pinned: false, still_open: false };
    const REPLAYABLE: Session = Session { in_transaction: true, replayable: true, ..OUTSIDE };
    const UNREPLAYABLE: Session = Session { in_transaction: true, replayable: false, ..OUTSIDE };
    const PINNED: Session = Session { pinned: true, ..OUTSIDE };

    fn row(evidence: E, class: Class, incumbent: Incumbent, expected: [Action; 3]) {
        for (session, action) in [OUTSIDE, REPLAYABLE, UNREPLAYABLE].into_iter().zip(expected) {
            assert_eq!(verdict(evidence, class, session, incumbent), action, "{evidence:?} {class:?} {session:?}");
        }
    }

    #[test]
    fn rejected_as_read_only_or_before_it_began_runs_again_whatever_the_statement() {
        for class in [READ, WRITE, VOUCHED] {
            for incumbent in [Healthy, Replaced] {
                row(E::ReadOnly, class, incumbent, [RunAgain, Replay, Victim]);
                row(E::Unready, class, incumbent, [RunAgain, Replay, Victim]);
            }
        }
    }

    #[test]
    fn a_statement_that_was_refused_in_a_transaction_that_is_still_open_runs_again_in_it() {
        for session in [REPLAYABLE, UNREPLAYABLE] {
            let open = Session { still_open: true, ..session };
            for class in [READ, WRITE, VOUCHED] {
                assert_eq!(verdict(E::ReadOnly, class, open, Healthy), RunAgain);
            }
            for class in [COMMIT, DDL] {
                let rolled_back = verdict(E::ReadOnly, class, session, Healthy);
                assert_eq!(verdict(E::ReadOnly, class, open, Healthy), rolled_back, "{class:?}");
            }
            assert_eq!(verdict(E::ReadOnly, CALL, open, Healthy), SurfaceLossStayLost, "half of it may be done");
        }
    }

    #[test]
    fn not_sent_runs_again_and_an_open_transaction_is_replayed_only_if_the_server_was_replaced() {
        for class in [READ, WRITE, COMMIT] {
            row(E::NotSent, class, Replaced, [RunAgain, Replay, Victim]);
            row(E::NotSent, class, Healthy, [RunAgain, SurfaceLossStayLost, SurfaceLossStayLost]);
        }
    }

    #[test]
    fn what_a_server_gave_up_going_away_may_be_half_done_outside_a_transaction_and_is_rolled_back_inside() {
        row(E::GoingAway, WRITE, Replaced, [SurfaceLoss, Replay, Victim]);
        row(E::GoingAway, COMMIT, Replaced, [RunAgain, Replay, Victim]);
        for class in [READ, VOUCHED] {
            row(E::GoingAway, class, Replaced, [RunAgain, Replay, Victim]);
            row(E::GoingAway, class, Healthy, [RunAgain, SurfaceLossStayLost, SurfaceLossStayLost]);
        }
    }

    #[test]
    fn what_commits_first_may_have_committed_what_was_open_before_the_server_went_away() {
        for incumbent in [Healthy, Replaced] {
            row(E::GoingAway, DDL, incumbent, [SurfaceLoss, SurfaceLossStayLost, SurfaceLossStayLost]);
        }
    }

    #[test]
    fn an_unanswered_read_runs_again_when_the_server_was_replaced() {
        row(E::Unknown, READ, Replaced, [RunAgain, Replay, Victim]);
    }

    #[test]
    fn an_unanswered_write_is_never_run_again_outside_a_transaction() {
        for incumbent in [Healthy, Replaced] {
            assert_eq!(verdict(E::Unknown, WRITE, OUTSIDE, incumbent), SurfaceLoss);
        }
    }

    #[test]
    fn an_unanswered_write_inside_a_transaction_never_committed_and_is_replayed() {
        row(E::Unknown, WRITE, Replaced, [SurfaceLoss, Replay, Victim]);
    }

    #[test]
    fn a_vouched_write_counts_as_a_read_when_unanswered() {
        assert_eq!(verdict(E::Unknown, VOUCHED, OUTSIDE, Replaced), RunAgain);
    }

    #[test]
    fn an_unanswered_commit_is_never_replayed() {
        row(E::Unknown, COMMIT, Replaced, [SurfaceLoss, SurfaceLoss, SurfaceLoss]);
        row(E::Unknown, COMMIT, Healthy, [SurfaceLoss, SurfaceLoss, SurfaceLoss]);
    }

    #[test]
    fn an_unanswered_statement_that_may_have_committed_is_never_replayed_and_ends_the_connection() {
        for incumbent in [Healthy, Replaced] {
            row(E::Unknown, DDL, incumbent, [SurfaceLoss, SurfaceLossStayLost, SurfaceLossStayLost]);
        }
    }

    #[test]
    fn a_commit_rejected_as_read_only_is_a_definite_rollback() {
        row(E::ReadOnly, COMMIT, Replaced, [RunAgain, Replay, Victim]);
    }

    #[test]
    fn delivered_rows_are_never_delivered_again() {
        for class in [READ, WRITE] {
            for incumbent in [Healthy, Replaced] {
                row(E::Partial, class, incumbent, [SurfaceLoss, SurfaceLossStayLost, SurfaceLossStayLost]);
            }
        }
    }

    #[test]
    fn a_dbas_kill_of_a_running_statement_stays_a_kill() {
        row(E::Unknown, READ, Healthy, [SurfaceLoss, SurfaceLossStayLost, SurfaceLossStayLost]);
        row(E::Unknown, WRITE, Healthy, [SurfaceLoss, SurfaceLossStayLost, SurfaceLossStayLost]);
    }

    #[test]
    fn call_and_multi_statement_texts_count_as_unanswered_writes_when_rejected() {
        for evidence in [E::ReadOnly, E::Unready, E::GoingAway] {
            row(evidence, CALL, Replaced, [SurfaceLoss, Replay, Victim]);
        }
    }

    #[test]
    fn a_pinned_session_gets_the_original_error_and_is_then_reported_lost() {
        for evidence in [E::ReadOnly, E::Unready] {
            assert_eq!(verdict(evidence, WRITE, PINNED, Replaced), PassOnThenLost);
        }
        for evidence in [E::GoingAway, E::NotSent, E::Unknown, E::Partial] {
            assert_eq!(verdict(evidence, WRITE, PINNED, Replaced), SurfaceLossStayLost);
        }
    }

    #[test]
    fn nothing_that_may_have_executed_runs_again_outside_a_transaction() {
        for evidence in [E::Unknown, E::Partial] {
            for class in [WRITE, COMMIT, CALL] {
                for incumbent in [Healthy, Replaced] {
                    for pinned in [false, true] {
                        let action = verdict(evidence, class, Session { pinned, ..OUTSIDE }, incumbent);
                        assert!(!matches!(action, RunAgain | Replay), "{evidence:?} {class:?} gave {action:?}");
                    }
                }
            }
        }
    }
}
