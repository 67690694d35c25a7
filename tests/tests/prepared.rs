//! Prepared statements move with their session: on both client libraries, to both kinds of server.

use pointsman_lab::{ENDPOINT, Flavor, Lab, Side};
use pointsman_tests::{dialogue::Driver, on_all, pair, stage::Stage, switch, wait_for};

fn set(lab: &Lab, driver: Driver) -> Stage<'_> {
    table(lab);
    Stage::set(lab, driver)
}

fn table(lab: &Lab) {
    lab.blue().sql("CREATE TABLE shop.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v MEDIUMTEXT, n BIGINT)").unwrap();
}

fn contents(lab: &Lab, side: Side) -> String {
    let rows = "SELECT GROUP_CONCAT(id, ':', v ORDER BY id SEPARATOR ' ') FROM shop.t";
    lab.server(side).sql(rows).unwrap().trim().to_owned()
}

fn prepared_on(lab: &Lab, side: Side) -> u32 {
    let status = lab.server(side).sql("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'").unwrap();
    status.split_whitespace().last().unwrap().parse().unwrap()
}

on_all! { set;
    inserts_and_selects_that_were_prepared_before_a_switchover_go_on_after_it
    statements_never_run_each_other_after_a_move
    what_is_bound_and_what_is_stored_stays_across_moves
    long_data_that_was_sent_before_a_move_is_there_after_it
    a_transaction_of_executions_is_replayed_with_their_values
    what_a_driver_writes_into_the_librarys_own_array_is_what_is_sent_again
    rows_that_are_still_to_come_and_open_cursors_keep_a_session_where_it_is_until_they_are_over
    a_statement_that_the_new_server_cannot_prepare_fails_alone_and_works_again_once_it_can
    a_changed_database_or_character_set_keeps_statements_where_they_were_understood
    statements_that_sql_prepared_are_prepared_anew_and_those_that_it_deallocated_are_not
    statements_that_a_reset_connection_has_ended_stay_ended_and_harm_nothing
    a_statement_that_is_made_behind_a_reset_connection_and_a_move_is_prepared
    statements_of_a_connection_that_is_lost_say_that_it_is_lost_the_first_of_a_process_too
    a_column_that_has_another_type_on_the_new_server_is_read_by_it
    a_hundred_moves_leave_neither_statements_on_the_server_nor_memory_in_the_process
}

/// The drivers bind anew for each execution, in memory that they free after it.
fn a_driver(driver: Driver) {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    table(&lab);
    let mut stage = Stage::set(&lab, driver);
    stage.expect_all(&[
        ("prepare 0 INSERT INTO t (v, n) VALUES (?, ?)", "ok"),
        ("prepare 1 SELECT v FROM t WHERE n = ?", "ok"),
        ("run 0 one 1", "ok 1"),
        ("run 1 1", "rows one"),
        ("query 0 BEGIN", "ok 0"),
        ("run 0 two 2", "ok 1"),
        ("run 1 2", "rows two"),
    ]);
    switch(&lab);
    stage.expect_all(&[("run 0 three 3", "ok 1"), ("query 0 COMMIT", "ok 0"), ("run 1 3", "rows three")]);
    assert_eq!(contents(&lab, Side::Green), "1:one 2:two 3:three");
    lab.blue().set_read_only(false).unwrap();
    lab.green().set_read_only(true).unwrap();
    // Back, by way of DNS: neither has what the other wrote meanwhile.
    lab.dns().set(ENDPOINT, &[lab.blue().ip()], 1).unwrap();
    stage.expect("run 0 again 4", "ok 1");
    assert!(contents(&lab, Side::Blue).ends_with(":again"), "{}", stage.client.stderr());
    assert!(lab.blue().sql("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'").unwrap().trim().ends_with('2'));
}

#[test]
fn statements_of_mysql2_follow_the_writer_there_and_back() {
    a_driver(Driver::Mysql2);
}

#[test]
fn statements_of_dbd_that_the_server_prepares_follow_the_writer_there_and_back() {
    a_driver(Driver::Dbd);
}

mod proofs {
    use super::*;

