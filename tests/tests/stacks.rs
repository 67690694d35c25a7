//! What is done for an application is done on the application's stack, which may be small.

use pointsman_lab::{ENDPOINT, Flavor, Lab, Side};
use pointsman_tests::{
    dialogue::{Dialogue, Driver},
    pair,
    run::Preload,
    stage::Stage,
    switch, wait_for, with_table,
};

/// The stack of the one thread that does everything, in KiB.
const SMALL: u64 = 64;
/// What all of ours together may take of it, in bytes.
const OURS: u64 = 24 * 1024;

/// The bytes that its connect took, and those of ordinary work.
fn ordinary_work(client: &mut Dialogue) -> [u64; 2] {
    let connect = used(client);
    for (command, answer) in [
        ("query 0 SET @a = 1, time_zone = '+05:00'", "ok 0"),
        ("prepare 0 INSERT INTO t (v) VALUES (?)", "ok"),
        ("bind 0", "ok"),
        ("set 0 0 x", "ok"),
        ("run 0", "ok 1 1"),
        ("query 0 SELECT v FROM t", "rows x"),
    ] {
        assert_eq!(client.ask(command), answer, "{command}; {}", client.stderr());
    }
    [connect, used(client)]
}

fn used(client: &mut Dialogue) -> u64 {
    client.ask("stack").parse().unwrap()
}

fn with_a_small_stack(lab: &Lab, driver: Driver, preload: Preload) -> Dialogue {
    let mut client = Dialogue::with(lab, driver, preload, |command| {
        command.env("CLIENT_STACK", SMALL.to_string());
        if lab.blue().flavor() == Flavor::MySql && driver == Driver::LibMySqlClient {
            command.env("CLIENT_CA", lab.ca_path());
        }
    });
    assert_eq!(client.connect(0, ENDPOINT), "ok", "{}", client.stderr());
    client
}

/// A move before a statement, a hold, a transaction that is replayed, prepared statements that go along, an error.
fn trouble(stage: &mut Stage<'_>) -> u64 {
    stage.loses(0);
    stage.expect("run 0", "ok 1 2");
    stage.expect_all(&[("query 0 START TRANSACTION", "ok 0"), ("run 0", "ok 1 3")]);
    stage.expect("query 0 SELECT COUNT(*) FROM t", "rows 3");
    stage.lab.blue().set_read_only(true).unwrap();
    stage.client.tell("query 0 INSERT INTO t (v) VALUES ('held')");
    wait_for("a hold", || stage.client.stderr().contains("holding statements"));
    switch(stage.lab);
    assert_eq!(stage.client.answer(), "ok 1", "{}", stage.client.stderr());
    stage.expect_all(&[("query 0 COMMIT", "ok 0"), ("query 0 SELECT @a, @@time_zone", "rows 1|+05:00")]);
    stage.is_on("query 0", Side::Green);
    stage.fails("query 0 no statement", &[1064]);
    assert!(stage.client.counter("replays") > 0 && stage.client.counter("holds") > 0);
    used(&mut stage.client)
}

#[test]
fn a_stack_of_64_kib_is_enough_for_everything_that_we_do() {
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        for driver in [Driver::LibMariaDb, Driver::LibMySqlClient].into_iter().filter(|driver| driver.is_available()) {
            let Some(lab) = pair(flavor) else { return };
            with_table(&lab);
            let bare = ordinary_work(&mut with_a_small_stack(&lab, driver, Preload::Bare));
            lab.blue().sql("TRUNCATE shop.t").unwrap();
            let client = with_a_small_stack(&lab, driver, Preload::Preloaded);
            let mut stage = Stage { lab: &lab, driver, client };
            let calm = ordinary_work(&mut stage.client);
            let troubled = trouble(&mut stage);
            println!(
                "{driver:?} on {flavor}: connect and work {bare:?} bare, {calm:?} preloaded; {troubled} in trouble"
            );
            let ours =
                [calm[0].saturating_sub(bare[0]), calm[1].saturating_sub(bare[1]), troubled.saturating_sub(bare[1])];
            assert!(ours.into_iter().all(|bytes| bytes < OURS), "{ours:?}");
        }
    }
}
