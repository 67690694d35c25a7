//! What a session carries over a switchover, what pins it, and what becomes of its transaction.

use std::{thread, time::Duration};

use pointsman_lab::{ENDPOINT, Flavor, Lab, Side};
use pointsman_tests::{on_both, puppet::Puppet, server_id, switch, wait_for};

fn set_up(lab: &Lab) {
    lab.blue().sql("CREATE TABLE shop.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(99))").unwrap();
    lab.blue().sql("CREATE DATABASE other; GRANT ALL ON other.* TO app@'%'").unwrap();
}

on_both! { set_up;
    the_session_on_the_new_writer_is_the_one_that_the_application_set_up
    idle_connections_are_on_the_new_writer_before_their_next_read
    a_transaction_is_replayed_with_the_ids_that_the_application_was_told
    a_transaction_that_reads_the_same_rows_again_is_replayed_and_one_that_reads_others_is_a_victim
    a_transaction_that_cannot_be_replayed_ends_as_a_deadlock_on_a_good_connection
    a_commit_refused_as_read_only_is_replayed
    what_follows_a_replayed_transaction_leaves_their_ids_to_those_that_are_still_to_be_replayed
    what_follows_a_transaction_that_came_out_otherwise_leaves_them_their_ids
    a_connection_opened_behind_the_move_leaves_them_their_ids
    a_pinned_session_reads_on_where_it_is_and_is_reported_lost_after_its_refused_write
    a_pinned_session_outlives_a_moment_in_which_its_server_is_read_only
    a_pinned_statement_that_needs_the_one_before_it_or_leaves_something_is_not_run_again
    a_session_whose_pin_was_released_moves
    a_session_pinned_by_a_failed_ddl_moves_once_a_reply_tells_that_no_transaction_is_open
    a_session_that_sets_more_than_is_kept_is_pinned_and_the_log_says_so_once
    a_connect_during_the_switchover_waits_for_the_writer
    dns_naming_another_server_moves_nobody_off_a_writable_one
    a_process_that_began_on_the_demoted_server_follows_dns
    a_handle_in_the_middle_of_a_stream_is_left_alone
    a_handle_moves_like_any_other_once_its_stream_has_ended
    the_multi_statement_option_is_set_again_on_the_new_writer
}

fn server(puppet: &mut Puppet, name: &'static str) -> String {
    puppet.query(name, "SELECT @@server_id")
}

fn rows(lab: &Lab) -> String {
    lab.green().sql("SELECT GROUP_CONCAT(id, ':', v ORDER BY id SEPARATOR ' ') FROM shop.t").unwrap().trim().to_owned()
}

/// Two transactions have inserted a row each when the server is switched; a has read one before, b was told the last id.
fn between_transactions(lab: &Lab) -> Puppet {
    lab.blue().sql("INSERT INTO shop.t (v) VALUES ('one')").unwrap();
    let mut puppet = Puppet::start(lab, &[]);
    for (name, told) in [("a", "ok (1, 2)"), ("b", "ok (1, 3)")] {
        puppet.connect(name);
        assert!(puppet.ask(name, "call", "autocommit 0").starts_with("ok"));
        if name == "a" {
            assert_eq!(puppet.query(name, "SELECT v FROM t WHERE id = 1"), "ok (('one',),)");
        }
        assert_eq!(puppet.query(name, &format!("INSERT INTO t (v) VALUES ('{name}')")), told);
    }
    switch(lab);
    puppet
}

/// Rows are inserted on a connection that is on the new writer already, in the moment when b is about to go there.
fn takes_no_id_of_b(puppet: &mut Puppet, name: &'static str) {
    puppet.begin("b", "call", "commit");
    puppet.begin(name, "query", "INSERT INTO t (v) VALUES ('x'), ('y')");
    assert_eq!(puppet.answer("b"), "ok None", "{}", puppet.stderr());
    assert!(puppet.answer(name).starts_with("ok (2, "));
    assert!(puppet.ask(name, "call", "commit").starts_with("ok"));
}

mod proofs {
    use super::*;

