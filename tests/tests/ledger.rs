//! Money: what must be in the tables after a switchover that met an application at its worst moment.

use std::time::Duration;

use pointsman_lab::{ENDPOINT, Lab, Side, USER};
use pointsman_tests::{on_both, puppet::Puppet, server_id, switch};

fn set_up(lab: &Lab) {
    lab.blue()
        .sql(
            "CREATE TABLE shop.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(99)); \
             CREATE TABLE shop.account (id INT PRIMARY KEY, money INT); \
             INSERT INTO shop.account VALUES (1, 100), (2, 100); CREATE DATABASE other; \
             CREATE TABLE other.t LIKE shop.t; GRANT ALL ON other.* TO app@'%'; \
             CREATE USER report@'%' IDENTIFIED BY 'report'; GRANT ALL ON shop.* TO report@'%'; \
             CREATE PROCEDURE shop.pay() SQL SECURITY INVOKER INSERT INTO shop.t (v) VALUES ('paid')",
        )
        .unwrap();
}

on_both! { set_up;
    a_transaction_that_a_failed_ddl_committed_is_not_run_again
    a_statement_that_needs_the_one_before_it_is_not_run_without_it
    a_last_insert_id_is_not_answered_by_a_session_that_has_moved_since
    a_transaction_that_began_in_the_middle_of_a_text_is_not_replayed_without_its_begin
    a_transaction_is_not_replayed_from_a_session_that_it_changed_itself
    a_refused_call_ends_its_transaction_and_says_so
    a_transaction_given_up_does_not_come_back
    a_rollback_of_a_transaction_that_is_gone_with_its_server_is_no_error
    an_account_that_is_refused_alone_moves_nobody_to_another_writer
    a_name_that_moved_for_good_is_followed_after_settle
    kill_reaches_the_server_that_the_id_came_from
    connects_fail_open_too_and_the_circuit_closes_by_itself
    a_frozen_server_does_not_keep_new_connections_from_the_writer
}

fn money(lab: &Lab) -> String {
    lab.green().sql("SELECT GROUP_CONCAT(money ORDER BY id) FROM shop.account").unwrap().trim().to_owned()
}

fn rows(lab: &Lab, table: &str) -> String {
    lab.green().sql(&format!("SELECT GROUP_CONCAT(v ORDER BY id) FROM {table}")).unwrap().trim().to_owned()
}

#[track_caller]
fn fine(answer: String) -> String {
    assert!(answer.starts_with("ok"), "{answer}");
    answer
}

#[track_caller]
fn fails(answer: String, numbers: &[u32]) {
    assert!(numbers.iter().any(|number| answer.starts_with(&format!("error {number} "))), "{answer}");
}

const TAKE_TEN: &str = "UPDATE account SET money = money - 10 WHERE id = 1";

mod proofs {
    use super::*;

    pub fn a_transaction_that_a_failed_ddl_committed_is_not_run_again(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        fine(puppet.query("a", "BEGIN"));
        fine(puppet.query("a", TAKE_TEN));
        fails(puppet.query("a", "DROP TABLE missing"), &[1051]);
        switch(lab);
        fails(puppet.query("a", "UPDATE account SET money = money - 1 WHERE id = 2"), &[1290]);
        assert_eq!(money(lab), "90,100");
    }

    pub fn a_statement_that_needs_the_one_before_it_is_not_run_without_it(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        fine(puppet.query("a", "INSERT INTO t (v) VALUES ('parent')"));
        switch(lab);
        let child = "INSERT INTO t (v) VALUES (CONCAT('child of ', LAST_INSERT_ID()))";
        fails(puppet.query("a", child), &[1290]);
        assert_eq!(rows(lab, "shop.t"), "parent");
    }

    pub fn a_last_insert_id_is_not_answered_by_a_session_that_has_moved_since(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        for name in ["asks", "inserts"] {
            puppet.connect(name);
            fine(puppet.query(name, "INSERT INTO t (v) VALUES ('parent')"));
        }
        puppet.connect("other");
        switch(lab);
        fine(puppet.query("other", "INSERT INTO t (v) VALUES ('other')"));
        for name in ["asks", "inserts"] {
            assert_eq!(puppet.query(name, "SELECT @@server_id"), server_id(lab, Side::Green));
        }
        fails(puppet.query("asks", "INSERT INTO t (v) VALUES (CONCAT('child of ', LAST_INSERT_ID()))"), &[2006, 2013]);
        fine(puppet.query("inserts", "INSERT INTO t (v) VALUES ('parent on green')"));
        assert_eq!(
            puppet.query("inserts", "SELECT v FROM t WHERE id = LAST_INSERT_ID()"),
            "ok (('parent on green',),)"
        );
        assert_eq!(rows(lab, "shop.t"), "parent,parent,other,parent on green");
        assert!(puppet.stderr().contains("asks for what the one before it left"), "{}", puppet.stderr());
    }

    pub fn a_transaction_that_began_in_the_middle_of_a_text_is_not_replayed_without_its_begin(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        fine(puppet.ask("a", "call", "set_server_option 0"));
        fine(puppet.query("a", "SELECT 1; START TRANSACTION"));
        fine(puppet.ask("a", "call", "next_result"));
        fine(puppet.query("a", "INSERT INTO t (v) VALUES ('first')"));
        switch(lab);
        fails(puppet.query("a", "INSERT INTO t (v) VALUES ('second')"), &[1213]);
        fine(puppet.query("a", "ROLLBACK"));
        assert_eq!(rows(lab, "shop.t"), "NULL");
    }

