//! The session as a whole, told of statements one after the other.

use super::execution::Act;
use super::reasons::PinReason;
use super::*;
use crate::sql::{Dialect, OnlyHere, Traits, classify};

const NOW: Option<std::time::Instant> = None;
const DONE: Reply = Reply::Done { affected: 1, insert_id: 0 };

fn plain(transaction: TransactionEffect, session: Vec<SessionEffect>) -> Statement {
    Statement { traits: Traits { only_reads: false, transaction, ..Traits::READING }, session }
}

fn write() -> Statement {
    plain(TransactionEffect::None, Vec::new())
}

#[test]
fn database_and_sets_are_restored_in_order() {
    let mut session = Session::default();
    session.on_success(
        &plain(TransactionEffect::None, vec![SessionEffect::Use(b"shop".to_vec())]),
        b"USE shop",
        DONE,
        false,
        NOW,
    );
    for text in ["SET NAMES utf8mb4", "SET time_zone = '+00:00'"] {
        session.on_success(
            &plain(TransactionEffect::None, vec![SessionEffect::Journal]),
            text.as_bytes(),
            DONE,
            false,
            NOW,
        );
    }
    let text = |text: &str| Step::Text(text.into());
    let steps = [Step::Database(b"shop".to_vec()), text("SET NAMES utf8mb4"), text("SET time_zone = '+00:00'")];
    assert_eq!(session.to_restore().collect::<Vec<_>>(), steps);
}

#[test]
fn a_pin_holds_until_it_is_released() {
    let mut session = Session::default();
    let lock = plain(TransactionEffect::None, vec![SessionEffect::Pin(Pin::TableLock)]);
    session.on_success(&lock, b"LOCK TABLES t READ", DONE, false, NOW);
    assert_eq!(session.pinned(), Some(PinReason::TableLock));
    let unlock = plain(TransactionEffect::None, vec![SessionEffect::Unpin(Pin::TableLock)]);
    session.on_success(&unlock, b"UNLOCK TABLES", DONE, false, NOW);
    assert_eq!(session.pinned(), None);
}

#[test]
fn a_set_that_was_executed_with_parameters_cannot_be_run_again_and_pins() {
    let set = plain(TransactionEffect::None, vec![SessionEffect::Journal]);
    let text = b"SET @a = ?";
    let mut session = Session::default();
    session.on_success(&set, Ran::Execution { text, values: Some(&[]) }, DONE, false, NOW);
    assert_eq!((session.pinned(), session.to_restore().count()), (None, 1));
    session.on_success(&set, Ran::Execution { text, values: None }, DONE, false, NOW);
    assert!(session.pinned().is_some());
}

fn run(session: &mut Session, text: &str) {
    let statement = crate::sql::classify(text.as_bytes(), crate::sql::Dialect::default());
    session.on_success(&statement, text.as_bytes(), DONE, false, NOW);
}

#[test]
fn a_temporary_table_is_let_go_in_the_database_that_it_was_made_in() {
    let mut session = Session::default();
    for text in ["USE a", "CREATE TEMPORARY TABLE t (n INT)", "USE b", "DROP TEMPORARY TABLE IF EXISTS t"] {
        run(&mut session, text);
        assert_eq!(session.pinned().is_some(), text != "USE a", "{text}");
    }
    run(&mut session, "DROP TEMPORARY TABLE a.t");
    assert_eq!(session.pinned(), None);
    run(&mut session, "CREATE TEMPORARY TABLE t (n INT)");
    run(&mut session, "ALTER TABLE t RENAME TO u");
    run(&mut session, "DROP TEMPORARY TABLE IF EXISTS t");
    assert!(session.pinned().is_some(), "it goes by another name");
}

#[test]
fn a_statement_that_failed_half_way_pins_and_one_that_nobody_could_parse_does_not() {
    let failed = |text: &str, number| {
        let mut session = Session::default();
        let statement = crate::sql::classify(text.as_bytes(), crate::sql::Dialect::default());
        session.on_failure(&statement, text.as_bytes(), number, false, NOW);
        session.pinned()
    };
    for text in ["SELECT a INTO @x FROM t", "CALL p()", "SELECT f(1)", "SELECT GET_LOCK('a', 1), g()", "FROBNICATE"] {
        assert!(failed(text, 1242).is_some(), "{text}");
    }
    assert_eq!(failed("SELECT a INTO @x FORM t", 1064), None);
    assert_eq!(failed("CREATE TEMPORARY TABLE t (a INT)", 1050), None);
    assert_eq!(failed("INSERT INTO t (a) VALUES (1)", 1062), None);
}

