//! A statement that may have been executed is never executed again, and one that was not is executed exactly once.
//!
//! A proxy between the application and its server loses what the test wants it to lose.

use std::{process::Command, time::Duration};

use pointsman_lab::{ENDPOINT, Flavor, Lab};
use pointsman_tests::{
    Shared,
    dialogue::{Dialogue, Driver},
    pair,
    proxy::{Awaited, Proxy},
    run::Preload,
    wait_for,
};

static LAB: Shared = Shared::new();

/// Nothing in here changes which server is the writer, except where a test has a lab of its own.
fn lab() -> Option<&'static Lab> {
    LAB.get(|| pair(Flavor::MariaDb))
}

/// A protected application that reaches blue by way of a proxy.
struct Journey<'a> {
    lab: &'a Lab,
    proxy: Proxy,
    client: Dialogue,
    /// Marks this journey's rows.
    note: String,
}

impl<'a> Journey<'a> {
    fn begin(lab: &'a Lab, driver: Driver, test: &str) -> Self {
        Self::begin_with(lab, driver, test, |_| {})
    }

    fn begin_with(lab: &'a Lab, driver: Driver, test: &str, set_up: impl FnOnce(&mut Command)) -> Self {
        let note = format!("{test}-{driver:?}").to_lowercase();
        let name = format!("{note}.lab.test");
        let proxy = Proxy::start(lab, &name, lab.blue().address());
        let mut client = Dialogue::with(lab, driver, Preload::Preloaded, set_up);
        assert_eq!(client.connect(0, &name), "ok");
        Self { lab, proxy, client, note }
    }

    fn insert(&self) -> String {
        format!("INSERT INTO orders (worker, seq, note) VALUES (7, 7, '{}')", self.note)
    }

    /// How many rows of this journey the server has.
    fn rows(&self) -> u32 {
        let count = format!("SELECT COUNT(*) FROM shop.orders WHERE note = '{}'", self.note);
        self.lab.blue().sql(&count).unwrap().parse().unwrap()
    }

    /// The server does what `statement` says, and its answer is lost.
    fn lose_the_answer_to(&mut self, statement: &str) -> String {
        self.lose_the_answer(Awaited::Text(statement.to_owned()), &format!("query 0 {statement}"))
    }

    /// The same for a command of the client program and what it sends.
    fn lose_the_answer(&mut self, sent: Awaited, command: &str) -> String {
        self.proxy.keep_back_the_answer_to(sent);
        self.client.tell(command);
        self.proxy.wait_until_answered();
        self.proxy.cut();
        self.client.answer()
    }

    /// Of a lost connection every driver says so in its own words.
    fn assert_refused(&mut self, statements: &[&str]) {
        for statement in statements {
            let answer = self.client.query(statement);
            assert!(answer.starts_with("error "), "{statement}: {answer}");
        }
    }

    fn assert_usable(&mut self) {
        assert_eq!(self.client.query("SELECT 1"), "rows 1", "{}", self.client.stderr());
    }
}

#[track_caller]
fn assert_error(answer: &str, number: u32) {
    assert!(answer.starts_with(&format!("error {number} ")), "not {number}: {answer}");
}

fn an_insert(driver: Driver) {
    let Some(lab) = lab() else { return };
    let mut journey = Journey::begin(lab, driver, "insert");
    let insert = journey.insert();
    assert_error(&journey.lose_the_answer_to(&insert), 2013);
    assert_eq!(journey.rows(), 1);
    journey.assert_usable();
    assert_eq!(journey.client.query(&insert), "ok 1");
    assert_eq!(journey.rows(), 2);
}

/// An INSERT is written to a server that stops reading, and the connection is reset.
fn an_insert_reset_unread(driver: Driver, test: &str, padding: usize) -> Option<(Journey<'static>, String, String)> {
    let mut journey = Journey::begin(lab()?, driver, test);
    let insert = format!("{} /*{}*/", journey.insert(), "x".repeat(padding));
    journey.proxy.stop_reading_at(Awaited::Text(journey.insert()));
    journey.client.tell(&format!("query 0 {insert}"));
    journey.proxy.wait_until_stalled().wait_until_written().reset();
    let answer = journey.client.answer();
    Some((journey, insert, answer))
}

