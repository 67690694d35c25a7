//! An error that is the application's own reaches it as it is, and nobody is held for it.

use pointsman_lab::{ENDPOINT, Flavor, Lab, Server};
use pointsman_tests::{
    Shared, USER,
    dialogue::{Dialogue, Driver},
    pair,
    run::Preload,
    single, wait_for,
};

static MARIADB: Shared = Shared::new();
static MYSQL: Shared = Shared::new();

/// Blue and a read-only green.
fn mariadb() -> Option<&'static Lab> {
    MARIADB.get(|| pair(Flavor::MariaDb))
}

fn mysql() -> Option<&'static Lab> {
    MYSQL.get(|| {
        let lab = single(Flavor::MySql)?;
        lab.blue().sql(&format!("GRANT FILE ON *.* TO {USER}@'%'")).unwrap();
        Some(lab)
    })
}

fn start(lab: &Lab, preload: Preload) -> Dialogue {
    let flavor = lab.blue().flavor();
    Dialogue::with(lab, Driver::LibMariaDb, preload, |command| {
        if flavor == Flavor::MySql {
            // Its default authentication insists on TLS.
            command.env("CLIENT_CA", lab.ca_path());
        }
    })
}

/// Nobody waited for a writer, searched for one or touched a connection.
fn assert_left_alone(client: &mut Dialogue) {
    for counter in ["suspects", "holds", "held_ms", "moves", "reruns", "replays", "victims", "failed_open"] {
        assert_eq!(client.counter(counter), 0, "{counter}; {}", client.stderr());
    }
    let log = client.log();
    assert!(!log.iter().any(|line| line.contains("holding") || line.contains("candidate")), "{log:?}");
}

/// The answers to `commands` on a connection to `host`, which are the same without and with the library. The latter is
/// protected if `host` is a writer, and leaves the connection alone.
fn answers(lab: &Lab, host: &str, commands: &[&str]) -> Vec<String> {
    let [bare, preloaded] = [Preload::Bare, Preload::Preloaded].map(|preload| {
        let mut client = start(lab, preload);
        assert_eq!(client.connect(0, host), "ok");
        let answers = client.all(commands);
        if preload == Preload::Preloaded {
            assert_eq!(client.counter("protected_connections"), 1);
            assert_left_alone(&mut client);
        }
        answers
    });
    assert_eq!(preloaded, bare, "preloaded (left) is not as bare (right)");
    preloaded
}

#[track_caller]
fn assert_error(answer: &str, number: u32, sqlstate: &str) {
    assert!(answer.starts_with(&format!("error {number} {sqlstate} ")), "not {number} {sqlstate}: {answer}");
}

/// Mistakes in statements, on a table that the application makes.
fn ordinary_errors(lab: &Lab) {
    let answers = answers(
        lab,
        ENDPOINT,
        &[
            "query 0 DROP TABLE IF EXISTS ordinary",
            "query 0 CREATE TABLE ordinary (id INT PRIMARY KEY)",
            "query 0 INSERT INTO ordinary VALUES (1)",
            "query 0 INSERT INTO ordinary VALUES (2), (1)",
            "query 0 INSRT INTO ordinary VALUES (3)",
            "query 0 INSERT INTO missing VALUES (3)",
            "query 0 START TRANSACTION READ ONLY",
            "query 0 INSERT INTO ordinary VALUES (4)",
            "query 0 SELECT COUNT(*) FROM ordinary",
            "query 0 COMMIT",
            "query 0 BEGIN",
            "query 0 INSERT INTO ordinary VALUES (5)",
            "query 0 INSERT INTO ordinary VALUES (1)",
            "query 0 INSRT",
            "query 0 COMMIT",
            "query 0 SELECT id FROM ordinary",
        ],
    );
    let of = |statement: usize| &answers[statement];
    assert_error(of(3), 1062, "23000");
    assert_error(of(4), 1064, "42000");
    assert_error(of(5), 1146, "42S02");
    assert_error(of(7), 1792, "25006");
    assert_eq!(of(8), "rows 1");
    assert_error(of(12), 1062, "23000");
    assert_error(of(13), 1064, "42000");
    assert_eq!(of(15), "rows 1;5");
}

#[test]
fn ordinary_errors_on_mariadb_reach_the_application_as_they_are_and_hold_nobody() {
    mariadb().map(ordinary_errors);
}

#[test]
fn ordinary_errors_on_mysql_reach_the_application_as_they_are_and_hold_nobody() {
    mysql().map(ordinary_errors);
}

#[test]
fn error_1290_for_secure_file_priv_on_mysql_is_the_applications_own() {
    let Some(lab) = mysql() else { return };
    let answers = answers(lab, ENDPOINT, &["query 0 SELECT 1 INTO OUTFILE '/tmp/pointsman-test'", "query 0 SELECT 1"]);
    assert_error(&answers[0], 1290, "HY000");
    assert!(answers[0].contains("--secure-file-priv"), "{answers:?}");
    assert_eq!(answers[1], "rows 1");
}

#[test]
fn error_1290_for_another_option_on_mariadb_is_the_applications_own() {
    let Some(lab) = mariadb() else { return };
    for option in ["--skip-grant-tables", "--secure-file-priv", "--event-scheduler=DISABLED"] {
        let signal = format!(
            "query 0 SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290, MESSAGE_TEXT = \
            'The MariaDB server is running with the {option} option so it cannot execute this statement'"
        );
        let answers = answers(lab, ENDPOINT, &[&signal, "query 0 BEGIN", &signal, "query 0 ROLLBACK"]);
        for answer in [&answers[0], &answers[2]] {
            assert_error(answer, 1290, "HY000");
            assert!(answer.contains(option), "{answer}");
        }
    }
}

