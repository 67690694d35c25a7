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
