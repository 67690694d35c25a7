//! What AWS and the world do to a writer, besides a polite read-only switchover.

use std::time::Duration;

use pointsman_lab::{Flavor, Scenario, Side, Verdict, Workload, WorkloadOptions};
use pointsman_tests::{library, pair};

const OUTAGE: Duration = Duration::from_millis(1500);
const DNS_LAG: Duration = Duration::from_millis(1000);
const WORKERS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(30);

fn survives(flavor: Flavor, workload: Workload, scenario: &Scenario, writer: Side) -> Option<Verdict> {
    let lab = pair(flavor)?;
    let mut options = WorkloadOptions::default().threads(WORKERS).preload(library());
    options.tls = flavor == Flavor::MySql;
    let running = workload.start(&lab, options).unwrap();
    running.wait_for_every_worker(PATIENCE, WORKERS).unwrap();
    running.wait_for_writes(PATIENCE, 60).unwrap();
    let timeline = scenario.run(&lab, &mut |_| {}).unwrap();
    let resumed = running.wait_for_every_worker(PATIENCE, WORKERS);
    println!("{timeline}\nstderr of the program:\n{}", running.stderr());
    resumed.unwrap();
    let verdict = running.stop().unwrap().check(lab.server(writer)).unwrap();
    println!("{verdict}");
    Some(verdict)
}

macro_rules! spotless {
    ($($name:ident: $scenario:expr, $writer:ident;)*) => {$(
        mod $name {
            use super::*;
            fn check(flavor: Flavor, workload: Workload) {
                if let Some(verdict) = survives(flavor, workload, &$scenario, Side::$writer) {
                    assert!(verdict.is_spotless(), "{verdict}");
                }
            }
            #[test]
            fn mysql2_on_mariadb_sees_no_error() { check(Flavor::MariaDb, Workload::Mysql2); }
            #[test]
            fn mysqldb_on_mariadb_sees_no_error() { check(Flavor::MariaDb, Workload::MySqlDb); }
            #[test]
            fn mysql2_on_mysql_sees_no_error() { check(Flavor::MySql, Workload::Mysql2); }
            #[test]
            fn mysqldb_on_mysql_sees_no_error() { check(Flavor::MySql, Workload::MySqlDb); }
        }
    )*};
}

spotless! {
    blue_green: Scenario::blue_green(OUTAGE, DNS_LAG), Green;
    failover: Scenario::failover(OUTAGE, DNS_LAG), Green;
    dns_flap: Scenario::dns_flap(4, Duration::from_millis(700)), Blue;
}