/// More than the window of a receiver that does not read, and less than the sender's kernel takes.
const MORE_THAN_A_WINDOW: usize = 1024 * 1024;

fn an_insert_that_never_left(driver: Driver) {
    let reset = an_insert_reset_unread(driver, "tail", MORE_THAN_A_WINDOW);
    let Some((mut journey, insert, answer)) = reset else { return };
    assert_eq!(answer, "ok 1", "{}", journey.client.stderr());
    assert_eq!(journey.rows(), 1);
    assert_eq!(journey.client.query(&insert), "ok 1");
    assert_eq!(journey.rows(), 2);
}

fn an_insert_that_arrived(driver: Driver) {
    let Some((mut journey, insert, answer)) = an_insert_reset_unread(driver, "arrived", 0) else { return };
    assert_error(&answer, 2013);
    assert_eq!(journey.rows(), 0);
    assert_eq!(journey.client.query(&insert), "ok 1");
    assert_eq!(journey.rows(), 1);
}

/// The statement has arrived; what never left is the end of its file. A server may keep the rows that it had by then.
fn a_file_that_never_left(driver: Driver) {
    let Some(lab) = lab() else { return };
    let mut journey = Journey::begin(lab, driver, "file");
    // Recognised by the proxy, for which it begins like a statement.
    let content = format!("a row of {}", journey.note);
    let line = format!("\u{3}{content}\n");
    let file = lab.directory().join(format!("{}.txt", journey.note));
    std::fs::write(&file, line.repeat(16 * MORE_THAN_A_WINDOW / line.len())).unwrap();
    journey.proxy.stop_reading_at(Awaited::Text(content));
    let load = format!("LOAD DATA LOCAL INFILE '{}' INTO TABLE orders (note) SET worker = 7, seq = 7", file.display());
    journey.client.tell(&format!("query 0 {load}"));
    journey.proxy.wait_until_stalled().wait_until_jammed().reset();
    assert_error(&journey.client.answer(), 2013);
    assert_eq!(journey.client.counter("reruns"), 0);
}

/// Under TLS the library may write something after a statement, and nobody can tell what it was that never left.
fn a_sealed_insert_that_never_left(driver: Driver) {
    let Some(lab) = lab() else { return };
    let mut journey = Journey::begin_with(lab, driver, "sealed", |command| {
        command.env("CLIENT_CA", lab.ca_path());
    });
    let insert = journey.insert();
    assert_eq!(journey.client.query(&insert), "ok 1");
    let long = format!("{insert} /*{}*/", "x".repeat(MORE_THAN_A_WINDOW));
    journey.proxy.stop_reading_at(Awaited::Sealed);
    journey.client.tell(&format!("query 0 {long}"));
    let stalled = journey.proxy.wait_until_stalled().wait_until_jammed();
    let status = journey.client.proc().join("stat");
    wait_for("the application to wait", || std::fs::read_to_string(&status).unwrap().contains(") S "));
    stalled.reset();
    let answer = journey.client.answer();
    assert!(answer.starts_with("error 2013 ") || answer.starts_with("error 2026 "), "{answer}");
    assert_eq!(journey.rows(), 1);
    journey.assert_usable();
}

fn a_commit(driver: Driver) {
    let Some(lab) = lab() else { return };
    let mut journey = Journey::begin(lab, driver, "commit");
    let insert = journey.insert();
    assert_eq!(journey.client.query("BEGIN"), "ok 0");
    assert_eq!(journey.client.query(&insert), "ok 1");
    assert_error(&journey.lose_the_answer_to("COMMIT"), 2013);
    assert_eq!(journey.rows(), 1);
    journey.assert_usable();
    assert_eq!(journey.client.query(&insert), "ok 1", "outside of a transaction");
    assert_eq!(journey.rows(), 2);
}

