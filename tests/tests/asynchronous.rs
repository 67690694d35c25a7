//! Handles that an application drives by asynchronous calls: never held, never run again, never left behind.

use pointsman_lab::{Flavor, Lab, Side};
use pointsman_tests::{
    dialogue::Driver,
    on_all,
    proxy::{Awaited, Proxy},
    stage::Stage,
    switch, with_table,
};

fn set(lab: &Lab, driver: Driver) -> Stage<'_> {
    with_table(lab);
    Stage::set_with(lab, driver, |command| {
        command.env("CLIENT_NONBLOCK", "0");
    })
}

const LOST: [u32; 2] = [2006, 2013];

/// The application's pool replaces the connection.
fn connects_again(stage: &mut Stage<'_>) {
    assert_eq!(stage.client.ask("async_close 0"), "closed");
    stage.connects(0);
}

on_all! { set;
    what_they_set_is_there_behind_a_move_by_a_call_that_may_wait
    a_refused_write_is_told_at_once_and_the_next_call_finds_the_connection_lost
    an_idle_handle_that_is_left_behind_is_reported_lost_and_its_reconnect_finds_the_writer
    a_transaction_that_is_refused_is_gone_and_its_rest_is_not_executed
    what_they_leave_behind_pins_as_ever
    a_set_transaction_is_not_used_up_by_a_question_of_ours
    an_answer_that_is_lost_is_told_and_nothing_is_executed_twice
    what_is_started_in_a_way_that_nobody_sees_pins
}

mod proofs {
    use super::*;

    pub fn what_they_set_is_there_behind_a_move_by_a_call_that_may_wait(stage: &mut Stage<'_>) {
        stage.expect("async 0 SET @a = 5", "ok 0");
        if stage.driver == Driver::LibMariaDb {
            stage.expect("async_send 0 SET @b = 6", "sent");
            stage.expect("read 0", "ok 0");
        } else {
            // This library itself gets stuck when its two ways are mixed.
            stage.expect("async 0 SET @b = 6", "ok 0");
        }
        stage.expect("async 0 SET time_zone = '+05:00'", "ok 0");
        stage.expect("server_option 0 0", "ok");
        stage.expect("async 0 SELECT 1; SELECT 2", "rows 1");
        stage.expect("async_next 0", "rows 2");
        stage.expect("async_next 0", "end");
        stage.expect("async 0 INSERT INTO t (v) VALUES ('one')", "ok 1");
        switch(stage.lab);
        stage.fails("async 0 INSERT INTO t (v) VALUES ('refused')", &[1290]);
        stage.expect("query 0 INSERT INTO t (v) VALUES ('two')", "ok 1");
        stage.expect("async 0 SELECT @a, @b, @@time_zone", "rows 5|6|+05:00");
        stage.is_on("async 0", Side::Green);
        stage.expect("async 0 INSERT INTO t (v) VALUES ('three')", "ok 1");
        assert_eq!(stage.rows(Side::Green), "one,two,three");
    }

    pub fn a_refused_write_is_told_at_once_and_the_next_call_finds_the_connection_lost(stage: &mut Stage<'_>) {
        // Nobody is the writer: whoever waited would wait for long.
        stage.lab.blue().set_read_only(true).unwrap();
        stage.fails("async 0 INSERT INTO t (v) VALUES ('refused')", &[1290]);
        stage.fails("async 0 INSERT INTO t (v) VALUES ('lost')", &LOST);
        assert_eq!(stage.client.counter("holds"), 0);
        stage.lab.blue().set_read_only(false).unwrap();
        switch(stage.lab);
        connects_again(stage);
        stage.is_on("async 0", Side::Green);
        stage.expect("async 0 INSERT INTO t (v) VALUES ('one')", "ok 1");
        assert_eq!(stage.rows(Side::Green), "one");
    }

    pub fn an_idle_handle_that_is_left_behind_is_reported_lost_and_its_reconnect_finds_the_writer(
        stage: &mut Stage<'_>,
    ) {
        stage.connects(1);
        stage.connects(2);
        for handle in 0..3 {
            stage.is_on(&format!("async {handle}"), Side::Blue);
        }
        switch(stage.lab);
        stage.expect("query 1 INSERT INTO t (v) VALUES ('one')", "ok 1");
        stage.fails("async 0 SELECT v FROM t", &LOST);
        connects_again(stage);
        stage.is_on("async 0", Side::Green);
        stage.is_on("query 2", Side::Green);
    }