    pub fn inserts_and_selects_that_were_prepared_before_a_switchover_go_on_after_it(stage: &mut Stage<'_>) {
        stage.expect_all(&[
            ("prepare 0 INSERT INTO t (v, n) VALUES (?, ?)", "ok"),
            ("prepare 1 SELECT v, n, @@server_id FROM t WHERE n < ? ORDER BY id", "ok"),
            ("bind 0", "ok"),
            ("integer 0 1", "ok"),
            ("bind 1", "ok"),
            ("set 1 0 100", "ok"),
            ("set 0 0 one", "ok"),
            ("set 0 1 1", "ok"),
            ("run 0", "ok 1 1"),
        ]);
        let blue = stage.client.query("SELECT @@server_id").replace("rows ", "");
        stage.expect("run 1", &format!("rows one|1|{blue}"));
        switch(stage.lab);
        stage.expect_all(&[("set 0 0 two", "ok"), ("set 0 1 2", "ok"), ("run 0", "ok 1 2")]);
        let green = stage.client.query("SELECT @@server_id").replace("rows ", "");
        assert_ne!(blue, green);
        stage.expect("run 1", &format!("rows one|1|{green};two|2|{green}"));
        stage.expect_all(&[("set 0 0 -", "ok"), ("run 0", "ok 1 3")]);
        stage.expect("query 0 SELECT COUNT(*) FROM t WHERE v IS NULL", "rows 1");
        assert_eq!(contents(stage.lab, Side::Blue), "1:one");
        stage.expect_all(&[("done 0", "closed"), ("done 1", "closed")]);
        stage.expect("query 0 SELECT 1", "rows 1");
        assert_eq!(prepared_on(stage.lab, Side::Green), 0);
    }

    /// Ids are counters of a connection: statements that were prepared in another order, with gaps, have others now.
    pub fn statements_never_run_each_other_after_a_move(stage: &mut Stage<'_>) {
        for number in [7, 3, 5, 1, 9, 0] {
            stage.expect(&format!("prepare {number} INSERT INTO t (v) VALUES ('s{number}')"), "ok");
        }
        stage.expect_all(&[("done 3", "closed"), ("done 7", "closed")]);
        stage.expect("prepare 2 INSERT INTO t (v) VALUES ('s2')", "ok");
        stage.expect("prepare 5 INSERT INTO t (v) VALUES ('s5 anew')", "ok");
        for _ in 0..3 {
            stage.loses(0);
            for number in [9, 2, 0, 1, 5] {
                assert!(stage.client.ask(&format!("run {number}")).starts_with("ok 1 "), "{}", stage.client.stderr());
            }
        }
        let notes = stage.lab.blue().sql("SELECT GROUP_CONCAT(v ORDER BY id) FROM shop.t").unwrap();
        assert_eq!(notes.trim(), ["s9,s2,s0,s1,s5 anew"; 3].join(","));
    }

    pub fn what_is_bound_and_what_is_stored_stays_across_moves(stage: &mut Stage<'_>) {
        stage.lab.blue().sql("INSERT INTO shop.t (v, n) VALUES ('a', 1), ('b', 2), ('c', 3)").unwrap();
        stage.expect_all(&[
            ("prepare 0 SELECT v, n FROM t WHERE n >= ? ORDER BY n", "ok"),
            ("bind 0", "ok"),
            ("integer 0 0", "ok"),
            ("set 0 0 1", "ok"),
            ("execute 0", "rows"),
            ("store 0", "stored 3"),
            ("fetch 0", "row a|1"),
        ]);
        stage.loses(0);
        stage.expect_all(&[
            ("query 0 SELECT 1", "rows 1"),
            ("fetch 0", "row b|2"),
            ("fetch 0", "row c|3"),
            ("fetch 0", "end"),
            ("set 0 0 3", "ok"),
            ("execute 0", "rows"),
            ("store 0", "stored 1"),
        ]);
        stage.loses(0);
        // Executed again in the middle of its stored rows, on a connection that is found dead.
        stage.expect_all(&[
            ("set 0 0 2", "ok"),
            ("execute 0", "rows"),
            ("store 0", "stored 2"),
            ("fetch 0", "row b|2"),
        ]);
        stage.loses(0);
        stage.expect("run 0", "rows b|2;c|3");
    }

    pub fn long_data_that_was_sent_before_a_move_is_there_after_it(stage: &mut Stage<'_>) {
        stage.expect_all(&[
            ("prepare 0 INSERT INTO t (v, n) VALUES (?, ?)", "ok"),
            ("bind 0", "ok"),
            ("set 0 0 bound", "ok"),
            ("set 0 1 5", "ok"),
            ("long 0 0 3 abc", "ok"),
        ]);
        stage.loses(0);
        stage.expect_all(&[("long 0 0 1 d", "ok"), ("long 0 0 1 e", "ok")]);
        stage.loses(0);
        stage.expect("run 0", "ok 1 1");
        // Used up: the bound value counts again.
        stage.expect("run 0", "ok 1 2");
        // Refused with its execution, and sent again with the next attempt.
        stage.expect("long 0 0 2 z", "ok");
        switch(stage.lab);
        stage.expect("run 0", "ok 1 3");
        assert_eq!(contents(stage.lab, Side::Green), "1:abcabcabcde 2:bound 3:zz");
    }

