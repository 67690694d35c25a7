//! Unchanged programs ride through a switchover.

use std::time::Duration;

use pointsman_lab::{Flavor, Scenario, Workload, WorkloadOptions};
use pointsman_tests::{library, pair};

const OUTAGE: Duration = Duration::from_millis(1500);
const DNS_LAG: Duration = Duration::from_millis(1000);

fn rides_through(flavor: Flavor, workload: Workload) {
    let Some(lab) = pair(flavor) else { return };
    let options = WorkloadOptions { preload: Some(library()), ..WorkloadOptions::default() };
    let running = workload.start(&lab, options).unwrap();
    running.wait_for_writes(Duration::from_secs(20), 100).unwrap();
    let timeline = Scenario::read_only(OUTAGE, DNS_LAG).run(&lab, &mut |event| println!("{event}")).unwrap();
    let after = running.wait_for_writes(Duration::from_secs(20), 100);
    println!("stderr of the program:\n{}", running.stderr());
    after.unwrap();
    let verdict = running.stop().unwrap().check(lab.green()).unwrap();
    println!("{timeline}\n{verdict}");
    assert_eq!((verdict.failed, verdict.lost.len(), verdict.doubled.len()), (0, 0, 0), "{verdict}");
}

#[test]
fn mysql2_on_mariadb_sees_a_pause_and_no_error() {
    rides_through(Flavor::MariaDb, Workload::Mysql2);
}