    pub fn a_transaction_is_not_replayed_from_a_session_that_it_changed_itself(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        for text in ["SET @n = 1", "BEGIN", "INSERT INTO t (v) VALUES (@n)", "SET @n = 2", "USE other"] {
            fine(puppet.query("a", text));
        }
        switch(lab);
        fails(puppet.query("a", "INSERT INTO t (v) VALUES (@n)"), &[1213]);
        assert_eq!((rows(lab, "shop.t"), rows(lab, "other.t")), ("NULL".to_owned(), "NULL".to_owned()));
        assert_eq!(puppet.query("a", "SELECT @n, DATABASE()"), "ok ((2, 'other'),)");
    }

    pub fn a_refused_call_ends_its_transaction_and_says_so(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        fine(puppet.query("a", "BEGIN"));
        fine(puppet.query("a", "INSERT INTO t (v) VALUES ('one')"));
        switch(lab);
        fails(puppet.query("a", "CALL pay()"), &[2013]);
        fails(puppet.query("a", "INSERT INTO t (v) VALUES ('two')"), &[2006, 2013]);
        assert_eq!(rows(lab, "shop.t"), "NULL");
    }

    pub fn a_transaction_given_up_does_not_come_back(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[("POINTSMAN_HOLD_MAX", "1s")]);
        puppet.connect("a");
        fine(puppet.query("a", "BEGIN"));
        fine(puppet.query("a", TAKE_TEN));
        lab.blue().kill9();
        fails(puppet.query("a", TAKE_TEN), &[2006, 2013]);
        lab.blue().start().unwrap();
        fails(puppet.ask("a", "call", "ping"), &[2006, 2013]);
        puppet.connect("b");
        fine(puppet.query("b", TAKE_TEN));
        let money = lab.blue().sql("SELECT GROUP_CONCAT(money ORDER BY id) FROM shop.account").unwrap();
        assert_eq!(money.trim(), "90,100");
    }

    pub fn a_rollback_of_a_transaction_that_is_gone_with_its_server_is_no_error(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        fine(puppet.query("a", "BEGIN"));
        fine(puppet.query("a", TAKE_TEN));
        fine(puppet.query("a", "SELECT UUID()"));
        puppet.connect("b");
        fine(puppet.query("b", "BEGIN"));
        fails(puppet.query("b", "DROP TABLE missing"), &[1051]);
        switch(lab);
        lab.blue().drop_connections(USER).unwrap();
        fine(puppet.query("a", "ROLLBACK"));
        fine(puppet.query("b", "ROLLBACK"));
        fine(puppet.query("a", TAKE_TEN));
        assert_eq!(money(lab), "90,100");
    }

    pub fn an_account_that_is_refused_alone_moves_nobody_to_another_writer(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        assert_eq!(puppet.ask("r", "connect", "report report"), "ok 'connected'");
        lab.green().stop_replication().unwrap();
        lab.green().set_read_only(false).unwrap();
        lab.blue().sql("ALTER USER report@'%' ACCOUNT LOCK").unwrap();
        lab.blue().drop_connections("report").unwrap();
        fails(puppet.query("r", "SELECT @@server_id"), &[2006, 2013]);
        assert_eq!(puppet.query("a", "SELECT @@server_id"), server_id(lab, Side::Blue));
        assert!(puppet.stderr().contains("this login is refused, others are served"), "{}", puppet.stderr());
    }

    pub fn a_name_that_moved_for_good_is_followed_after_settle(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[("POINTSMAN_SETTLE", "2s")]);
        puppet.connect("a");
        assert_eq!(puppet.query("a", "SELECT @@server_id"), server_id(lab, Side::Blue));
        lab.green().set_read_only(false).unwrap();
        lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
        let mut asked = 0;
        while puppet.query("a", "SELECT @@server_id") != server_id(lab, Side::Green) {
            asked += 1;
            std::thread::sleep(Duration::from_millis(20));
            assert!(asked < 1500, "never followed: {}", puppet.stderr());
        }
        assert!(asked > 0, "DNS alone has moved it at once");
    }

    pub fn kill_reaches_the_server_that_the_id_came_from(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("idle");
        puppet.connect("w");
        // Ids of green that blue does not have.
        for _ in 0..200 {
            lab.green().sql("SELECT 1").unwrap();
        }
        switch(lab);
        fine(puppet.query("w", "INSERT INTO t (v) VALUES ('x')"));
        let id = puppet.query("w", "SELECT CONNECTION_ID()");
        let number: String = id.chars().filter(char::is_ascii_digit).collect();
        fails(puppet.query("idle", &format!("KILL {number}")), &[1094]);
        assert_eq!(puppet.query("w", "SELECT CONNECTION_ID()"), id);
    }

    pub fn connects_fail_open_too_and_the_circuit_closes_by_itself(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[("POINTSMAN_HOLD_MAX", "1s"), ("POINTSMAN_LOG_LEVEL", "info")]);
        puppet.connect("a");
        lab.blue().kill9();
        for _ in 0..3 {
            fails(puppet.ask("b", "connect", "-"), &[2002, 2003]);
        }
        assert_eq!(puppet.stderr().matches("failing open").count(), 1, "{}", puppet.stderr());
        lab.blue().start().unwrap();
        puppet.connect("b");
        fine(puppet.query("b", "INSERT INTO t (v) VALUES ('x')"));
        puppet.wait_for_log("accepts writes again");
    }

    pub fn a_frozen_server_does_not_keep_new_connections_from_the_writer(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        switch(lab);
        lab.blue().freeze();
        puppet.connect("b");
        assert_eq!(puppet.query("b", "SELECT @@server_id"), server_id(lab, Side::Green));
        assert_eq!(puppet.query("a", "SELECT @@server_id"), server_id(lab, Side::Green));
        lab.blue().thaw();
    }
}