    pub fn a_transaction_of_executions_is_replayed_with_their_values(stage: &mut Stage<'_>) {
        stage.expect_all(&[
            ("prepare 0 INSERT INTO t (v, n) VALUES (?, ?)", "ok"),
            ("prepare 1 SELECT COUNT(*), MAX(v) FROM t WHERE n = ?", "ok"),
            ("bind 0", "ok"),
            ("integer 0 1", "ok"),
            ("bind 1", "ok"),
            ("set 1 0 7", "ok"),
            ("query 0 BEGIN", "ok 0"),
            ("set 0 0 first", "ok"),
            ("set 0 1 7", "ok"),
            ("run 0", "ok 1 1"),
            ("run 1", "rows 1|first"),
            ("long 0 0 2 lo", "ok"),
            ("run 0", "ok 1 2"),
            ("query 0 INSERT INTO t (v, n) VALUES ('text', 7)", "ok 1"),
            ("set 0 0 -", "ok"),
        ]);
        switch(stage.lab);
        stage.expect_all(&[("set 0 0 last", "ok"), ("run 0", "ok 1 4")]);
        stage.is_on("query 0", Side::Green);
        assert_eq!(contents(stage.lab, Side::Green), "NULL", "nothing is committed yet");
        stage.expect_all(&[("run 1", "rows 4|text"), ("query 0 COMMIT", "ok 0")]);
        assert_eq!(contents(stage.lab, Side::Green), "1:first 2:lolo 3:text 4:last");
        assert_eq!(stage.client.counter("replays"), 1);
    }

    pub fn what_a_driver_writes_into_the_librarys_own_array_is_what_is_sent_again(stage: &mut Stage<'_>) {
        stage.expect_all(&[
            ("prepare 0 INSERT INTO t (v, n) VALUES (?, 1)", "ok"),
            ("bind 0", "ok"),
            ("set 0 0 bound", "ok"),
            ("run 0", "ok 1 1"),
            ("point 0 0 written", "ok"),
            ("run 0", "ok 1 2"),
        ]);
        let sent = contents(stage.lab, Side::Blue);
        stage.expect_all(&[("query 0 BEGIN", "ok 0"), ("run 0", "ok 1 3")]);
        switch(stage.lab);
        stage.expect_all(&[("run 0", "ok 1 4"), ("query 0 COMMIT", "ok 0")]);
        // Not every version of libmysqlclient sends what is in that array.
        let second = if sent.ends_with("written") { "written" } else { "bound" };
        let all = format!("1:bound 2:{second} 3:{second} 4:{second}");
        assert_eq!(contents(stage.lab, Side::Green), all, "{}", stage.client.stderr());
    }

    pub fn rows_that_are_still_to_come_and_open_cursors_keep_a_session_where_it_is_until_they_are_over(
        stage: &mut Stage<'_>,
    ) {
        stage.lab.blue().sql("INSERT INTO shop.t (v) VALUES ('a'), ('b'), ('c')").unwrap();
        stage.expect_all(&[
            ("prepare 0 SELECT v FROM t ORDER BY id LIMIT 3", "ok"),
            ("prepare 1 SELECT v FROM t ORDER BY id LIMIT 3", "ok"),
            ("cursor 1", "ok"),
            ("execute 1", "rows"),
            ("fetch 1", "row a"),
            ("execute 0", "rows"),
            ("fetch 0", "row a"),
        ]);
        switch(stage.lab);
        // Another connection learns of it.
        let connect = stage.client.ask(&format!("connect 1 {ENDPOINT} 3306 - app {} shop", pointsman_lab::PASSWORD));
        assert_eq!(connect, "ok");
        stage.expect_all(&[
            ("query 1 INSERT INTO t (v) VALUES ('new')", "ok 1"),
            ("fetch 0", "row b"),
            ("fetch 0", "row c"),
            ("fetch 0", "end"),
        ]);
        stage.is_on("query 0", Side::Blue);
        stage.expect_all(&[("fetch 1", "row b"), ("fetch 1", "row c"), ("fetch 1", "end")]);
        stage.is_on("query 0", Side::Green);
        stage.expect("run 0", "rows a;b;c");
        stage.expect_all(&[("execute 1", "rows"), ("fetch 1", "row a")]);
        stage.is_on("query 0", Side::Green);
        stage.expect_all(&[("reset 1", "ok"), ("run 1", "rows a;b;c")]);
    }

