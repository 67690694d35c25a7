//! Handles that an application drives by asynchronous calls: never held, never run again, never left behind.

use pointsman_lab::{ENDPOINT, Flavor, Lab, Side};
use pointsman_tests::{
    dialogue::{Dialogue, Driver},
    pair,
    proxy::{Awaited, Proxy},
    run::Preload,
    switch,
};

/// A protected application on a lab of its own, which has a table `t`.
struct Stage<'a> {
    lab: &'a Lab,
    driver: Driver,
    client: Dialogue,
}

impl<'a> Stage<'a> {
    fn set(lab: &'a Lab, driver: Driver) -> Self {
        lab.blue().sql("CREATE TABLE shop.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v TEXT)").unwrap();
        let mut client = Dialogue::with(lab, driver, Preload::Preloaded, |command| {
            command.env("CLIENT_NONBLOCK", "1");
            if lab.blue().flavor() == Flavor::MySql && driver == Driver::LibMySqlClient {
                command.env("CLIENT_CA", lab.ca_path());
            }
        });
        assert_eq!(client.connect(0, ENDPOINT), "ok");
        Stage { lab, driver, client }
    }

    #[track_caller]
    fn expect(&mut self, command: &str, answer: &str) {
        assert_eq!(self.client.ask(command), answer, "{command}; {}", self.client.stderr());
    }

    #[track_caller]
    fn refuses(&mut self, command: &str) {
        let answer = self.client.ask(command);
        assert!(answer.starts_with("error 1290 "), "{command}: {answer}; {}", self.client.stderr());
    }

    #[track_caller]
    fn is_lost(&mut self, command: &str) {
        let answer = self.client.ask(command);
        let lost = answer.starts_with("error 2006 ") || answer.starts_with("error 2013 ");
        assert!(lost, "{command}: {answer}; {}", self.client.stderr());
    }

    #[track_caller]
    fn is_on(&mut self, handle: u32, call: &str, side: Side) {
        let id = self.lab.server(side).sql("SELECT @@server_id").unwrap();
        self.expect(&format!("{call} {handle} SELECT @@server_id"), &format!("rows {}", id.trim()));
    }

    /// The application's pool replaces the connection.
    fn connects_again(&mut self) {
        assert_eq!(self.client.ask("async_close 0"), "closed");
        assert_eq!(self.client.connect(0, ENDPOINT), "ok", "{}", self.client.stderr());
    }

    fn rows(&self, side: Side) -> String {
        let rows = "SELECT GROUP_CONCAT(v ORDER BY id) FROM shop.t";
        self.lab.server(side).sql(rows).unwrap().trim().to_owned()
    }
}

/// Each proof on each library and each server, in a lab of its own.
macro_rules! on_all {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            for flavor in [Flavor::MariaDb, Flavor::MySql] {
                for driver in [Driver::LibMariaDb, Driver::LibMySqlClient] {
                    if !driver.is_available() {
                        continue;
                    }
                    let Some(lab) = pair(flavor) else { return };
                    println!("{flavor:?}, {driver:?}");
                    proofs::$name(&mut Stage::set(&lab, driver));
                }
            }
        }
    )*};
}