#[test]
fn a_later_statement_that_fails_leaves_open_what_those_behind_it_would_have_done() {
    let mut session = Session::default();
    run(&mut session, "SELECT 1; USE other");
    session.on_further_failure();
    assert!(session.pinned().is_some());
    let mut session = Session::default();
    run(&mut session, "SELECT 1; SELECT 2");
    session.on_further_failure();
    assert_eq!(session.pinned(), None);
}

#[test]
fn a_reset_leaves_the_database_and_the_server_option_and_ends_every_pin() {
    let mut session = Session::default();
    session.on_server_option(0);
    for text in ["USE shop", "SET @a = 1", "CALL p()", "CREATE TEMPORARY TABLE t (n INT)"] {
        run(&mut session, text);
    }
    session.on_character_set(b"latin1");
    session.on_reset(b"latin1");
    assert_eq!(session.pinned(), None);
    let reset = Reset { character_set: b"latin1".to_vec(), database: Some(b"shop".to_vec()) };
    assert_eq!(session.to_reset(), Some(&reset));
    assert_eq!(session.to_restore().collect::<Vec<_>>(), [Step::ServerOption(0)]);
    session.on_change_user();
    assert_eq!((session.to_reset(), session.to_restore().count()), (None, 1));
}

#[test]
fn a_character_set_that_hides_ascii_is_remembered_by_its_name() {
    for text in ["SET NAMES gbk", "SET character_set_client = 'sjis'", "SET NAMES utf8mb4"] {
        let mut session = Session::default();
        run(&mut session, text);
        assert_eq!(session.unsafe_charset(), text != "SET NAMES utf8mb4", "{text}");
    }
}

#[test]
fn what_a_transaction_that_began_unseen_holds_is_not_replayed() {
    let mut session = Session::default();
    session.on_began_unseen();
    session.on_success(&write(), b"INSERT 1", DONE, true, NOW);
    assert!(session.transaction().unwrap().spoilt().is_some());
}

#[test]
fn a_transaction_is_logged_from_begin_to_its_end() {
    let mut session = Session::default();
    session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
    session.on_success(&write(), b"INSERT 1", DONE, true, NOW);
    session.on_failure(&write(), b"INSERT 1", 1062, true, NOW);
    let entries = session.transaction().unwrap().entries().iter();
    let texts: Vec<_> = entries.map(|entry| entry.act.clone()).collect();
    assert_eq!(texts, [b"BEGIN".to_vec(), b"INSERT 1".to_vec(), b"INSERT 1".to_vec()].map(Act::Text));
    session.on_success(&plain(TransactionEffect::Commit, Vec::new()), b"COMMIT", DONE, false, NOW);
    assert!(session.transaction().is_none());
}

#[test]
fn savepoints_before_the_first_statement_go_with_the_session_and_into_the_log_of_their_transaction() {
    let mut session = Session::default();
    let savepoint = b"SAVEPOINT a";
    let restored = |session: &Session| session.to_restore().last() == Some(Step::Text(savepoint.to_vec()));
    session.on_leading_savepoint(savepoint.into());
    run(&mut session, "SET @a = 1");
    assert!(session.pinned().is_none() && restored(&session));
    session.on_success(&write(), b"INSERT 1", DONE, true, NOW);
    let texts: Vec<_> = session.transaction().unwrap().entries().iter().map(|entry| entry.act.text()).collect();
    assert_eq!(texts, [&savepoint[..], b"INSERT 1"]);
    assert!(!restored(&session), "the transaction sets it when it is replayed");
    run(&mut session, "ROLLBACK");
    assert_eq!(session.to_restore().count(), 1);
}

#[test]
fn rows_of_no_transaction_leave_the_savepoints_before_it() {
    let mut session = Session::default();
    session.on_leading_savepoint(b"SAVEPOINT a".into());
    session.on_success(&Statement::reading(), b"SELECT 1", Reply::Pending, true, NOW);
    session.on_stored(transaction::Digesting::default().finish(), 0, false);
    assert!(session.transaction().is_none() && session.pinned().is_none());
    session.on_success(&write(), b"INSERT 1", DONE, true, NOW);
    assert_eq!(session.transaction().unwrap().entries().len(), 2);
}

#[test]
fn savepoints_that_cannot_be_set_again_pin() {
    let mut session = Session::default();
    session.on_leading_savepoint(Ran::Execution { text: b"SAVEPOINT a", values: None });
    assert!(session.pinned().is_some());
    session.transaction_gone();
    assert_eq!(session.pinned(), None);
}