fn a_dead_connection(driver: Driver) {
    let Some(lab) = lab() else { return };
    let mut journey = Journey::begin(lab, driver, "idle");
    let insert = journey.insert();
    for count in 1..=3 {
        journey.proxy.cut();
        assert_eq!(journey.client.query(&insert), "ok 1", "{}", journey.client.stderr());
        assert_eq!(journey.rows(), count);
    }
}

fn a_lost_insert_inside_a_transaction(driver: Driver) {
    let Some(lab) = lab() else { return };
    let mut journey = Journey::begin(lab, driver, "inside");
    let insert = journey.insert();
    assert_eq!(journey.client.query("BEGIN"), "ok 0");
    assert_eq!(journey.client.query(&insert), "ok 1");
    assert_error(&journey.lose_the_answer_to(&insert), 2013);
    // The transaction went with the connection, and its rest must not be executed outside of it.
    journey.assert_refused(&[&insert, "COMMIT", &insert]);
    assert_eq!(journey.rows(), 0);
}

fn a_transaction_that_died_while_idle(driver: Driver) {
    let Some(lab) = lab() else { return };
    let mut journey = Journey::begin(lab, driver, "between");
    let insert = journey.insert();
    assert_eq!(journey.client.query("BEGIN"), "ok 0");
    assert_eq!(journey.client.query(&insert), "ok 1");
    journey.proxy.cut();
    let answer = journey.client.query(&insert);
    assert!(answer.starts_with("error 2006 ") || answer.starts_with("error 2013 "), "{answer}");
    journey.assert_refused(&[&insert, "COMMIT"]);
    assert_eq!(journey.rows(), 0);
}

fn a_commit_without_autocommit(driver: Driver) {
    let Some(lab) = lab() else { return };
    let mut journey = Journey::begin(lab, driver, "manual");
    let insert = journey.insert();
    assert_eq!(journey.client.ask("autocommit 0 0"), "ok");
    assert_eq!(journey.client.query(&insert), "ok 1");
    assert_eq!(journey.rows(), 0);
    assert_error(&journey.lose_the_answer(Awaited::Text("COMMIT".into()), "commit 0"), 2013);
    assert_eq!(journey.rows(), 1);
    // The connection that took its place has no autocommit either.
    assert_eq!(journey.client.query(&insert), "ok 1", "{}", journey.client.stderr());
    assert_eq!(journey.rows(), 1);
    assert_eq!(journey.client.ask("commit 0"), "ok");
    assert_eq!(journey.rows(), 2);
}

fn a_dead_connection_without_autocommit(driver: Driver) {
    let Some(lab) = lab() else { return };
    let mut journey = Journey::begin(lab, driver, "manual-idle");
    let insert = journey.insert();
    assert_eq!(journey.client.ask("autocommit 0 0"), "ok");
    journey.proxy.cut();
    assert_eq!(journey.client.query(&insert), "ok 1", "no transaction was open; {}", journey.client.stderr());
    assert_eq!(journey.rows(), 0, "not committed");
    journey.proxy.cut();
    let answer = journey.client.query(&insert);
    assert!(answer.starts_with("error 2006 ") || answer.starts_with("error 2013 "), "{answer}");
    journey.assert_refused(&[&insert]);
    assert!(journey.client.ask("commit 0").starts_with("error "));
    assert_eq!(journey.rows(), 0);
}

fn a_prepared_insert(driver: Driver) {
    let Some(lab) = lab() else { return };
    let mut journey = Journey::begin(lab, driver, "prepared");
    let prepare = format!("prepare 0 {}", journey.insert());
    assert_eq!(journey.client.ask(&prepare), "ok");
    assert!(journey.client.ask("execute 0").starts_with("ok 1 "));
    assert_error(&journey.lose_the_answer(Awaited::Execution, "execute 0"), 2013);
    assert_eq!(journey.rows(), 2);
    // It was prepared anew with the connection that took the lost one's place.
    assert!(journey.client.ask("execute 0").starts_with("ok 1 "), "{}", journey.client.stderr());
    assert_eq!(journey.rows(), 3);
}

