//! Results that are already being read: what is stored stays, and what is cut off ends in an error, never in a silent end.

use pointsman_lab::{ENDPOINT, Flavor};
use pointsman_tests::{
    Shared,
    dialogue::{Dialogue, Driver},
    pair,
    proxy::Proxy,
    stage::protected,
    switch,
};

static LABS: [Shared; 2] = [Shared::new(), Shared::new()];

const BOTH: [Driver; 2] = [Driver::LibMariaDb, Driver::LibMySqlClient];
const FLAVORS: [Flavor; 2] = [Flavor::MariaDb, Flavor::MySql];

/// More than fits into the buffers on the way; each row tells its number.
const ROWS: u32 = 900;
const MANY: &str = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 900) \
                    SELECT n, t, t, t, t, t, t, t FROM r, (SELECT REPEAT('x', 4000) AS t) AS text";

/// A protected application on a server behind a proxy. Nobody in here changes which server is the writer.
fn behind_a_proxy(test: &str, mut prove: impl FnMut(&mut Dialogue, &Proxy)) {
    for (flavor, lab) in FLAVORS.into_iter().zip(&LABS) {
        let Some(lab) = lab.get(|| pair(flavor)) else { return };
        for driver in BOTH.into_iter().filter(|driver| driver.is_available()) {
            println!("{driver:?} on {flavor}");
            let name = format!("{test}-{driver:?}.lab.test").to_lowercase();
            let proxy = Proxy::start(lab, &name, lab.blue().address());
            let mut client = protected(lab, driver, |_| {});
            assert_eq!(client.connect(0, &name), "ok", "{}", client.stderr());
            prove(&mut client, &proxy);
        }
    }
}

/// Rows, from this one on, until there are none; says how many there were in all, and what came instead of the next.
fn fetch_from(first: u32, client: &mut Dialogue, command: &str) -> (u32, String) {
    let mut next = first;
    loop {
        let answer = client.ask(command);
        if !answer.starts_with(&format!("row {next}|")) {
            assert!(!answer.starts_with("row"), "a row that was not to come: {answer:.20}");
            return (next - 1, answer);
        }
        next += 1;
    }
}

#[track_caller]
fn assert_lost(answer: &str) {
    let lost = ["2006", "2013", "2026"].iter().any(|number| answer.starts_with(&format!("error {number} ")));
    assert!(lost, "not told that the rows were cut off: {answer:.200}");
}

#[test]
fn rows_that_are_cut_off_while_they_are_read_end_in_an_error() {
    behind_a_proxy("rows", |client, proxy| {
        assert!(client.ask(&format!("stream 0 {MANY}")).starts_with("row 1|"));
        proxy.hang_up();
        let (rows, last) = fetch_from(2, client, "fetch_row 0");
        assert!(rows < ROWS);
        assert_lost(&last);
        assert_ne!(client.ask("errno 0"), "0");
        assert_lost(&client.ask("fetch_row 0"));
        assert_eq!(client.ask("free_result 0"), "freed");
        assert_eq!(client.query("SELECT 1"), "rows 1", "{}", client.stderr());
    });
}

#[test]
fn rows_of_a_prepared_statement_that_are_cut_off_while_they_are_fetched_end_in_an_error() {
    behind_a_proxy("fetched", |client, proxy| {
        assert_eq!(client.ask(&format!("prepare 0 {MANY}")), "ok");
        assert_eq!(client.ask("execute 0"), "rows");
        proxy.hang_up();
        let (rows, last) = fetch_from(1, client, "fetch 0");
        assert!(rows < ROWS);
        // libmariadb has its number on the handle only.
        assert!(last.starts_with("error "), "{last:.80}");
        assert_eq!(client.ask("errno 0"), "2013");
        assert_eq!(client.query("SELECT 1"), "rows 1", "{}", client.stderr());
        // The statement is as good as new.
        assert_eq!(client.ask("execute 0"), "rows", "{}", client.stderr());
        assert_eq!(fetch_from(1, client, "fetch 0"), (ROWS, "end".to_owned()));
    });
}

/// Whatever else the application does meanwhile, the rest of its rows must not seem to be no rows.
#[test]
fn a_stream_is_never_ended_silently_by_what_is_called_in_the_middle_of_it() {
    for (number, command) in MEANWHILE.iter().enumerate() {
        behind_a_proxy(&format!("middle{number}"), |client, proxy| {
            assert_eq!(client.ask("prepare 5 SELECT 5"), "ok");
            assert!(client.ask(&format!("stream 0 {MANY}")).starts_with("row 1|"));
            proxy.hang_up();
            let answer = client.ask(command);
            let (rows, last) = fetch_from(2, client, "fetch_row 0");
            assert!(rows < ROWS);
            assert!(last.starts_with("error "), "{command}: {answer}, then {last:.80}; {}", client.stderr());
        });
    }
}

const MEANWHILE: [&str; 13] = [
    "query 0 INSERT INTO orders (worker, seq) VALUES (1, 1)",
    "ping 0",
    "stat 0",
    "select_db 0 shop",
    "autocommit 0 1",
    "commit 0",
    "character_set 0 utf8mb4",
    "server_option 0 0",
    "reset_connection 0",
    "change_user 0 app app shop",
    "prepare 6 SELECT 6",
    "run 5",
    "next 0",
];

#[test]
fn a_stored_result_is_read_on_behind_a_move() {
    for flavor in FLAVORS {
        for driver in BOTH.into_iter().filter(|driver| driver.is_available()) {
            let Some(lab) = pair(flavor) else { return };
            let mut client = protected(&lab, driver, |_| {});
            assert_eq!(client.connect(0, ENDPOINT), "ok");
            let three = "(SELECT 'one' AS w UNION ALL SELECT 'two' UNION ALL SELECT 'three') AS t";
            assert_eq!(client.ask(&format!("keep 0 SELECT w, @@server_id FROM {three}")), "kept");
            let here = client.query("SELECT @@server_id").replace("rows ", "");
            assert_eq!(client.ask("fetch_row 0"), format!("row one|{here}"));
            switch(&lab);
            assert_eq!(client.query("INSERT INTO orders (worker, seq) VALUES (1, 1)"), "ok 1", "{}", client.stderr());
            assert_ne!(client.query("SELECT @@server_id"), format!("rows {here}"));
            assert_eq!(client.ask("fetch_row 0"), format!("row two|{here}"));
            assert_eq!(client.ask("fetch_row 0"), format!("row three|{here}"));
            assert_eq!(client.ask("fetch_row 0"), "end");
            assert_eq!(client.ask("free_result 0"), "freed");
        }
    }
}