#[test]
fn error_1290_of_an_endpoint_that_was_never_writable_reaches_the_application_and_holds_nobody() {
    let Some(lab) = mariadb() else { return };
    lab.dns().set("replica.lab.test", &[lab.green().ip()], 1).unwrap();
    let insert = "query 0 INSERT INTO orders (worker, seq) VALUES (1, 1)";
    let answers = answers(
        lab,
        "replica.lab.test",
        &[insert, insert, "query 0 BEGIN", insert, "query 0 COMMIT", "query 0 SELECT @@read_only"],
    );
    for number in [0, 1, 3] {
        assert_error(&answers[number], 1290, "HY000");
    }
    assert_eq!(answers[4..], ["ok 0", "rows 1"]);
}

#[test]
fn a_reader_by_its_name_is_never_held_even_if_it_was_writable_once() {
    // Its server turns read-only: not the shared one.
    let Some(lab) = single(Flavor::MariaDb) else { return };
    lab.dns().set("shop.cluster-ro-1.lab.test", &[lab.blue().ip()], 1).unwrap();
    let mut client = start(&lab, Preload::Preloaded);
    assert_eq!(client.connect(0, "shop.cluster-ro-1.lab.test"), "ok");
    let insert = "INSERT INTO orders (worker, seq) VALUES (1, 1)";
    assert_eq!(client.query(insert), "ok 1");
    lab.blue().set_read_only(true).unwrap();
    assert_error(&client.query(insert), 1290, "HY000");
    assert_left_alone(&mut client);
}

/// Waits until a transaction waits for a lock.
fn wait_for_lock_wait(server: &Server) {
    let waiting = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
    wait_for("a transaction to wait for a lock", || server.sql(waiting).unwrap() == "1");
}

/// Two transactions in each other's way; the answers of the one under test, which the server picks as the victim because
/// the other one has changed more rows.
fn locked_out(lab: &Lab, preload: Preload, table: &str) -> Vec<String> {
    let server = lab.blue();
    let rows: String = (1..=60).map(|id| format!("({id}, 0),")).collect();
    // The row between keeps a lock on the range of the first ones off the last one.
    let fill = format!("INSERT INTO shop.{table} VALUES {rows} (500, 0), (1000, 0)");
    server.sql(&format!("CREATE TABLE shop.{table} (id INT PRIMARY KEY, value INT); {fill}")).unwrap();
    let mut rival = start(lab, Preload::Bare);
    let mut client = start(lab, preload);
    assert_eq!([rival.connect(0, ENDPOINT), client.connect(0, ENDPOINT)], ["ok", "ok"]);
    let mut answers = Vec::new();

    assert_eq!(
        rival.all(&["query 0 BEGIN", &format!("query 0 UPDATE {table} SET value = 1 WHERE id < 100")])[1],
        "ok 60"
    );
    answers.push(client.query("SET innodb_lock_wait_timeout = 1"));
    answers.push(client.query("BEGIN"));
    assert_eq!(client.query(&format!("UPDATE {table} SET value = 2 WHERE id = 1000")), "ok 1");
    // 1205: the statement is rolled back, the transaction lives on.
    answers.push(client.query(&format!("UPDATE {table} SET value = 2 WHERE id = 1")));
    answers.push(client.query(&format!("SELECT value FROM {table} WHERE id = 1000")));
    // 1213: the transaction is rolled back.
    answers.push(client.query("SET innodb_lock_wait_timeout = 50"));
    client.tell(&format!("query 0 UPDATE {table} SET value = 2 WHERE id = 1"));
    wait_for_lock_wait(server);
    rival.tell(&format!("query 0 UPDATE {table} SET value = 1 WHERE id = 1000"));
    answers.push(client.answer());
    assert_eq!(rival.answer(), "ok 1");
    answers.push(client.query(&format!("SELECT value FROM {table} WHERE id = 1000")));
    answers.push(client.query("SELECT CONNECTION_ID()").replace(&client.ask("id 0"), "the same"));
    assert_eq!(rival.query("COMMIT"), "ok 0");
    if preload == Preload::Preloaded {
        assert_left_alone(&mut client);
    }
    answers
}

fn lock_errors(lab: &Lab) {
    let answers = locked_out(lab, Preload::Preloaded, "locks_preloaded");
    assert_error(&answers[2], 1205, "HY000");
    assert_eq!(answers[3], "rows 2");
    assert_error(&answers[5], 1213, "40001");
    assert_eq!(answers[6..], ["rows 0", "rows the same"]);
    assert_eq!(answers, locked_out(lab, Preload::Bare, "locks_bare"), "preloaded (left) is not as bare (right)");
}

#[test]
fn a_deadlock_and_a_lock_wait_timeout_on_mariadb_reach_the_application_as_they_are_and_hold_nobody() {
    mariadb().map(lock_errors);
}

#[test]
fn a_deadlock_and_a_lock_wait_timeout_on_mysql_reach_the_application_as_they_are_and_hold_nobody() {
    mysql().map(lock_errors);
}