fn a_killed_select(driver: Driver) {
    let Some(lab) = lab() else { return };
    let [bare, preloaded] = [Preload::Bare, Preload::Preloaded].map(|preload| {
        let mut client = Dialogue::with(lab, driver, preload, |_| {});
        assert_eq!(client.connect(0, ENDPOINT), "ok");
        let id = client.ask("id 0");
        client.tell("query 0 SELECT SLEEP(30)");
        let running =
            format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id} AND info LIKE '%SLEEP%'");
        wait_for("the SELECT to run", || lab.blue().sql(&running).unwrap() == "1");
        lab.blue().sql(&format!("KILL {id}")).unwrap();
        let answer = client.answer();
        (answer, client)
    });
    let (answer, mut client) = preloaded;
    assert_error(&answer, 2013);
    assert_eq!(answer, bare.0, "preloaded (left) is not as bare (right)");
    assert_eq!(client.query("SELECT 1"), "rows 1", "told once; {}", client.stderr());
}

fn a_killed_idle_connection(driver: Driver) {
    let Some(lab) = lab() else { return };
    let mut client = Dialogue::with(lab, driver, Preload::Preloaded, |_| {});
    assert_eq!(client.connect(0, ENDPOINT), "ok");
    let id = client.ask("id 0");
    lab.blue().sql(&format!("KILL {id}")).unwrap();
    let there = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
    wait_for("the end of the connection", || lab.blue().sql(&there).unwrap() == "0");
    assert_eq!(client.query("SELECT 42"), "rows 42", "{}", client.stderr());
    assert_ne!(client.ask("id 0"), id);
}

/// Each test for each driver.
macro_rules! for_every_driver {
    ($($test:ident: $($name:ident $driver:ident),*;)*) => {$($(
        #[test]
        fn $name() {
            if Driver::$driver.is_available() {
                $test(Driver::$driver);
            }
        }
    )*)*};
}

