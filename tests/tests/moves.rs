//! One handle that moves again and again: what it takes along stays whole, and nothing is left behind, neither on the
//! server nor in the process.
//!
//! `MOVES` says how many moves a handle lives through.

use std::time::{Duration, Instant};

use pointsman_lab::{ENDPOINT, Flavor, Lab, Side};
use pointsman_tests::{
    dialogue::{Dialogue, Driver},
    pair,
    run::Preload,
    scale::amount,
    stage::protected,
    wait_for,
};

/// So much may a process be larger at its end than after a tenth of its moves, in KiB: what an allocator does not give
/// back at once, and nothing for each of 10,000 moves.
const GROWTH: u64 = 256;

/// Ends connections of the application as an administrator would: its own connection is not protected.
struct Administrator(Dialogue);

impl Administrator {
    fn of(lab: &Lab) -> Self {
        let mut program = Dialogue::start(lab, Preload::Bare);
        assert_eq!(program.connect(0, &lab.blue().ip().to_string()), "ok");
        Self(program)
    }

    /// The server ends the connection while it is idle: the handle is moved, on the same server, with its next call.
    fn kill(&mut self, client: &mut Dialogue) {
        let id = client.ask("id 0");
        assert_eq!(self.0.query(&format!("KILL {id}")), "ok 0");
        assert_eq!(client.ask("gone 0"), "gone");
    }

    /// The same of a driver that cannot say whether its connection is gone.
    fn kill_unseen(&mut self, client: &mut Dialogue) {
        let id = client.ask("id 0");
        assert_eq!(self.0.query(&format!("KILL {id}")), "ok 0");
        let there = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.0.query(&there) != "rows 0" {
            assert!(Instant::now() < deadline, "connection {id} does not end");
        }
    }
}

fn prepared_on(lab: &Lab) -> u32 {
    let status = lab.server(Side::Blue).sql("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'").unwrap();
    status.split_whitespace().last().unwrap().parse().unwrap()
}

/// A session with something of everything that is restored; gives what it looks like.
fn set_up(client: &mut Dialogue) -> String {
    for statement in [
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET time_zone = '+05:00', sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
        "SET @a = 'kept', @b = 7",
        "PREPARE named FROM 'SELECT @b + ?'",
        "SET @sum = 35",
    ] {
        assert_eq!(client.query(statement), "ok 0", "{statement}");
    }
    for command in [
        "prepare 0 INSERT INTO t (v, n) VALUES (?, ?)",
        "prepare 1 SELECT n, v, @@time_zone FROM t WHERE n = ?",
        "prepare 2 UPDATE t SET v = ? WHERE n = ?",
        "bind 0",
        "bind 1",
        "bind 2",
        "set 0 0 inserted",
        "set 2 0 updated",
    ] {
        assert_eq!(client.ask(command), "ok", "{command}");
    }
    client.query(LOOK)
}

const LOOK: &str = "SELECT @a, @b, @@time_zone, @@sql_mode, @@collation_connection, @@session.autocommit";

/// A move before each statement, so many times. Gives the resident memory after each tenth, in KiB.
fn moves(lab: &Lab, driver: Driver, number: u64) -> Vec<u64> {
    let mut client = protected(lab, driver, |command| {
        command.env("POINTSMAN_LOG_LEVEL", "warn");
    });
    let mut administrator = Administrator::of(lab);
    assert_eq!(client.connect(0, ENDPOINT), "ok");
    let looks = set_up(&mut client);
    let mut resident = Vec::new();
    for at in 0..number {
        administrator.kill(&mut client);
        let (row, last) = (at / 5, at.saturating_sub(1) / 5);
        match at % 5 {
            0 => {
                assert_eq!(client.ask(&format!("set 0 1 {row}")), "ok");
                let answer = client.ask("run 0");
                assert_eq!(answer, format!("ok 1 {}", row + 1), "{}", client.stderr());
            }
            1 => {
                assert_eq!(client.ask(&format!("set 1 0 {last}")), "ok");
                assert_eq!(client.ask("run 1"), format!("rows {last}|inserted|+05:00"));
            }
            2 => {
                assert_eq!(client.ask(&format!("set 2 1 {last}")), "ok");
                assert_eq!(client.ask("run 2"), "ok 1 0");
            }
            3 => assert_eq!(client.query("EXECUTE named USING @sum"), "rows 42"),
            _ => assert_eq!(client.query(LOOK), looks),
        }
        if (at + 1) % (number / 10) == 0 {
            resident.push(client.ask("memory").parse().unwrap());
            wait_for("the statements of ended connections to go", || prepared_on(lab) == 4);
        }
    }
    assert_eq!(client.counter("moves"), number, "{}", client.stderr());
    assert_eq!(client.counter("surfaced"), 0);
    resident
}