#[test]
fn without_autocommit_a_transaction_begins_with_its_first_statement() {
    let mut session = Session::default();
    session.on_success(&write(), b"INSERT 1", DONE, true, NOW);
    assert_eq!(session.transaction().unwrap().entries().len(), 1);
}

#[test]
fn rows_behind_which_the_server_knows_of_no_transaction_were_none() {
    let digest = || transaction::Digesting::default().finish();
    let mut session = Session::default();
    let rows = |session: &mut Session| session.on_success(&write(), b"SELECT 1", Reply::Pending, true, NOW);
    rows(&mut session);
    session.on_stored(digest(), 0, false);
    assert!(session.transaction().is_none());
    rows(&mut session);
    session.on_stored(digest(), 0, true);
    assert!(session.transaction().is_some());
}

#[test]
fn what_the_later_statements_of_a_text_began_is_not_replayed() {
    let mut session = Session::default();
    let mut several = write();
    several.atomic = false;
    session.on_success(&several, b"DO 1; INSERT 1", DONE, false, NOW);
    session.on_further_result_in_transaction();
    session.on_success(&write(), b"INSERT 2", DONE, true, NOW);
    assert!(session.transaction().unwrap().spoilt().is_some());
    session.on_results_over();
    assert!(session.transaction().is_none());
}

#[test]
fn a_set_transaction_that_a_query_seemed_to_use_up_pins_once_there_was_no_transaction() {
    let mut session = Session::default();
    for (text, in_transaction) in [("SET TRANSACTION READ ONLY", false), ("SELECT 1", true)] {
        let statement = crate::sql::classify(text.as_bytes(), crate::sql::Dialect::default());
        session.on_success(&statement, text.as_bytes(), Reply::Pending, in_transaction, NOW);
    }
    assert!(session.transaction().is_some() && session.pinned().is_none());
    session.on_stored(transaction::Digesting::default().finish(), 0, false);
    assert!(session.transaction().is_none() && session.pinned().is_some());
}

#[test]
fn a_begin_inside_a_read_only_transaction_is_not_replayed_from_there_on() {
    let spoilt = |texts: &[&str]| {
        let mut session = Session::default();
        for text in texts {
            let statement = crate::sql::classify(text.as_bytes(), crate::sql::Dialect::default());
            let open = !text.starts_with("SET");
            session.on_success(&statement, text.as_bytes(), DONE, open, NOW);
        }
        session.transaction().unwrap().spoilt().is_some()
    };
    assert!(spoilt(&["START TRANSACTION READ ONLY", "BEGIN"]));
    assert!(spoilt(&["SET TRANSACTION READ ONLY", "BEGIN", "BEGIN", "BEGIN"]));
    assert!(!spoilt(&["BEGIN", "INSERT INTO t VALUES (1)", "start transaction"]));
    assert!(!spoilt(&["INSERT INTO t VALUES (1)", "BEGIN"]));
}

#[test]
fn a_transaction_with_a_write_has_not_only_read_whatever_the_server_replied() {
    let log_after = |texts: &[&str]| {
        let mut session = Session::default();
        for text in texts {
            let statement = crate::sql::classify(text.as_bytes(), crate::sql::Dialect::default());
            session.on_success(&statement, text.as_bytes(), Reply::Pending, true, NOW);
            session.on_stored(transaction::Digesting::default().finish(), 0, true);
        }
        session.transaction().unwrap().clone()
    };
    assert!(log_after(&["BEGIN", "SELECT n FROM t", "SAVEPOINT a", "SELECT 2"]).has_only_read());
    for write in ["DELETE FROM t RETURNING n", "UPDATE t SET n = 1 WHERE id = 0", "SELECT unknown()"] {
        assert!(!log_after(&["BEGIN", "SELECT n FROM t", write]).has_only_read(), "{write}");
    }
}

#[test]
fn set_transaction_belongs_to_the_next_transaction_only() {
    let mut session = Session::default();
    let set = plain(TransactionEffect::None, vec![SessionEffect::NextTransaction]);
    session.on_success(&set, b"SET TRANSACTION READ ONLY", DONE, false, NOW);
    assert_eq!(session.to_restore().count(), 1);
    session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
    assert_eq!(session.to_restore().count(), 0);
    let first = &session.transaction().unwrap().entries()[0].act;
    assert_eq!(*first, Act::Text(b"SET TRANSACTION READ ONLY".to_vec()));
}

