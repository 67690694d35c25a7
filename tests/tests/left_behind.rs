//! What a statement left on a connection can be asked for on that connection, whatever was before it: the answers are those
//! without the library.

use pointsman_lab::{ENDPOINT, Flavor, Lab};
use pointsman_tests::{
    dialogue::{Dialogue, Driver},
    run::Preload,
    single,
};

fn start(lab: &Lab, preload: Preload) -> Dialogue {
    let flavor = lab.blue().flavor();
    let mut client = Dialogue::with(lab, Driver::LibMariaDb, preload, |command| {
        if flavor == Flavor::MySql {
            command.env("CLIENT_CA", lab.ca_path());
        }
    });
    for handle in [0, 1] {
        assert_eq!(client.connect(handle, ENDPOINT), "ok");
        assert!(
            client.ask(&format!("query {handle} INSERT INTO orders (worker, seq) VALUES (0, 0)")).starts_with("ok")
        );
    }
    client
}

/// Each a statement, and the questions for what it left.
const LEFT: &[&[&str]] = &[
    &["DROP TABLE IF EXISTS missing", "SHOW WARNINGS", "SHOW WARNINGS", "SELECT @@warning_count"],
    &["SELECT CAST('x' AS SIGNED)", "SHOW WARNINGS"],
    &["INSERT INTO orders (id, worker, seq) VALUES (1, 0, 0)", "SELECT ROW_COUNT()", "SHOW ERRORS"],
    &["SELECT FROM WHERE", "SHOW WARNINGS"],
    &["UPDATE orders SET seq = 1 WHERE id = 1", "SELECT ROW_COUNT()"],
    &["INSERT IGNORE INTO orders (id, worker, seq) VALUES (1, 0, 0)", "SHOW COUNT(*) WARNINGS"],
    &["WITH c AS (SELECT 1 AS n UNION SELECT 2) SELECT n FROM c", "SELECT FOUND_ROWS()"],
    &["(SELECT 1) UNION (SELECT 2)", "SELECT FOUND_ROWS()"],
];

/// `disturb` comes before each statement: the connection of handle 0 is not the one of the statement before, or is asked a
/// question of ours.
fn asked_on_its_own_connection(flavor: Flavor, disturb: impl Fn(&Lab, &mut Dialogue)) {
    let Some(lab) = single(flavor) else { return };
    let [bare, preloaded] = [Preload::Bare, Preload::Preloaded].map(|preload| {
        lab.blue().sql("TRUNCATE shop.orders").unwrap();
        let mut client = start(&lab, preload);
        let mut answers = vec![];
        for texts in LEFT {
            if preload == Preload::Preloaded {
                disturb(&lab, &mut client);
            }
            answers.extend(texts.iter().map(|text| format!("{text}: {}", client.query(text))));
        }
        println!("{}", client.stderr());
        answers
    });
    assert_eq!(preloaded, bare, "preloaded (left) is not as bare (right)");
}

fn killed_while_idle(lab: &Lab, client: &mut Dialogue) {
    let answer = client.query("SELECT CONNECTION_ID()");
    let id = answer.strip_prefix("rows ").unwrap_or_else(|| panic!("{answer}; {}", client.stderr()));
    lab.blue().sql(&format!("KILL {id}")).unwrap();
    assert_eq!(client.ask("gone 0"), "gone");
}

/// Another connection of the process, which is pinned, is lost under a statement: the endpoint is in doubt.
fn another_is_killed(lab: &Lab, client: &mut Dialogue) {
    client.ask("close 1");
    assert_eq!(client.connect(1, ENDPOINT), "ok");
    assert!(client.ask("query 1 CREATE TEMPORARY TABLE scratch (n INT)").starts_with("ok"));
    let id = client.ask("id 1");
    lab.blue().sql(&format!("KILL {id}")).unwrap();
    assert_eq!(client.ask("gone 1"), "gone");
    assert!(client.ask("query 1 SELECT 1").starts_with("error 20"));
}

#[test]
fn what_a_statement_left_on_a_connection_that_was_replaced_before_it_can_be_asked_for_on_mariadb() {
    asked_on_its_own_connection(Flavor::MariaDb, killed_while_idle);
}

#[test]
fn what_a_statement_left_on_a_connection_that_was_replaced_before_it_can_be_asked_for_on_mysql() {
    asked_on_its_own_connection(Flavor::MySql, killed_while_idle);
}

#[test]
fn what_a_statement_left_can_be_asked_for_while_another_connection_is_in_doubt_on_mariadb() {
    asked_on_its_own_connection(Flavor::MariaDb, another_is_killed);
}

#[test]
fn what_a_statement_left_can_be_asked_for_while_another_connection_is_in_doubt_on_mysql() {
    asked_on_its_own_connection(Flavor::MySql, another_is_killed);
}

/// Of MariaDB: 4031 is an error of CREATE TRIGGER there.
#[test]
fn a_trigger_that_follows_none_is_the_applications_own_error() {
    let Some(lab) = single(Flavor::MariaDb) else { return };
    lab.blue().sql("GRANT TRIGGER ON shop.* TO app@'%'; SET GLOBAL log_bin_trust_function_creators = 1").unwrap();
    let mut client = start(&lab, Preload::Preloaded);
    let text = "CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW FOLLOWS wait_timeout SET @a = 1";
    let answer = client.query(text);
    assert!(answer.starts_with("error 4031 "), "{answer}");
    assert_eq!(client.counter("suspects"), 0, "{}", client.stderr());
    assert_eq!(client.counter("reruns"), 0);
}
