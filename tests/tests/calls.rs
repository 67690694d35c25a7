//! Calls beside statements: each does what it does without us, on the server that its handle belongs to.

use pointsman_lab::{Lab, Side};
use pointsman_tests::{dialogue::Driver, on_all, stage::Stage, switch, with_table};

fn set(lab: &Lab, driver: Driver) -> Stage<'_> {
    with_table(lab);
    Stage::set(lab, driver)
}

on_all! { set;
    a_ping_and_a_stat_find_the_connection_replaced
    what_clears_a_session_clears_it_on_the_connection_that_took_a_lost_ones_place_too
    a_kill_by_a_former_id_reaches_nobody_and_one_by_the_present_id_its_handle
    further_results_are_read_where_they_are_and_the_handle_moves_behind_them
    a_text_of_several_statements_that_is_refused_is_told_as_lost_and_not_run_again
    a_file_that_is_refused_is_told_as_lost_and_asked_for_once_for_each_load
}

mod proofs {
    use super::*;

    pub fn a_ping_and_a_stat_find_the_connection_replaced(stage: &mut Stage<'_>) {
        stage.expect("query 0 SET @a = 5", "ok 0");
        for command in ["ping 0", "stat 0"] {
            stage.loses(0);
            stage.expect(command, "ok");
            stage.expect("query 0 SELECT @a", "rows 5");
        }
        stage.connects(1);
        switch(stage.lab);
        stage.expect("query 1 INSERT INTO t (v) VALUES ('one')", "ok 1");
        stage.expect("stat 0", "ok");
        stage.is_on("query 0", Side::Green);
    }

    pub fn what_clears_a_session_clears_it_on_the_connection_that_took_a_lost_ones_place_too(stage: &mut Stage<'_>) {
        let change = format!("change_user 0 {} {} shop", pointsman_lab::USER, pointsman_lab::PASSWORD);
        for command in [change.as_str(), "reset_connection 0"] {
            stage.expect("query 0 SET @a = 5, time_zone = '+05:00'", "ok 0");
            stage.loses(0);
            stage.expect(command, "ok");
            stage.expect("query 0 SELECT @a, @@time_zone = '+05:00', DATABASE()", "rows NULL|0|shop");
            stage.loses(0);
            stage.expect("query 0 SELECT @a, @@time_zone = '+05:00', DATABASE()", "rows NULL|0|shop");
        }
    }

    pub fn a_kill_by_a_former_id_reaches_nobody_and_one_by_the_present_id_its_handle(stage: &mut Stage<'_>) {
        for handle in [1, 2] {
            stage.connects(handle);
        }
        let first = stage.loses(1);
        stage.expect("query 1 SELECT 1", "rows 1");
        let now = stage.client.ask("id 1");
        assert_ne!(first, now);
        for way in ["kill 0", "query 0 KILL", "query 0 kill query", "query 0 KILL HARD CONNECTION"] {
            stage.fails(&format!("{way} {first}"), &[1094]);
        }
        stage.expect("query 1 SELECT 1", "rows 1");
        stage.expect(&format!("kill 0 {now}"), "ok");
        stage.expect("gone 1", "gone");
        stage.expect("query 1 SELECT 1", "rows 1");
        // On another server the number may be anybody's.
        switch(stage.lab);
        stage.expect("query 1 INSERT INTO t (v) VALUES ('one')", "ok 1");
        stage.fails(&format!("kill 2 {first}"), &[1094]);
        stage.fails(&format!("query 2 KILL QUERY {first};"), &[1094]);
        let there = stage.client.ask("id 1");
        stage.expect("query 2 SELECT 1", "rows 1");
        stage.is_on("query 2", Side::Green);
        stage.expect(&format!("kill 2 {there}"), "ok");
        stage.expect("gone 1", "gone");
        stage.is_on("query 1", Side::Green);
    }

    pub fn further_results_are_read_where_they_are_and_the_handle_moves_behind_them(stage: &mut Stage<'_>) {
        stage.connects(1);
        stage.expect("server_option 0 0", "ok");
        stage.expect("only 0 SELECT 1; SELECT 2; SELECT 3", "rows 1");
        switch(stage.lab);
        stage.expect("query 1 INSERT INTO t (v) VALUES ('one')", "ok 1");
        stage.expect("next 0", "rows 2");
        stage.expect("next 0", "rows 3");
        stage.expect("next 0", "end");
        stage.is_on("query 0", Side::Green);
        stage.expect("query 0 INSERT INTO t (v) VALUES ('two'); INSERT INTO t (v) VALUES ('three')", "ok 1");
        assert_eq!(stage.rows(Side::Green), "one,two,three");
    }

    pub fn a_text_of_several_statements_that_is_refused_is_told_as_lost_and_not_run_again(stage: &mut Stage<'_>) {
        stage.expect("server_option 0 0", "ok");
        switch(stage.lab);
        stage.fails("query 0 INSERT INTO t (v) VALUES ('one'); INSERT INTO t (v) VALUES ('two')", &[2013]);
        assert_eq!(stage.rows(Side::Green), "NULL");
        stage.expect("query 0 INSERT INTO t (v) VALUES ('one'); INSERT INTO t (v) VALUES ('two')", "ok 1");
        assert_eq!(stage.rows(Side::Green), "one,two");
    }

    pub fn a_file_that_is_refused_is_told_as_lost_and_asked_for_once_for_each_load(stage: &mut Stage<'_>) {
        stage.lab.blue().sql("SET GLOBAL local_infile = 1").unwrap();
        stage.lab.green().sql("SET GLOBAL local_infile = 1").unwrap();
        let load = "query 0 LOAD DATA LOCAL INFILE 'any' INTO TABLE t (v)";
        stage.expect("set_infile 0", "ok");
        stage.expect(load, "ok 1");
        // Also the handler moves along.
        stage.loses(0);
        stage.expect(load, "ok 1");
        stage.expect("infile_calls", "2");
        switch(stage.lab);
        stage.fails(load, &[2013]);
        let asked: u32 = stage.client.ask("infile_calls").parse().unwrap();
        assert_eq!(stage.rows(Side::Green), "fed,fed");
        stage.expect(load, "ok 1");
        stage.expect("infile_calls", &(asked + 1).to_string());
        assert_eq!(stage.rows(Side::Green), "fed,fed,fed");
    }
}