#[test]
fn what_cannot_be_run_again_alike_spoils_the_transaction() {
    let spoilers: [fn(&mut Statement); 4] = [
        |s| s.varies = true,
        |s| s.uses_outcome = true,
        |s| s.atomic = false,
        |s| s.only_here = Some(OnlyHere::RowLocks),
    ];
    for spoil in spoilers {
        let mut session = Session::default();
        session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
        let mut statement = write();
        spoil(&mut statement);
        session.on_success(&statement, b"INSERT", DONE, true, NOW);
        assert!(session.transaction().unwrap().spoilt().is_some());
    }
}

#[test]
fn a_transaction_with_a_lock_on_rows_that_it_read_or_with_a_snapshot_is_not_replayed() {
    for texts in [
        ["BEGIN", "SELECT n FROM t FOR UPDATE"],
        ["BEGIN", "INSERT INTO u SELECT * FROM t LOCK IN SHARE MODE"],
        ["START TRANSACTION WITH CONSISTENT SNAPSHOT", "SELECT n FROM t"],
    ] {
        let mut session = Session::default();
        for text in texts {
            let class = classify(text.as_bytes(), Dialect::default());
            session.on_success(&class, text.as_bytes(), DONE, true, NOW);
        }
        assert!(session.transaction().unwrap().spoilt().is_some(), "{texts:?}");
    }
}

#[test]
fn a_deadlock_ends_the_transaction_and_a_lock_wait_timeout_leaves_it_unclear() {
    let mut session = Session::default();
    session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
    session.on_failure(&write(), b"INSERT", 1205, true, NOW);
    assert!(session.transaction().unwrap().spoilt().is_some());
    session.on_failure(&write(), b"INSERT", 1213, true, NOW);
    assert!(session.transaction().is_none());
}

#[test]
fn a_failed_ddl_in_a_transaction_may_have_committed_so_nothing_is_replayed_until_a_boundary() {
    let mut session = Session::default();
    session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
    session.on_failure(&plain(TransactionEffect::ImplicitCommit, Vec::new()), b"DROP TABLE x", 1051, true, NOW);
    assert!(session.transaction().unwrap().spoilt().is_some() && session.pinned().is_some());
    session.on_success(&write(), b"INSERT", DONE, true, NOW);
    assert!(session.pinned().is_some(), "the flag may be the stale one");
    session.on_success(&plain(TransactionEffect::Commit, Vec::new()), b"COMMIT", DONE, false, NOW);
    assert_eq!(session.pinned(), None);
}

#[test]
fn a_chain_settles_what_a_failed_ddl_left_in_doubt_and_begins_a_transaction_that_is_not_replayed() {
    for chain in ["COMMIT AND CHAIN", "ROLLBACK AND CHAIN"] {
        let mut session = Session::default();
        session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
        session.on_failure(&plain(TransactionEffect::ImplicitCommit, Vec::new()), b"DROP TABLE x", 1051, true, NOW);
        let class = classify(chain.as_bytes(), Dialect::default());
        let mut failed = session.clone();
        failed.on_failure(&class, chain.as_bytes(), 1290, true, NOW);
        assert!(failed.pinned().is_some(), "{chain}: a failed one settles nothing");
        session.on_success(&class, chain.as_bytes(), DONE, true, NOW);
        assert_eq!(session.pinned(), None, "{chain}");
        assert!(session.transaction().unwrap().spoilt().is_some(), "{chain}");
    }
}

#[test]
fn a_flag_that_tells_of_no_transaction_settles_what_a_failed_ddl_left_in_doubt() {
    let mut session = Session::default();
    session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
    session.on_flag(false);
    assert!(session.transaction().is_some(), "nothing is in doubt");
    session.on_failure(&plain(TransactionEffect::ImplicitCommit, Vec::new()), b"DROP TABLE x", 1051, true, NOW);
    session.on_flag(true);
    assert!(session.pinned().is_some() && session.transaction().unwrap().spoilt().is_some());
    session.on_flag(false);
    assert!(session.pinned().is_none() && session.transaction().is_none());
}

#[test]
fn a_session_that_changed_inside_a_transaction_is_not_replayed() {
    let changes: [fn(&mut Session); 4] = [
        |s| s.on_database(b"other"),
        |s| s.on_character_set(b"latin1"),
        |s| s.on_server_option(0),
        |s| {
            let set = plain(TransactionEffect::None, vec![SessionEffect::Journal]);
            s.on_success(&set, b"SET @n = 2", DONE, true, NOW);
        },
    ];
    for change in changes {
        let mut session = Session::default();
        session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
        change(&mut session);
        assert!(session.transaction().unwrap().spoilt().is_some());
    }
}