    pub fn the_session_on_the_new_writer_is_the_one_that_the_application_set_up(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        let collation = "utf8mb4_bin";
        for text in [
            "USE other",
            &format!("SET NAMES utf8mb4 COLLATE {collation}"),
            "SET @@SESSION.sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES'), time_zone = '+05:00'",
            "SET @a = 5, @b = 'x y'",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET @a = @a + 1",
            "SET autocommit = 0",
        ] {
            let answer = puppet.query("a", text);
            assert!(answer.starts_with("ok"), "{text}: {answer}");
        }
        let isolation = match lab.blue().flavor() {
            Flavor::MariaDb => "@@tx_isolation",
            Flavor::MySql => "@@transaction_isolation",
        };
        let look = format!(
            "SELECT DATABASE(), @@character_set_client, @@collation_connection, @@sql_mode, @@time_zone, @a, @b, \
             {isolation}, @@autocommit, @@character_set_results"
        );
        let before = puppet.query("a", &look);
        assert!(before.contains(collation) && before.contains("READ-COMMITTED"), "{before}");
        assert!(puppet.ask("a", "call", "rollback").starts_with("ok"));
        switch(lab);
        assert_eq!(puppet.query("a", "INSERT INTO shop.t (v) VALUES ('after')"), "ok (1, 1)");
        assert_eq!(puppet.query("a", &look), before);
        assert!(puppet.ask("a", "call", "commit").starts_with("ok"));
        assert_eq!(server(&mut puppet, "a"), server_id(lab, Side::Green));
        assert_eq!(rows(lab), "1:after");
    }

    pub fn idle_connections_are_on_the_new_writer_before_their_next_read(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        for name in ["a", "b", "c"] {
            puppet.connect(name);
            assert_eq!(server(&mut puppet, name), server_id(lab, Side::Blue));
        }
        switch(lab);
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('x')"), "ok (1, 1)");
        // Neither has failed at anything: they move because the process knows better by now.
        assert_eq!(puppet.query("b", "SELECT v FROM t"), "ok (('x',),)");
        assert_eq!(puppet.ask("c", "call", "ping"), "ok None");
        assert_eq!(server(&mut puppet, "c"), server_id(lab, Side::Green));
    }

    pub fn a_transaction_is_replayed_with_the_ids_that_the_application_was_told(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        puppet.connect("b");
        assert!(puppet.query("a", "BEGIN").starts_with("ok"));
        assert!(puppet.query("b", "START TRANSACTION").starts_with("ok"));
        assert_eq!(puppet.query("b", "INSERT INTO t (v) VALUES ('b')"), "ok (1, 1)");
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('a')"), "ok (1, 2)");
        assert_eq!(puppet.query("b", "ROLLBACK"), "ok (0, 0)");
        switch(lab);
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES (CONCAT('child of ', 2))"), "ok (1, 3)");
        assert_eq!(rows(lab), "NULL", "nothing is committed yet");
        assert!(puppet.ask("a", "call", "commit").starts_with("ok"));
        assert_eq!(rows(lab), "2:a 3:child of 2");
    }

    pub fn a_transaction_that_reads_the_same_rows_again_is_replayed_and_one_that_reads_others_is_a_victim(lab: &Lab) {
        lab.blue().sql("INSERT INTO shop.t (v) VALUES ('one'), ('two')").unwrap();
        let mut puppet = Puppet::start(lab, &[]);
        for name in ["same", "other"] {
            puppet.connect(name);
            assert!(puppet.query(name, "BEGIN").starts_with("ok"));
        }
        assert_eq!(puppet.query("same", "SELECT v FROM t WHERE id = 1"), "ok (('one',),)");
        assert_eq!(puppet.query("other", "SELECT v FROM t WHERE id = 2"), "ok (('two',),)");
        switch(lab);
        lab.green().sql("UPDATE shop.t SET v = 'changed' WHERE id = 2").unwrap();
        assert_eq!(puppet.query("same", "UPDATE t SET v = 'uno' WHERE id = 1"), "ok (1, 0)");
        assert!(puppet.ask("same", "call", "commit").starts_with("ok"));
        let answer = puppet.query("other", "UPDATE t SET v = 'dos' WHERE id = 2");
        assert!(answer.starts_with("error 1213 Deadlock found"), "{answer}");
        assert_eq!(rows(lab), "1:uno 2:changed");
    }