for_every_driver! {
    an_insert:
        an_insert_whose_answer_was_lost_is_reported_once_and_executed_once_with_libmariadb LibMariaDb,
        an_insert_whose_answer_was_lost_is_reported_once_and_executed_once_with_libmysqlclient LibMySqlClient,
        an_insert_whose_answer_was_lost_is_reported_once_and_executed_once_with_mysql2 Mysql2,
        an_insert_whose_answer_was_lost_is_reported_once_and_executed_once_with_mysqldb MySqlDb,
        an_insert_whose_answer_was_lost_is_reported_once_and_executed_once_with_dbd Dbd;
    an_insert_that_never_left:
        an_insert_of_which_a_part_never_left_this_host_is_executed_once_without_an_error_with_libmariadb LibMariaDb,
        an_insert_of_which_a_part_never_left_this_host_is_executed_once_without_an_error_with_libmysqlclient LibMySqlClient,
        an_insert_of_which_a_part_never_left_this_host_is_executed_once_without_an_error_with_mysql2 Mysql2,
        an_insert_of_which_a_part_never_left_this_host_is_executed_once_without_an_error_with_mysqldb MySqlDb,
        an_insert_of_which_a_part_never_left_this_host_is_executed_once_without_an_error_with_dbd Dbd;
    an_insert_that_arrived:
        an_insert_that_arrived_before_a_reset_is_reported_and_not_executed_again_with_libmariadb LibMariaDb,
        an_insert_that_arrived_before_a_reset_is_reported_and_not_executed_again_with_libmysqlclient LibMySqlClient,
        an_insert_that_arrived_before_a_reset_is_reported_and_not_executed_again_with_mysql2 Mysql2,
        an_insert_that_arrived_before_a_reset_is_reported_and_not_executed_again_with_mysqldb MySqlDb,
        an_insert_that_arrived_before_a_reset_is_reported_and_not_executed_again_with_dbd Dbd;
    a_file_that_never_left:
        a_load_of_a_file_whose_end_never_left_this_host_is_reported_and_not_executed_again_with_libmariadb LibMariaDb,
        a_load_of_a_file_whose_end_never_left_this_host_is_reported_and_not_executed_again_with_libmysqlclient LibMySqlClient;
    a_sealed_insert_that_never_left:
        an_insert_of_which_a_part_never_left_this_host_is_reported_under_tls_with_libmariadb LibMariaDb,
        an_insert_of_which_a_part_never_left_this_host_is_reported_under_tls_with_libmysqlclient LibMySqlClient;
    a_commit:
        a_commit_whose_answer_was_lost_is_reported_once_and_never_replayed_with_libmariadb LibMariaDb,
        a_commit_whose_answer_was_lost_is_reported_once_and_never_replayed_with_libmysqlclient LibMySqlClient,
        a_commit_whose_answer_was_lost_is_reported_once_and_never_replayed_with_mysql2 Mysql2,
        a_commit_whose_answer_was_lost_is_reported_once_and_never_replayed_with_mysqldb MySqlDb,
        a_commit_whose_answer_was_lost_is_reported_once_and_never_replayed_with_dbd Dbd;
    a_dead_connection:
        an_insert_on_a_connection_found_dead_is_executed_once_without_an_error_with_libmariadb LibMariaDb,
        an_insert_on_a_connection_found_dead_is_executed_once_without_an_error_with_libmysqlclient LibMySqlClient,
        an_insert_on_a_connection_found_dead_is_executed_once_without_an_error_with_mysql2 Mysql2,
        an_insert_on_a_connection_found_dead_is_executed_once_without_an_error_with_mysqldb MySqlDb,
        an_insert_on_a_connection_found_dead_is_executed_once_without_an_error_with_dbd Dbd;
    a_lost_insert_inside_a_transaction:
        the_rest_of_a_transaction_that_was_lost_is_not_executed_outside_of_it_with_libmariadb LibMariaDb,
        the_rest_of_a_transaction_that_was_lost_is_not_executed_outside_of_it_with_libmysqlclient LibMySqlClient,
        the_rest_of_a_transaction_that_was_lost_is_not_executed_outside_of_it_with_mysql2 Mysql2,
        the_rest_of_a_transaction_that_was_lost_is_not_executed_outside_of_it_with_mysqldb MySqlDb,
        the_rest_of_a_transaction_that_was_lost_is_not_executed_outside_of_it_with_dbd Dbd;
    a_transaction_that_died_while_idle:
        the_rest_of_a_transaction_that_died_while_idle_is_not_executed_outside_of_it_with_libmariadb LibMariaDb,
        the_rest_of_a_transaction_that_died_while_idle_is_not_executed_outside_of_it_with_libmysqlclient LibMySqlClient,
        the_rest_of_a_transaction_that_died_while_idle_is_not_executed_outside_of_it_with_mysql2 Mysql2,
        the_rest_of_a_transaction_that_died_while_idle_is_not_executed_outside_of_it_with_mysqldb MySqlDb,
        the_rest_of_a_transaction_that_died_while_idle_is_not_executed_outside_of_it_with_dbd Dbd;
    a_commit_without_autocommit:
        a_commit_call_whose_answer_was_lost_is_reported_once_and_never_replayed_with_libmariadb LibMariaDb,
        a_commit_call_whose_answer_was_lost_is_reported_once_and_never_replayed_with_libmysqlclient LibMySqlClient,
        a_commit_call_whose_answer_was_lost_is_reported_once_and_never_replayed_with_mysqldb MySqlDb;
    a_dead_connection_without_autocommit:
        a_connection_found_dead_is_replaced_by_one_without_autocommit_where_it_was_off_with_libmariadb LibMariaDb,
        a_connection_found_dead_is_replaced_by_one_without_autocommit_where_it_was_off_with_libmysqlclient LibMySqlClient,
        a_connection_found_dead_is_replaced_by_one_without_autocommit_where_it_was_off_with_mysqldb MySqlDb;
    a_prepared_insert:
        a_prepared_insert_whose_answer_was_lost_is_reported_once_and_executed_once_with_libmariadb LibMariaDb,
        a_prepared_insert_whose_answer_was_lost_is_reported_once_and_executed_once_with_libmysqlclient LibMySqlClient;
    a_killed_select:
        a_running_select_that_an_administrator_kills_is_told_to_the_application_with_libmariadb LibMariaDb,
        a_running_select_that_an_administrator_kills_is_told_to_the_application_with_libmysqlclient LibMySqlClient,
        a_running_select_that_an_administrator_kills_is_told_to_the_application_with_mysql2 Mysql2,
        a_running_select_that_an_administrator_kills_is_told_to_the_application_with_mysqldb MySqlDb,
        a_running_select_that_an_administrator_kills_is_told_to_the_application_with_dbd Dbd;
    a_killed_idle_connection:
        a_connection_that_an_administrator_kills_while_idle_is_replaced_unnoticed_with_libmariadb LibMariaDb,
        a_connection_that_an_administrator_kills_while_idle_is_replaced_unnoticed_with_libmysqlclient LibMySqlClient,
        a_connection_that_an_administrator_kills_while_idle_is_replaced_unnoticed_with_mysql2 Mysql2,
        a_connection_that_an_administrator_kills_while_idle_is_replaced_unnoticed_with_mysqldb MySqlDb,
        a_connection_that_an_administrator_kills_while_idle_is_replaced_unnoticed_with_dbd Dbd;
}

