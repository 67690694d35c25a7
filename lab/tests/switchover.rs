//! What happens to applications without protection: the trouble that Pointsman exists for.

use pointsman_lab::{Flavor, Lab, Scenario, Workload, WorkloadOptions};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn moment(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn bare_mysql2_workload_keeps_failing_with_1290_after_the_switchover() {
    let lab = match Lab::builder().both(Flavor::MariaDb).start() {
        Err(error) if error.is_unavailable() => return println!("skipped: {error}"),
        lab => lab.unwrap(),
    };
    let workload = Workload::Mysql2
        .start(&lab, WorkloadOptions::default())
        .unwrap();
    workload
        .wait_for(SOON, "100 inserts", |s| s.acknowledged >= 100)
        .unwrap();
    let timeline = Scenario::read_only(moment(300), moment(200))
        .run(&lab, &mut |event| println!("{event}"))
        .unwrap();
    let after = workload.stats();
    workload
        .wait_for(SOON, "failures on the old writer", |s| {
            s.failed >= after.failed + 100
        })
        .unwrap();
    assert_eq!(
        workload.stats().acknowledged,
        after.acknowledged,
        "nobody moves a naive application"
    );
    let verdict = workload.stop().unwrap().check(lab.green()).unwrap();
    println!("{timeline}\n{verdict}");
    assert!(verdict.is_consistent(), "{verdict}");
    assert_eq!(verdict.errors.keys().copied().collect::<Vec<_>>(), [1290]);
}
