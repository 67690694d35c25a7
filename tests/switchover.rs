//! Unchanged programs ride through a switchover.

use std::time::Duration;

use pointsman_lab::{Flavor, Lab, RunningWorkload, Scenario, Side, Verdict, Workload, WorkloadOptions};
use pointsman_tests::{library, pair};

const OUTAGE: Duration = Duration::from_millis(1500);
const DNS_LAG: Duration = Duration::from_millis(1000);
const WORKERS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(30);

fn protected(flavor: Flavor) -> WorkloadOptions {
    let mut options = WorkloadOptions::default().threads(WORKERS).preload(library());
    // MySQL insists on TLS for its default authentication; the server's name is verified too.
    options.tls = flavor == Flavor::MySql;
    options
}

/// Runs the scenario under the workload and judges by what is on `writer` in the end.
fn run(lab: &Lab, running: RunningWorkload, scenario: &Scenario, writer: Side) -> Verdict {
    running.wait_for_every_worker(PATIENCE, WORKERS).unwrap();
    running.wait_for_writes(PATIENCE, 60).unwrap();
    let timeline = scenario.run(lab, &mut |_| {}).unwrap();
    let resumed = running.wait_for_every_worker(PATIENCE, WORKERS);
    println!("{timeline}\nstderr of the program:\n{}", running.stderr());
    resumed.unwrap();
    let verdict = running.stop().unwrap().check(lab.server(writer)).unwrap();
    println!("{verdict}\n{}", scenario.stall(&timeline, &verdict));
    verdict
}

fn rides_through(flavor: Flavor, workload: Workload) {
    let Some(lab) = pair(flavor) else { return };
    let running = workload.start(&lab, protected(flavor)).unwrap();
    let verdict = run(&lab, running, &Scenario::read_only(OUTAGE, DNS_LAG), Side::Green);
    assert!(verdict.is_spotless(), "{verdict}");
}

macro_rules! rides {
    ($($name:ident: $flavor:ident, $workload:ident;)*) => {$(
        #[test]
        fn $name() {
            rides_through(Flavor::$flavor, Workload::$workload);
        }
    )*};
}

rides! {
    mysql2_on_mariadb_sees_a_pause_and_no_error: MariaDb, Mysql2;
    activerecord_on_mariadb_sees_a_pause_and_no_error: MariaDb, ActiveRecord;
    mysqldb_on_mariadb_sees_a_pause_and_no_error: MariaDb, MySqlDb;
    libmariadb_on_mariadb_sees_a_pause_and_no_error: MariaDb, LibMariaDb;
    dbd_on_mariadb_sees_a_pause_and_no_error: MariaDb, Dbd;
    libmysqlclient_on_mariadb_sees_a_pause_and_no_error: MariaDb, LibMySqlClient;
    mysql2_on_mysql_sees_a_pause_and_no_error: MySql, Mysql2;
    activerecord_on_mysql_sees_a_pause_and_no_error: MySql, ActiveRecord;
    mysqldb_on_mysql_sees_a_pause_and_no_error: MySql, MySqlDb;
    libmariadb_on_mysql_sees_a_pause_and_no_error: MySql, LibMariaDb;
    dbd_on_mysql_sees_a_pause_and_no_error: MySql, Dbd;
    libmysqlclient_on_mysql_sees_a_pause_and_no_error: MySql, LibMySqlClient;
}

fn follows_a_rollback(flavor: Flavor, workload: Workload) {
    let Some(lab) = pair(flavor) else { return };
    let running = workload.start(&lab, protected(flavor)).unwrap();
    let verdict = run(&lab, running, &Scenario::rollback(OUTAGE), Side::Blue);
    assert!(verdict.is_spotless(), "{verdict}");
}

#[test]
fn the_old_writer_coming_back_writable_is_followed_on_mariadb() {
    follows_a_rollback(Flavor::MariaDb, Workload::MySqlDb);
}

#[test]
fn the_old_writer_coming_back_writable_is_followed_on_mysql() {
    follows_a_rollback(Flavor::MySql, Workload::Mysql2);
}

fn fails_open(flavor: Flavor, workload: Workload) {
    let Some(lab) = pair(flavor) else { return };
    let options = protected(flavor).env("POINTSMAN_HOLD_MAX", "1s");
    let running = workload.start(&lab, options).unwrap();
    let verdict = run(&lab, running, &Scenario::never(Duration::from_secs(4)), Side::Green);
    assert_eq!(verdict.errors.keys().collect::<Vec<_>>(), [&1290], "{verdict}");
    // Held for 1 s each, four workers could not have failed more than four times three times.
    assert!(verdict.failed > 12, "after failing open, statements are not held again: {verdict}");
    assert!(verdict.is_consistent(), "{verdict}");
    assert_eq!(verdict.unacknowledged_present, [], "{verdict}");
}

#[test]
fn without_a_writer_every_caller_gets_its_original_error_after_hold_max_and_none_is_held_again_on_mariadb() {
    fails_open(Flavor::MariaDb, Workload::Mysql2);
}

#[test]
fn without_a_writer_every_caller_gets_its_original_error_after_hold_max_and_none_is_held_again_on_mysql() {
    fails_open(Flavor::MySql, Workload::LibMySqlClient);
}