/// What the application is told when its server is replaced while it waits for the answer to a statement.
struct Replaced {
    answer: String,
    /// The new server's count of the rows that the old one had when it answered.
    rows: String,
    next: String,
}

/// Blue, behind the proxy, is gone for good when it has answered the last of `statements`; green, which has all that blue
/// had, is the writer.
fn replaced(test: &str, statements: &[&str]) -> Option<Replaced> {
    let lab = pair(Flavor::MariaDb)?;
    let mut journey = Journey::begin(&lab, Driver::LibMariaDb, test);
    let (last, before) = statements.split_last().unwrap();
    for statement in before {
        let answer = journey.client.query(statement);
        assert!(answer.starts_with("ok "), "{answer}");
    }
    journey.proxy.keep_back_the_answer_to(Awaited::Text((*last).to_owned()));
    journey.client.tell(&format!("query 0 {last}"));
    journey.proxy.wait_until_answered();
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(20)).unwrap();
    journey.proxy.close();
    lab.green().set_read_only(false).unwrap();
    lab.dns().set(&format!("{}.lab.test", journey.note), &[lab.green().ip()], 1).unwrap();
    journey.proxy.cut();
    let answer = journey.client.answer();
    let rows = lab.green().sql("SELECT COUNT(*) FROM shop.orders").unwrap();
    let next = journey.client.query("SELECT @@server_id");
    Some(Replaced { answer, rows, next })
}

#[test]
fn a_select_cut_off_by_a_server_that_was_replaced_is_answered_by_the_new_one() {
    let Some(replaced) = replaced("read", &["SELECT @@server_id"]) else { return };
    assert_eq!([replaced.answer, replaced.next], ["rows 2", "rows 2"]);
}

#[test]
fn an_insert_cut_off_by_a_server_that_was_replaced_is_reported_and_not_executed_again() {
    let insert = "INSERT INTO orders (worker, seq) VALUES (7, 7)";
    let Some(replaced) = replaced("write", &[insert]) else { return };
    assert_error(&replaced.answer, 2013);
    assert_eq!([replaced.rows, replaced.next], ["1", "rows 2"]);
}