on_all! {
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
        stage.refuses("async 0 INSERT INTO t (v) VALUES ('refused')");
        stage.expect("query 0 INSERT INTO t (v) VALUES ('two')", "ok 1");
        stage.expect("async 0 SELECT @a, @b, @@time_zone", "rows 5|6|+05:00");
        stage.is_on(0, "async", Side::Green);
        stage.expect("async 0 INSERT INTO t (v) VALUES ('three')", "ok 1");
        assert_eq!(stage.rows(Side::Green), "one,two,three");
    }

    pub fn a_refused_write_is_told_at_once_and_the_next_call_finds_the_connection_lost(stage: &mut Stage<'_>) {
        // Nobody is the writer: whoever waited would wait for long.
        stage.lab.blue().set_read_only(true).unwrap();
        stage.refuses("async 0 INSERT INTO t (v) VALUES ('refused')");
        stage.is_lost("async 0 INSERT INTO t (v) VALUES ('lost')");
        assert_eq!(stage.client.counter("holds"), 0);
        stage.lab.blue().set_read_only(false).unwrap();
        switch(stage.lab);
        stage.connects_again();
        stage.is_on(0, "async", Side::Green);
        stage.expect("async 0 INSERT INTO t (v) VALUES ('one')", "ok 1");
        assert_eq!(stage.rows(Side::Green), "one");
    }

    pub fn an_idle_handle_that_is_left_behind_is_reported_lost_and_its_reconnect_finds_the_writer(
        stage: &mut Stage<'_>,
    ) {
        assert_eq!(stage.client.connect(1, ENDPOINT), "ok");
        assert_eq!(stage.client.connect(2, ENDPOINT), "ok");
        for handle in 0..3 {
            stage.is_on(handle, "async", Side::Blue);
        }
        switch(stage.lab);
        stage.expect("query 1 INSERT INTO t (v) VALUES ('one')", "ok 1");
        stage.is_lost("async 0 SELECT v FROM t");
        stage.connects_again();
        stage.is_on(0, "async", Side::Green);
        stage.is_on(2, "query", Side::Green);
    }

    pub fn a_transaction_that_is_refused_is_gone_and_its_rest_is_not_executed(stage: &mut Stage<'_>) {
        stage.expect("async 0 BEGIN", "ok 0");
        stage.expect("async 0 INSERT INTO t (v) VALUES ('one')", "ok 1");
        switch(stage.lab);
        stage.refuses("async 0 INSERT INTO t (v) VALUES ('two')");
        stage.is_lost("query 0 INSERT INTO t (v) VALUES ('three')");
        stage.is_lost("async 0 COMMIT");
        assert_eq!(stage.rows(Side::Green), "NULL");
        stage.connects_again();
        stage.expect("async 0 INSERT INTO t (v) VALUES ('four')", "ok 1");
        assert_eq!(stage.rows(Side::Green), "four");
    }

    pub fn what_they_leave_behind_pins_as_ever(stage: &mut Stage<'_>) {
        stage.expect("async 0 CREATE TEMPORARY TABLE scratch AS SELECT 7 AS n", "ok 1");
        assert_eq!(stage.client.connect(1, ENDPOINT), "ok");
        switch(stage.lab);
        stage.expect("query 1 INSERT INTO t (v) VALUES ('one')", "ok 1");
        for call in ["async", "query"] {
            stage.expect(&format!("{call} 0 SELECT n FROM scratch"), "rows 7");
        }
        stage.refuses("async 0 INSERT INTO t (v) VALUES ('two')");
        stage.is_lost("async 0 SELECT n FROM scratch");
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
        stage.is_lost("async 1 INSERT INTO t (v) VALUES ('3')");
        assert_eq!(stage.rows(Side::Blue), "1,2");
    }

    /// MariaDB's calls that have no door of their own, that is; Oracle's are all followed.
    pub fn what_is_started_in_a_way_that_nobody_sees_pins(stage: &mut Stage<'_>) {
        stage.expect("prepare 0 SET @a = 7", "ok");
        stage.expect("async_execute 0", "ok");
        stage.expect("async_reset 0", "ok");
        stage.expect("async 0 SET @a = 8", "ok 0");
        assert_eq!(stage.client.connect(1, ENDPOINT), "ok");
        switch(stage.lab);
        stage.expect("query 1 INSERT INTO t (v) VALUES ('one')", "ok 1");
        stage.expect("query 0 SELECT @a", "rows 8");
        if stage.driver == Driver::LibMySqlClient {
            return stage.is_on(0, "async", Side::Green);
        }
        stage.is_on(0, "async", Side::Blue);
        stage.refuses("query 0 INSERT INTO t (v) VALUES ('two')");
        stage.is_lost("query 0 SELECT @a");
    }
}
