//! From one family of servers to the other: MariaDB is left for MySQL, without replication between them. Each has the
//! account, with the authentication and the collation that are its own default.

use std::time::Duration;

use pointsman_lab::{Action, ENDPOINT, Flavor, Lab, Scenario, Workload, WorkloadOptions};
use pointsman_tests::{library, puppet::Puppet, strangers};

const OUTAGE: Duration = Duration::from_millis(700);
const DNS_LAG: Duration = Duration::from_millis(500);
const WORKERS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(30);

fn rides_from_mariadb_to_mysql(workload: Workload) {
    let Some(lab) = strangers(Flavor::MariaDb, Flavor::MySql) else { return };
    // What MySQL's account needs; MariaDB has the same certificate.
    let mut options = WorkloadOptions::default().threads(WORKERS).preload(library()).tls();
    // What was written to blue is not on green: who reads it there finds nothing.
    options.read_every = u32::MAX;
    let running = workload.start(&lab, options).unwrap();
    running.wait_for_every_worker(PATIENCE, WORKERS).unwrap();
    running.wait_for_writes(PATIENCE, 60).unwrap();

    let mut scenario = Scenario::read_only(OUTAGE, DNS_LAG);
    scenario.steps.retain(|step| !matches!(step.what, Action::CatchUp(_) | Action::StopReplication(_)));
    let timeline = scenario.run(&lab, &mut |_| {}).unwrap();
    let count = || lab.blue().sql("SELECT COUNT(*) FROM shop.orders").unwrap();
    let on_blue = count();
    let resumed = running.wait_for_every_worker(PATIENCE, WORKERS);
    println!("{timeline}\nstderr of the program:\n{}", running.stderr());
    resumed.unwrap();

    let audit = running.stop().unwrap().check_across(&[lab.blue(), lab.green()]).unwrap();
    println!("{audit}\n{}", scenario.stall(&timeline, &audit));
    assert!(audit.is_spotless(), "{audit}");
    assert_eq!(count(), on_blue, "nothing was written to blue after the switch");
}

#[test]
fn mysql2_rides_from_mariadb_to_mysql_and_every_write_is_on_exactly_one_of_them() {
    rides_from_mariadb_to_mysql(Workload::Mysql2);
}

#[test]
fn mysqldb_rides_from_mariadb_to_mysql_and_every_write_is_on_exactly_one_of_them() {
    rides_from_mariadb_to_mysql(Workload::MySqlDb);
}

/// A switchover without an outage, and without replication.
fn switch(lab: &Lab) {
    lab.blue().set_read_only(true).unwrap();
    lab.green().set_read_only(false).unwrap();
    lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
}

fn program(lab: &Lab) -> Puppet {
    let options = lab.tls_options_path();
    Puppet::start(lab, &[("LAB_TLS_OPTIONS", options.to_str().unwrap())])
}

#[test]
fn a_session_of_what_both_families_know_is_the_same_on_the_other_family() {
    let Some(lab) = strangers(Flavor::MariaDb, Flavor::MySql) else { return };
    let mut program = program(&lab);
    program.connect("app");
    program.query("app", "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci");
    program.query("app", "SET @a = 5, time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'");
    let session = "SELECT @@collation_connection, @@character_set_results, @@time_zone, @@sql_mode, @@autocommit, @a";
    let before = program.query("app", session);
    switch(&lab);
    assert_eq!(program.query("app", "INSERT INTO orders (worker, seq) VALUES (0, 1)"), "ok (1, 1)");
    assert!(program.query("app", "SELECT @@version").starts_with("ok (('9."));
    assert_eq!(program.query("app", session), before);
}

#[test]
fn no_statement_runs_in_a_session_that_the_other_family_cannot_have() {
    let Some(lab) = strangers(Flavor::MariaDb, Flavor::MySql) else { return };
    let mut program = program(&lab);
    for (name, state) in [
        // Moves first, and finds the writer.
        ("finder", "SET NAMES utf8mb4 COLLATE utf8mb4_uca1400_ai_ci"),
        // The same and another reason, when the writer is known.
        ("collation", "SET NAMES utf8mb4 COLLATE utf8mb4_uca1400_ai_ci"),
        ("mode", "SET sql_mode = 'STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER'"),
    ] {
        program.connect(name);
        assert_eq!(program.query(name, state), "ok (0, 0)");
    }
    switch(&lab);
    let mut answers = vec![];
    for name in ["finder", "collation", "mode"] {
        answers.push((name, program.query(name, "INSERT INTO orders (worker, seq) VALUES (0, 1)")));
    }
    println!("{answers:?}\n{}", program.stderr());
    let lost = |answer: &str| ["error 1290 ", "error 2006 ", "error 2013 "].iter().any(|loss| answer.starts_with(loss));
    assert!(answers.iter().all(|(_, answer)| lost(answer)), "{answers:?}");
    assert_eq!(lab.green().sql("SELECT COUNT(*) FROM shop.orders").unwrap(), "0");
}