    pub fn a_transaction_that_cannot_be_replayed_ends_as_a_deadlock_on_a_good_connection(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        assert!(puppet.query("a", "BEGIN").starts_with("ok"));
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES (UUID())"), "ok (1, 1)");
        switch(lab);
        let answer = puppet.query("a", "INSERT INTO t (v) VALUES ('second')");
        assert!(answer.starts_with("error 1213 Deadlock found"), "{answer}");
        assert_eq!(rows(lab), "NULL");
        assert!(puppet.query("a", "BEGIN").starts_with("ok"));
        assert!(puppet.query("a", "INSERT INTO t (v) VALUES ('again')").starts_with("ok"));
        assert!(puppet.query("a", "COMMIT").starts_with("ok"));
        assert!(rows(lab).ends_with(":again"), "{}", rows(lab));
    }

    pub fn a_commit_refused_as_read_only_is_replayed(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        assert!(puppet.ask("a", "call", "autocommit 0").starts_with("ok"));
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('a')"), "ok (1, 1)");
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('b')"), "ok (1, 2)");
        switch(lab);
        assert!(puppet.ask("a", "call", "commit").starts_with("ok"));
        assert_eq!(rows(lab), "1:a 2:b");
    }

    pub fn what_follows_a_replayed_transaction_leaves_their_ids_to_those_that_are_still_to_be_replayed(lab: &Lab) {
        let mut puppet = between_transactions(lab);
        assert_eq!(puppet.ask("a", "call", "commit"), "ok None");
        takes_no_id_of_b(&mut puppet, "a");
        assert_eq!(rows(lab), "1:one 2:a 3:b 4:x 5:y");
    }

    pub fn what_follows_a_transaction_that_came_out_otherwise_leaves_them_their_ids(lab: &Lab) {
        let mut puppet = between_transactions(lab);
        lab.green().sql("UPDATE shop.t SET v = 'uno' WHERE id = 1").unwrap();
        let answer = puppet.ask("a", "call", "commit");
        assert!(answer.starts_with("error 1213 "), "{answer}");
        takes_no_id_of_b(&mut puppet, "a");
        assert_eq!(rows(lab), "1:uno 3:b 4:x 5:y");
    }

    pub fn a_connection_opened_behind_the_move_leaves_them_their_ids(lab: &Lab) {
        let mut puppet = between_transactions(lab);
        assert_eq!(puppet.ask("a", "call", "commit"), "ok None");
        puppet.connect("c");
        takes_no_id_of_b(&mut puppet, "c");
        assert_eq!(rows(lab), "1:one 2:a 3:b 4:x 5:y");
    }

    pub fn a_pinned_session_reads_on_where_it_is_and_is_reported_lost_after_its_refused_write(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        puppet.connect("witness");
        assert!(puppet.query("a", "CREATE TEMPORARY TABLE scratch AS SELECT 7 AS n").starts_with("ok"));
        switch(lab);
        assert!(puppet.query("witness", "INSERT INTO t (v) VALUES ('x')").starts_with("ok"));
        assert_eq!(puppet.query("a", "SELECT n FROM scratch"), "ok ((7,),)");
        let refused = puppet.query("a", "INSERT INTO t (v) VALUES ('y')");
        assert!(refused.starts_with("error 1290 "), "{refused}");
        let lost = puppet.query("a", "SELECT n FROM scratch");
        assert!(lost.starts_with("error 2006 ") || lost.starts_with("error 2013 "), "{lost}");
        assert!(puppet.stderr().contains("pinned by a temporary table"), "{}", puppet.stderr());
        assert_eq!(rows(lab), "1:x");
    }

