//! What does not look like a write, or like one that was begun, is not executed twice: reads of views that write, functions that
//! have the name of another server's, and statements that a server gave up half-way as it shut down.

use std::{thread, time::Duration};

use pointsman_lab::{ENDPOINT, Flavor, Lab};
use pointsman_tests::{
    dialogue::{Dialogue, Driver},
    pair,
    proxy::{Awaited, Proxy},
    run::Preload,
    single, wait_for,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn start(lab: &Lab, preload: Preload) -> Dialogue {
    let flavor = lab.blue().flavor();
    Dialogue::with(lab, Driver::LibMariaDb, preload, |command| {
        if flavor == Flavor::MySql {
            command.env("CLIENT_CA", lab.ca_path());
        }
    })
}

/// Views and functions that leave a row in `note` each time that they are read or called.
fn set_up(lab: &Lab) {
    let blue = lab.blue();
    lab.green().sql("SET GLOBAL log_bin_trust_function_creators = 1").unwrap();
    let function = |name: &str| {
        format!(
            "CREATE FUNCTION shop.`{name}`(x VARCHAR(40)) RETURNS INT BEGIN INSERT INTO shop.note VALUES (x); RETURN 1; END"
        )
    };
    let mut client = blue.client().unwrap();
    let functions = ["noted", "uuid_to_bin", "max"].map(function).join("//\n");
    let text = format!(
        "SET GLOBAL log_bin_trust_function_creators = 1; \
         CREATE TABLE shop.note (v VARCHAR(40)); CREATE TABLE shop.plain (n INT, noting INT); \
         INSERT INTO shop.plain VALUES (7, 8); \nDELIMITER //\n{functions}//\nDELIMITER ;\n\
         CREATE VIEW shop.noting AS SELECT n, shop.noted('view') AS noted FROM shop.plain; \
         CREATE VIEW shop.around AS SELECT noted FROM shop.noting; \
         CREATE DATABASE other; CREATE VIEW other.plain AS SELECT n FROM shop.noting; GRANT SELECT ON other.* TO app@'%';\n"
    );
    client.stdin(std::process::Stdio::piped());
    let mut child = client.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// The answer to `read` is lost, and green, which has everything, is the writer from then on. What the application gets, and how
/// many notes there were before and are in the end.
fn lost(lab: &Lab, number: usize, read: &str) -> (String, [String; 2]) {
    let name = format!("lost{number}.lab.test");
    let notes = |server: &pointsman_lab::Server| server.sql("SELECT COUNT(*) FROM shop.note").unwrap();
    let mut proxy = Proxy::start(lab, &name, lab.blue().address());
    let mut client = start(lab, Preload::Preloaded);
    assert_eq!(client.connect(0, &name), "ok");
    assert_eq!(client.query("SELECT 1"), "rows 1");
    proxy.keep_back_the_answer_to(Awaited::Text(read.to_owned()));
    client.tell(&format!("query 0 {read}"));
    proxy.wait_until_answered();
    lab.green().wait_caught_up(lab.blue(), PATIENCE).unwrap();
    let before = notes(lab.green());
    proxy.close();
    lab.green().set_read_only(false).unwrap();
    lab.dns().set(&name, &[lab.green().ip()], 1).unwrap();
    proxy.cut();
    let answer = client.answer();
    println!("{read}: {answer}");
    let after = notes(lab.green());
    assert!(client.query("SELECT n FROM plain").starts_with("rows 7"), "{}", client.stderr());
    lab.green().set_read_only(true).unwrap();
    (answer, [before, after])
}

#[test]
fn a_read_of_tables_runs_again_and_one_that_writes_by_a_view_or_a_namesake_does_not() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    set_up(&lab);
    let read_anew = ["SELECT n FROM plain", "SELECT noting.noting FROM (SELECT n AS noting FROM plain) AS noting"];
    let in_doubt = [
        "SELECT noted FROM noting",
        "SELECT noted FROM `shop`.`around`",
        "WITH c AS (SELECT noted FROM noting) SELECT * FROM c",
        "SELECT n FROM other.plain",
        "EXPLAIN SELECT * FROM (SELECT DISTINCT noted FROM noting) AS d",
        "SELECT UUID_TO_BIN('polyfill')",
        "SELECT MAX ('with a space')",
    ];
    for (number, read) in read_anew.iter().chain(&in_doubt).enumerate() {
        let (answer, [before, after]) = lost(&lab, number, read);
        assert_eq!(after, before, "{read}: {answer}");
        if number == 0 {
            assert_eq!(answer, "rows 7");
        } else if in_doubt.contains(read) {
            assert!(answer.starts_with("error 2013 "), "{read}: {answer}");
        }
    }
}

/// `statement` is given up half-way by a server that shuts down, and starts again at once.
fn given_up(lab: &Lab, preload: Preload, before: &[&str], statement: &str) -> String {
    let mut client = start(lab, preload);
    assert_eq!(client.connect(0, ENDPOINT), "ok");
    client.all(before).iter().for_each(|answer| assert!(!answer.starts_with("error"), "{answer}"));
    client.tell(&format!("query 0 {statement}"));
    wait_for("the statement to be half-way", || {
        let asked = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep' AND TIME >= 1";
        lab.blue().sql(asked).unwrap() != "0"
    });
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            lab.blue().stop().unwrap();
            lab.blue().start().unwrap();
            lab.blue().wait_ready().unwrap();
        });
        client.answer()
    });
    println!("{preload:?}: {statement}: {answer}\n{}", client.stderr());
    answer
}

fn given_up_half_way(flavor: Flavor) {
    let Some(lab) = single(flavor) else { return };
    let rows: Vec<_> = (0..200).map(|id| format!("({id}, 0)")).collect();
    for (table, engine) in [("half", "MyISAM"), ("whole", "InnoDB")] {
        let text = format!(
            "CREATE TABLE shop.{table} (id INT PRIMARY KEY, n INT) ENGINE = {engine}; \
             INSERT INTO shop.{table} VALUES {}",
            rows.join(", ")
        );
        lab.blue().sql(&text).unwrap();
    }
    let most = |table: &str| lab.blue().sql(&format!("SELECT MAX(n) FROM shop.{table}")).unwrap();
    for table in ["half", "whole"] {
        let answer =
            given_up(&lab, Preload::Preloaded, &[], &format!("UPDATE {table} SET n = n + 1 + 0 * SLEEP(0.05)"));
        assert!(answer.starts_with("error 2013 "), "{flavor:?}: {answer}");
        assert!(["0", "1"].contains(&most(table).as_str()), "{flavor:?}: {table}: rows were changed twice");
    }
    // It has committed what was open, and is given up then.
    let begun = ["query 0 BEGIN", "query 0 INSERT INTO orders (worker, seq) VALUES (1, 1)"];
    let answer = given_up(&lab, Preload::Preloaded, &begun, "CREATE TABLE made AS SELECT id, SLEEP(0.05) FROM whole");
    assert!(answer.starts_with("error 20"), "{flavor:?}: {answer}");
    assert_eq!(lab.blue().sql("SELECT COUNT(*) FROM shop.orders").unwrap(), "1", "{flavor:?}");
}

#[test]
fn what_a_server_gave_up_half_way_when_it_shut_down_is_not_run_again_on_mariadb() {
    given_up_half_way(Flavor::MariaDb);
}

#[test]
fn what_a_server_gave_up_half_way_when_it_shut_down_is_not_run_again_on_mysql() {
    given_up_half_way(Flavor::MySql);
}