#[test]
fn a_commit_cut_off_by_a_server_that_was_replaced_is_reported_and_not_replayed() {
    let insert = "INSERT INTO orders (worker, seq) VALUES (7, 7)";
    let Some(replaced) = replaced("end", &["BEGIN", insert, "COMMIT"]) else { return };
    assert_error(&replaced.answer, 2013);
    assert_eq!([replaced.rows, replaced.next], ["1", "rows 2"]);
}

#[test]
fn a_transaction_cut_off_by_a_server_that_was_replaced_is_replayed_once() {
    let insert = "INSERT INTO orders (worker, seq) VALUES (7, 7)";
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let mut journey = Journey::begin(&lab, Driver::LibMariaDb, "replayed");
    assert_eq!(journey.client.all(&["query 0 BEGIN", &format!("query 0 {insert}")]), ["ok 0", "ok 1"]);
    journey.proxy.keep_back_the_answer_to(Awaited::Text(insert.to_owned()));
    journey.client.tell(&format!("query 0 {insert}"));
    journey.proxy.wait_until_answered();
    journey.proxy.close();
    lab.green().set_read_only(false).unwrap();
    lab.dns().set("replayed-libmariadb.lab.test", &[lab.green().ip()], 1).unwrap();
    journey.proxy.cut();
    assert_eq!(journey.client.answer(), "ok 1", "{}", journey.client.stderr());
    assert_eq!(lab.green().sql("SELECT COUNT(*) FROM shop.orders").unwrap(), "0", "not committed yet");
    assert_eq!(journey.client.query("COMMIT"), "ok 0");
    assert_eq!(lab.green().sql("SELECT COUNT(*) FROM shop.orders").unwrap(), "2");
    assert_eq!(lab.blue().sql("SELECT COUNT(*) FROM shop.orders").unwrap(), "0");
    assert_eq!(journey.client.counter("replays"), 1);
}

/// A prepared statement's execution is answered, or its rows are under way, when blue is gone for good.
fn replaced_execution(driver: Driver, test: &str, text: &str, end: impl Fn(&mut Journey<'_>) -> String) -> [String; 3] {
    let lab = pair(Flavor::MariaDb).expect("available");
    let mut journey = Journey::begin(&lab, driver, test);
    let prepare = format!("prepare 0 {text}");
    assert_eq!(journey.client.all(&[prepare.as_str(), "bind 0", "set 0 0 0"]), ["ok", "ok", "ok"]);
    let answer = end(&mut journey);
    let rows = lab.green().sql("SELECT COUNT(*) FROM shop.orders").unwrap();
    [answer, rows.trim().to_owned(), journey.client.query("SELECT @@server_id")]
}

impl Journey<'_> {
    /// Green has all that blue had, and is the writer.
    fn replace_server(&mut self) {
        self.lab.green().wait_caught_up(self.lab.blue(), Duration::from_secs(20)).unwrap();
        self.proxy.close();
        self.lab.green().set_read_only(false).unwrap();
        self.lab.dns().set(&format!("{}.lab.test", self.note), &[self.lab.green().ip()], 1).unwrap();
    }

    /// What storing the rest of the rows comes to, which are read once and no more.
    fn stored_in_vain(&mut self) -> String {
        let stored = self.client.ask("store 0");
        assert_eq!(self.client.counter("reruns"), 0, "{}", self.client.stderr());
        stored
    }

    fn lose_the_execution(&mut self) -> String {
        self.proxy.keep_back_the_answer_to(Awaited::Execution);
        self.client.tell("run 0");
        self.proxy.wait_until_answered();
        self.replace_server();
        self.proxy.cut();
        self.client.answer()
    }
}

const BOTH: [Driver; 2] = [Driver::LibMariaDb, Driver::LibMySqlClient];