    pub fn a_pinned_session_outlives_a_moment_in_which_its_server_is_read_only(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[("POINTSMAN_LOG_LEVEL", "info")]);
        puppet.connect("a");
        assert!(puppet.query("a", "CREATE TEMPORARY TABLE scratch AS SELECT 7 AS n").starts_with("ok"));
        for (round, open) in [(1, false), (2, true)] {
            if open {
                assert!(puppet.query("a", "BEGIN").starts_with("ok"));
            }
            lab.blue().set_read_only(true).unwrap();
            puppet.begin("a", "query", "INSERT INTO t (v) SELECT n FROM scratch");
            wait_for("the refusal", || puppet.stderr().matches("tried again there").count() >= round);
            lab.blue().set_read_only(false).unwrap();
            assert!(puppet.answer("a").starts_with("ok (1, "), "{}", puppet.stderr());
            if open {
                assert!(puppet.query("a", "COMMIT").starts_with("ok"));
            }
        }
        assert_eq!(puppet.query("a", "SELECT n FROM scratch"), "ok ((7,),)");
        let rows = lab.blue().sql("SELECT GROUP_CONCAT(v) FROM shop.t").unwrap();
        assert_eq!(rows.trim(), "7,7");
    }

    pub fn a_pinned_statement_that_needs_the_one_before_it_or_leaves_something_is_not_run_again(lab: &Lab) {
        for insert in ["INSERT INTO t (v) VALUES (ROW_COUNT())", "INSERT INTO t (v) VALUES (@n := 7)"] {
            let mut puppet = Puppet::start(lab, &[]);
            puppet.connect("a");
            assert!(puppet.query("a", "CREATE TEMPORARY TABLE scratch AS SELECT 7 AS n").starts_with("ok"));
            assert_eq!(puppet.query("a", "UPDATE scratch SET n = 8"), "ok (1, 0)");
            lab.blue().set_read_only(true).unwrap();
            puppet.begin("a", "query", insert);
            // Some runs later it would be taken.
            thread::sleep(Duration::from_millis(400));
            lab.blue().set_read_only(false).unwrap();
            let refused = puppet.answer("a");
            assert!(refused.starts_with("error 1290 "), "{refused}");
            assert!(puppet.query("a", "SELECT n FROM scratch").starts_with("error 20"), "reported lost");
        }
    }

    pub fn a_session_whose_pin_was_released_moves(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        assert!(puppet.query("a", "LOCK TABLES t WRITE").starts_with("ok"));
        assert!(puppet.query("a", "UNLOCK TABLES").starts_with("ok"));
        switch(lab);
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('x')"), "ok (1, 1)");
    }

    /// The error packet of the DDL statement does not tell that the server has committed before it.
    pub fn a_session_pinned_by_a_failed_ddl_moves_once_a_reply_tells_that_no_transaction_is_open(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        let replies = [("a", "query", "SET NAMES latin1"), ("b", "call", "set_character_set latin1")];
        for (name, operation, argument) in replies {
            puppet.connect(name);
            assert!(puppet.query(name, "BEGIN").starts_with("ok"));
            assert!(puppet.query(name, "INSERT INTO t (v) VALUES ('committed')").starts_with("ok"));
            assert!(puppet.query(name, "DROP TABLE missing").starts_with("error 1051 "));
            assert!(puppet.ask(name, operation, argument).starts_with("ok"));
        }
        switch(lab);
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('a')"), "ok (1, 3)", "{}", puppet.stderr());
        assert_eq!(puppet.query("b", "INSERT INTO t (v) VALUES ('b')"), "ok (1, 4)", "{}", puppet.stderr());
        assert_eq!(rows(lab), "1:committed 2:committed 3:a 4:b");
    }

    pub fn a_session_that_sets_more_than_is_kept_is_pinned_and_the_log_says_so_once(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        for name in ["a", "b"] {
            puppet.connect(name);
            for n in 0..1025 {
                assert_eq!(puppet.query(name, &format!("SET @v{n} = {n}")), "ok (0, 0)");
            }
        }
        assert_eq!(puppet.stderr().matches("sets more than is kept").count(), 1, "{}", puppet.stderr());
        switch(lab);
        assert_eq!(puppet.query("a", "SELECT @v1024"), "ok ((1024,),)");
        let refused = puppet.query("a", "INSERT INTO t (v) VALUES ('y')");
        assert!(refused.starts_with("error 1290 "), "{refused}");
        assert!(puppet.stderr().contains("pinned by more SET statements than are kept"), "{}", puppet.stderr());
    }

    pub fn a_connect_during_the_switchover_waits_for_the_writer(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        lab.blue().set_read_only(true).unwrap();
        puppet.begin("a", "query", "INSERT INTO t (v) VALUES ('a')");
        puppet.wait_for_log("is read-only; holding statements");
        puppet.begin("b", "connect", "-");
        assert!(puppet.is_waiting("a") && puppet.is_waiting("b"));
        switch(lab);
        assert_eq!(puppet.answer("b"), "ok 'connected'");
        assert!(puppet.answer("a").starts_with("ok (1, "));
        assert_eq!(server(&mut puppet, "b"), server_id(lab, Side::Green));
    }

    pub fn dns_naming_another_server_moves_nobody_off_a_writable_one(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[("POINTSMAN_LOG_LEVEL", "info")]);
        puppet.connect("a");
        lab.green().sql("SET GLOBAL read_only = 0").unwrap();
        lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
        puppet.wait_for_log("DNS no longer names the writer");
        assert_eq!(server(&mut puppet, "a"), server_id(lab, Side::Blue));
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('x')"), "ok (1, 1)");
        puppet.connect("b");
        assert_eq!(
            server(&mut puppet, "b"),
            server_id(lab, Side::Green),
            "a new connection goes where it would go by itself"
        );
        assert_eq!(server(&mut puppet, "a"), server_id(lab, Side::Blue));
    }

    pub fn a_process_that_began_on_the_demoted_server_follows_dns(lab: &Lab) {
        lab.blue().set_read_only(true).unwrap();
        let mut puppet = Puppet::start(lab, &[("POINTSMAN_LOG_LEVEL", "info")]);
        puppet.connect("a");
        let refused = puppet.query("a", "INSERT INTO t (v) VALUES ('x')");
        assert!(refused.starts_with("error 1290 "), "{refused}");
        switch(lab);
        puppet.wait_for_log(&format!("DNS answers [{}]", lab.green().ip()));
        // The application's resolver is asked once a second at most, and was at the first refusal.
        pointsman_tests::wait_for("a write where DNS leads", || {
            puppet.query("a", "INSERT INTO t (v) VALUES ('y')") == "ok (1, 1)"
        });
        assert_eq!(server(&mut puppet, "a"), server_id(lab, Side::Green));
    }

    pub fn a_handle_in_the_middle_of_a_stream_is_left_alone(lab: &Lab) {
        lab.blue().sql("INSERT INTO shop.t (v) VALUES ('one'), ('two'), ('three')").unwrap();
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        puppet.connect("b");
        assert_eq!(puppet.ask("a", "open_stream", "SELECT v FROM t ORDER BY id"), "ok (('one',),)");
        switch(lab);
        assert_eq!(puppet.query("b", "INSERT INTO t (v) VALUES ('four')"), "ok (1, 4)");
        // The process knows better by now; the rest of the rows still comes from where the first came from.
        assert_eq!(puppet.ask("a", "rest_of_stream", "-"), "ok (('two',), ('three',))");
        assert_eq!(server(&mut puppet, "a"), server_id(lab, Side::Green));
    }

    pub fn the_multi_statement_option_is_set_again_on_the_new_writer(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        // MYSQL_OPTION_MULTI_STATEMENTS_OFF: MySQLdb connects with them on.
        assert!(puppet.ask("a", "call", "set_server_option 1").starts_with("ok"));
        let refused = puppet.query("a", "SELECT 1; SELECT 2");
        assert!(refused.starts_with("error 1064 "), "{refused}");
        switch(lab);
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('x')"), "ok (1, 1)");
        let refused = puppet.query("a", "SELECT 1; SELECT 2");
        assert!(refused.starts_with("error 1064 "), "{refused}");
    }

    pub fn a_handle_moves_like_any_other_once_its_stream_has_ended(lab: &Lab) {
        lab.blue().sql("INSERT INTO shop.t (v) VALUES ('one'), ('two')").unwrap();
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        assert_eq!(puppet.ask("a", "stream", "SELECT v FROM t"), "ok 2");
        switch(lab);
        // The stream has ended and was freed: the handle moves like any other.
        assert_eq!(puppet.query("a", "INSERT INTO t (v) VALUES ('x')"), "ok (1, 3)");
    }
}