/// `MOVES` of them, or enough to see that each leaves nothing.
fn many(flavor: Flavor, driver: Driver) {
    let number = amount("MOVES", 300).next_multiple_of(10);
    let Some(lab) = driver.is_available().then(|| pair(flavor)).flatten() else { return };
    lab.blue().sql("CREATE TABLE shop.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v TEXT, n BIGINT, KEY (n))").unwrap();
    let resident = moves(&lab, driver, number);
    println!("{driver:?} on {flavor}, {number} moves: resident after each tenth {resident:?} KiB");
    let (first, last) = (resident[0], resident[resident.len() - 1]);
    assert!(last < first + GROWTH, "{resident:?}");
}

#[test]
fn many_moves_of_one_handle_of_libmariadb_leave_nothing_behind_on_mariadb() {
    many(Flavor::MariaDb, Driver::LibMariaDb);
}

#[test]
fn many_moves_of_one_handle_of_libmariadb_leave_nothing_behind_on_mysql() {
    many(Flavor::MySql, Driver::LibMariaDb);
}

#[test]
fn many_moves_of_one_handle_of_libmysqlclient_leave_nothing_behind_on_mariadb() {
    many(Flavor::MariaDb, Driver::LibMySqlClient);
}

#[test]
fn many_moves_of_one_handle_of_libmysqlclient_leave_nothing_behind_on_mysql() {
    many(Flavor::MySql, Driver::LibMySqlClient);
}

/// A hundred moves of one handle, with two statements prepared on the server before the first of them.
fn a_driver_that_prepares(driver: Driver) {
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Some((lab, mut client, mut administrator)) = a_driver(flavor, driver) else { return };
        assert_eq!(client.ask("prepare 0 INSERT INTO t (v, n) VALUES (?, ?)"), "ok");
        assert_eq!(client.ask("prepare 1 SELECT v FROM t WHERE n = ?"), "ok");
        for round in 0..100 {
            administrator.kill_unseen(&mut client);
            let (execution, answer) = match round % 2 {
                0 => (format!("run 0 v{round} {round}"), "ok 1".to_owned()),
                _ => (format!("run 1 {}", round - 1), format!("rows v{}", round - 1)),
            };
            assert_eq!(client.ask(&execution), answer, "{round}: {}", client.stderr());
            if round % 20 == 19 {
                wait_for("the statements of ended connections to go", || prepared_on(&lab) == 2);
            }
        }
    }
}

fn a_driver(flavor: Flavor, driver: Driver) -> Option<(Lab, Dialogue, Administrator)> {
    let lab = pair(flavor)?;
    lab.blue().sql("CREATE TABLE shop.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v TEXT, n BIGINT, KEY (n))").unwrap();
    let mut client = Dialogue::with(&lab, driver, Preload::Preloaded, |_| {});
    assert_eq!(client.connect(0, ENDPOINT), "ok", "{}", client.stderr());
    let administrator = Administrator::of(&lab);
    Some((lab, client, administrator))
}

#[test]
fn a_hundred_moves_of_one_handle_of_mysql2_leave_its_statements_whole_and_no_others_on_the_server() {
    a_driver_that_prepares(Driver::Mysql2);
}

#[test]
fn a_hundred_moves_of_one_handle_of_dbd_leave_its_statements_whole_and_no_others_on_the_server() {
    a_driver_that_prepares(Driver::Dbd);
}

/// It prepares nothing on a server.
#[test]
fn a_hundred_moves_of_one_handle_of_mysqldb_run_each_text_once() {
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Some((lab, mut client, mut administrator)) = a_driver(flavor, Driver::MySqlDb) else { return };
        for round in 0..100 {
            administrator.kill_unseen(&mut client);
            let answer = client.query(&format!("INSERT INTO t (v, n) VALUES ('v{round}', {round})"));
            assert_eq!(answer, "ok 1", "{round}: {}", client.stderr());
        }
        assert_eq!(client.query("SELECT COUNT(*), COUNT(DISTINCT n) FROM t"), "rows 100|100");
        assert_eq!(prepared_on(&lab), 0);
    }
}