    pub fn a_statement_that_the_new_server_cannot_prepare_fails_alone_and_works_again_once_it_can(
        stage: &mut Stage<'_>,
    ) {
        stage.lab.blue().sql("CREATE TABLE shop.gone (id INT)").unwrap();
        stage.expect_all(&[
            ("prepare 0 INSERT INTO t (v) VALUES ('x')", "ok"),
            ("prepare 1 INSERT INTO gone VALUES (?)", "ok"),
            ("bind 1", "ok"),
            ("set 1 0 5", "ok"),
            ("run 1", "ok 1 0"),
        ]);
        stage.lab.blue().sql("DROP TABLE shop.gone").unwrap();
        stage.loses(0);
        stage.expect("run 0", "ok 1 1");
        let refused = stage.client.ask("run 1");
        assert!(refused.starts_with("error 1146 42S02 "), "{refused}");
        stage.expect("run 0", "ok 1 2");
        stage.lab.blue().sql("CREATE TABLE shop.gone (id INT)").unwrap();
        stage.expect("run 1", "ok 1 0");
        assert_eq!(stage.lab.blue().sql("SELECT id FROM shop.gone").unwrap().trim(), "5");
    }

    pub fn a_changed_database_or_character_set_keeps_statements_where_they_were_understood(stage: &mut Stage<'_>) {
        stage.expect_all(&[("prepare 0 SELECT COUNT(*) FROM t", "ok"), ("select_db 0 information_schema", "ok")]);
        stage.loses(0);
        let lost = stage.client.ask("run 0");
        assert!(lost.starts_with("error 2006 ") || lost.starts_with("error 2013 "), "{lost}");
        let why = "pinned by a prepared statement of another database";
        assert!(stage.client.stderr().contains(why), "{}", stage.client.stderr());
    }

    pub fn statements_that_sql_prepared_are_prepared_anew_and_those_that_it_deallocated_are_not(stage: &mut Stage<'_>) {
        stage.expect_all(&[
            ("query 0 PREPARE a FROM 'INSERT INTO t (v) VALUES (?)'", "ok 0"),
            ("query 0 PREPARE b FROM 'SELECT 1'", "ok 0"),
            ("query 0 PREPARE gone FROM 'SELECT 3'", "ok 0"),
            ("query 0 PREPARE b FROM 'SELECT v, @x FROM t'", "ok 0"),
            ("query 0 DEALLOCATE PREPARE gone", "ok 0"),
            ("query 0 SET @x = 'x'", "ok 0"),
            ("query 0 EXECUTE a USING @x", "ok 1"),
        ]);
        switch(stage.lab);
        stage.expect_all(&[("query 0 EXECUTE a USING @x", "ok 1"), ("query 0 EXECUTE B", "rows x|x;x|x")]);
        stage.is_on("query 0", Side::Green);
        assert!(stage.client.query("EXECUTE gone").starts_with("error 1243 "));
        assert_eq!(contents(stage.lab, Side::Green), "1:x 2:x");
    }

    pub fn statements_that_a_reset_connection_has_ended_stay_ended_and_harm_nothing(stage: &mut Stage<'_>) {
        stage.expect_all(&[
            ("prepare 0 INSERT INTO t (v) VALUES ('old')", "ok"),
            ("prepare 2 INSERT INTO t (v) VALUES ('older')", "ok"),
            ("reset_connection 0", "ok"),
            ("prepare 1 INSERT INTO t (v) VALUES ('new')", "ok"),
            ("query 0 BEGIN", "ok 0"),
            ("run 1", "ok 1 1"),
        ]);
        let refused = stage.client.ask("run 0");
        assert!(refused.starts_with("error "), "{refused}");
        stage.expect("query 0 COMMIT", "ok 0");
        stage.loses(0);
        stage.expect("run 1", "ok 1 2");
        assert_eq!(stage.client.ask("run 0"), refused);
        stage.expect_all(&[("done 0", "closed"), ("done 2", "closed"), ("run 1", "ok 1 3")]);
        assert_eq!(contents(stage.lab, Side::Blue), "1:new 2:new 3:new");
        assert_eq!(prepared_on(stage.lab, Side::Blue), 1);
        assert_eq!(stage.client.counter("surfaced"), 0);
    }