#[test]
fn an_execution_cut_off_by_a_server_that_was_replaced_is_made_again_if_it_only_reads() {
    for driver in BOTH.into_iter().filter(|driver| driver.is_available() && lab().is_some()) {
        let read = "SELECT COUNT(*), @@server_id FROM orders WHERE seq >= ?";
        let told = replaced_execution(driver, "execution", read, |journey| journey.lose_the_execution());
        assert_eq!(told, ["rows 0|2", "0", "rows 2"], "{driver:?}");
        let write = "INSERT INTO orders (worker, seq) VALUES (7, ?)";
        let [answer, rows, next] = replaced_execution(driver, "written", write, |journey| journey.lose_the_execution());
        assert_error(&answer, 2013);
        assert_eq!([rows, next], ["1", "rows 2"], "{driver:?}");
    }
}

/// More than fits into the buffers on the way.
const MANY: &str = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 1000) \
                    SELECT n, t, t, t, t, t, t, t FROM r, (SELECT REPEAT('x', 4000) AS t) AS text WHERE n > ?";

/// The application has thrown the value away by then.
#[test]
fn rows_of_an_execution_that_were_cut_off_are_all_read_again_with_the_value_that_was_sent() {
    for driver in BOTH.into_iter().filter(|driver| driver.is_available() && lab().is_some()) {
        let told = replaced_execution(driver, "rows", MANY, |journey| {
            assert_eq!(journey.client.all(&["execute 0", "set 0 0 999"]), ["rows", "ok"]);
            journey.replace_server();
            journey.proxy.hang_up();
            let stored = journey.client.ask("store 0");
            assert_eq!(journey.client.counter("reruns"), 1, "{}", journey.client.stderr());
            // What is bound is bound as before.
            assert_eq!(journey.client.all(&["execute 0", "store 0", "set 0 0 0"]), ["rows", "stored 1", "ok"]);
            stored
        });
        assert_eq!(told, ["stored 1000", "0", "rows 2"], "{driver:?}");
    }
}

/// Client libraries let an application fetch some rows as they come and then store the rest.
#[test]
fn rows_of_which_one_has_reached_the_application_are_not_read_again() {
    for driver in BOTH.into_iter().filter(|driver| driver.is_available() && lab().is_some()) {
        let told = replaced_execution(driver, "fetched", MANY, |journey| {
            assert_eq!(journey.client.ask("execute 0"), "rows");
            assert!(journey.client.ask("fetch 0").starts_with("row 1|x"));
            journey.replace_server();
            journey.proxy.hang_up();
            journey.stored_in_vain()
        });
        assert!(told[0].starts_with("error "), "{driver:?}: {}", told[0]);
        assert_eq!(told[2], "rows 2", "{driver:?}");
    }
}

#[test]
fn rows_are_not_read_again_after_one_that_could_not_be_fetched() {
    for driver in BOTH.into_iter().filter(|driver| driver.is_available() && lab().is_some()) {
        let told = replaced_execution(driver, "unfetched", MANY, |journey| {
            assert_eq!(journey.client.ask("execute 0"), "rows");
            journey.replace_server();
            journey.proxy.hang_up();
            let mut fetched = 0;
            while journey.client.ask("fetch 0").starts_with("row ") {
                fetched += 1;
            }
            assert!(0 < fetched && fetched < 1000, "{fetched}");
            journey.stored_in_vain()
        });
        assert!(told[0].starts_with("error "), "{driver:?}: {}", told[0]);
    }
}

/// The values that it was sent with are kept for as long as nothing else is executed, be it in vain.
#[test]
fn rows_are_not_read_again_with_the_values_of_an_execution_that_was_refused_in_between() {
    for driver in BOTH.into_iter().filter(|driver| driver.is_available() && lab().is_some()) {
        let told = replaced_execution(driver, "refused", MANY, |journey| {
            assert_eq!(journey.client.ask(&format!("prepare 1 {MANY}")), "ok");
            assert_eq!(journey.client.all(&["bind 1", "set 1 0 999", "execute 0"]), ["ok", "ok", "rows"]);
            assert_error(&journey.client.ask("execute 1"), 2014);
            journey.replace_server();
            journey.proxy.hang_up();
            journey.stored_in_vain()
        });
        assert!(told[0].starts_with("error "), "{driver:?}: {}", told[0]);
    }
}