    pub fn a_transaction_that_is_refused_is_gone_and_its_rest_is_not_executed(stage: &mut Stage<'_>) {
        stage.expect("async 0 BEGIN", "ok 0");
        stage.expect("async 0 INSERT INTO t (v) VALUES ('one')", "ok 1");
        switch(stage.lab);
        stage.fails("async 0 INSERT INTO t (v) VALUES ('two')", &[1290]);
        stage.fails("query 0 INSERT INTO t (v) VALUES ('three')", &LOST);
        stage.fails("async 0 COMMIT", &LOST);
        assert_eq!(stage.rows(Side::Green), "NULL");
        connects_again(stage);
        stage.expect("async 0 INSERT INTO t (v) VALUES ('four')", "ok 1");
        assert_eq!(stage.rows(Side::Green), "four");
    }

    pub fn what_they_leave_behind_pins_as_ever(stage: &mut Stage<'_>) {
        stage.expect("async 0 CREATE TEMPORARY TABLE scratch AS SELECT 7 AS n", "ok 1");
        stage.connects(1);
        switch(stage.lab);
        stage.expect("query 1 INSERT INTO t (v) VALUES ('one')", "ok 1");
        for call in ["async", "query"] {
            stage.expect(&format!("{call} 0 SELECT n FROM scratch"), "rows 7");
        }
        stage.fails("async 0 INSERT INTO t (v) VALUES ('two')", &[1290]);
        stage.fails("async 0 SELECT n FROM scratch", &LOST);
    }

    /// Asked for with the first statement that may wait.
    pub fn a_set_transaction_is_not_used_up_by_a_question_of_ours(stage: &mut Stage<'_>) {
        let table = "CREATE TABLE mysql.rds_topology (id VARCHAR(64), endpoint VARCHAR(255), port INT, role VARCHAR(64), \
                     status VARCHAR(64), version VARCHAR(64)); GRANT SELECT ON mysql.rds_topology TO app@'%'";
        stage.lab.blue().sql(table).unwrap();
        stage.expect("async 0 SET TRANSACTION READ ONLY", "ok 0");
        let answer = stage.client.ask("query 0 INSERT INTO t (v) VALUES ('one')");
        assert!(answer.starts_with("error 1792 "), "{answer}");
    }

    pub fn an_answer_that_is_lost_is_told_and_nothing_is_executed_twice(stage: &mut Stage<'_>) {
        if stage.lab.blue().flavor() == Flavor::MySql {
            // The proxy does not see what is sent under TLS.
            return;
        }
        let proxy = Proxy::start(stage.lab, "async.lab.test", stage.lab.blue().address());
        assert_eq!(stage.client.connect(1, "async.lab.test"), "ok");
        for number in 1..=2 {
            let insert = format!("INSERT INTO t (v) VALUES ('{number}')");
            proxy.keep_back_the_answer_to(Awaited::Text(insert.clone()));
            stage.client.tell(&format!("async 1 {insert}"));
            proxy.wait_until_answered();
            proxy.cut();
            let answer = stage.client.answer();
            assert!(answer.starts_with("error 2013 ") || answer.starts_with("error 2006 "), "{answer}");
            // A call that may wait finds the connection dead, and another one in its place.
            stage.expect("query 1 SELECT 1", "rows 1");
        }
        proxy.cut();
        stage.fails("async 1 INSERT INTO t (v) VALUES ('3')", &LOST);
        assert_eq!(stage.rows(Side::Blue), "1,2");
    }

    /// MariaDB's calls that have no door of their own, that is; Oracle's are all followed.
    pub fn what_is_started_in_a_way_that_nobody_sees_pins(stage: &mut Stage<'_>) {
        stage.expect("prepare 0 SET @a = 7", "ok");
        stage.expect("async_execute 0", "ok");
        stage.expect("async_reset 0", "ok");
        stage.expect("async 0 SET @a = 8", "ok 0");
        stage.connects(1);
        switch(stage.lab);
        stage.expect("query 1 INSERT INTO t (v) VALUES ('one')", "ok 1");
        stage.expect("query 0 SELECT @a", "rows 8");
        if stage.driver == Driver::LibMySqlClient {
            return stage.is_on("async 0", Side::Green);
        }
        stage.is_on("async 0", Side::Blue);
        stage.fails("query 0 INSERT INTO t (v) VALUES ('two')", &[1290]);
        stage.fails("query 0 SELECT @a", &LOST);
    }
}