    pub fn a_statement_that_is_made_behind_a_reset_connection_and_a_move_is_prepared(stage: &mut Stage<'_>) {
        stage.expect("reset_connection 0", "ok");
        stage.loses(0);
        stage.expect_all(&[("prepare 0 SELECT 7", "ok"), ("run 0", "rows 7")]);
        stage.loses(0);
        stage.expect_all(&[("prepare 1 SELECT 8", "ok"), ("run 1", "rows 8"), ("run 0", "rows 7")]);
    }

    pub fn statements_of_a_connection_that_is_lost_say_that_it_is_lost_the_first_of_a_process_too(
        stage: &mut Stage<'_>,
    ) {
        let is_lost = |stage: &mut Stage<'_>, command: &str| {
            let answer = stage.client.ask(command);
            assert!(answer.starts_with("error 2006 ") || answer.starts_with("error 2013 "), "{command}: {answer}");
        };
        stage.expect("query 0 CREATE TEMPORARY TABLE scratch (n INT)", "ok 0");
        stage.loses(0);
        is_lost(stage, "prepare 0 SELECT 7");
        assert_eq!(stage.client.connect(0, ENDPOINT), "ok");
        stage.expect_all(&[("prepare 1 INSERT INTO t (n) VALUES (1)", "ok"), ("query 0 BEGIN", "ok 0")]);
        stage.loses(0);
        is_lost(stage, "query 0 SELECT 1");
        is_lost(stage, "run 1");
    }

    /// With MariaDB, libmariadb is told of columns only when they change: the new server takes them for told.
    pub fn a_column_that_has_another_type_on_the_new_server_is_read_by_it(stage: &mut Stage<'_>) {
        stage.lab.blue().sql("INSERT INTO shop.t (v, n) VALUES ('a', 1), ('b', 2)").unwrap();
        stage.expect_all(&[
            ("prepare 0 SELECT n, v FROM t ORDER BY id", "ok"),
            ("run 0", "rows 1|a;2|b"),
            ("execute 0", "rows"),
            ("store 0", "stored 2"),
            ("fetch 0", "row 1|a"),
        ]);
        stage.lab.blue().sql("ALTER TABLE shop.t MODIFY n VARCHAR(20)").unwrap();
        stage.loses(0);
        stage.expect_all(&[("query 0 UPDATE t SET n = 'two' WHERE id = 2", "ok 1"), ("fetch 0", "row 2|b")]);
        stage.expect_all(&[("fetch 0", "end"), ("run 0", "rows 1|a;two|b")]);
        stage.lab.blue().sql("UPDATE shop.t SET n = id").unwrap();
        stage.lab.blue().sql("ALTER TABLE shop.t MODIFY n INT").unwrap();
        stage.loses(0);
        stage.expect("run 0", "rows 1|a;2|b");
    }

    pub fn a_hundred_moves_leave_neither_statements_on_the_server_nor_memory_in_the_process(stage: &mut Stage<'_>) {
        stage.expect_all(&[
            ("prepare 0 INSERT INTO t (v, n) VALUES (?, ?)", "ok"),
            ("prepare 1 SELECT COUNT(*) FROM t WHERE n = ?", "ok"),
            ("prepare 2 UPDATE t SET v = ? WHERE n = ?", "ok"),
            ("bind 0", "ok"),
            ("bind 1", "ok"),
            ("bind 2", "ok"),
            ("set 0 0 x", "ok"),
            ("set 1 0 0", "ok"),
            ("set 2 0 -", "ok"),
            ("set 2 1 0", "ok"),
            ("run 1", "rows 0"),
        ]);
        let before = prepared_on(stage.lab, Side::Blue);
        assert_eq!(before, 3);
        let mut memory = Vec::new();
        for round in 0..100 {
            stage.loses(0);
            stage.expect_all(&[(&format!("set 0 1 {round}"), "ok"), (&format!("set 1 0 {round}"), "ok")]);
            assert!(stage.client.ask("run 0").starts_with("ok 1 "), "{round}: {}", stage.client.stderr());
            stage.expect("run 1", "rows 1");
            stage.expect(&format!("set 2 1 {round}"), "ok");
            assert!(stage.client.ask("run 2").starts_with("ok 1 "));
            memory.push(stage.client.ask("memory").parse::<u64>().unwrap());
        }
        assert!(stage.client.counter("moves") >= 100);
        wait_for("the killed connections' statements to go", || prepared_on(stage.lab, Side::Blue) == before);
        println!("resident: {} KiB after 10 moves, {} KiB after 100", memory[9], memory[99]);
        assert!(memory[99] < memory[9] + 5 * 1024);
    }
}
