//! The check of a history finds what it is there to find.

use pointsman_lab::{Flavor, Lab, Workload, WorkloadOptions};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn lab() -> Option<Lab> {
    match Lab::builder().blue(Flavor::MariaDb).single().start() {
        Err(error) if error.is_unavailable() => {
            println!("skipped: {error}");
            None
        }
        lab => Some(lab.unwrap()),
    }
}

fn each_workload(lab: &Lab, check: impl Fn(Workload)) {
    for workload in Workload::ALL {
        // A workload that cannot run here says so itself.
        match workload.start(lab, WorkloadOptions::default().threads(1)) {
            Err(error) if error.is_unavailable() => println!("skipped {workload}: {error}"),
            probe => {
                probe.unwrap().stop().unwrap();
                check(workload);
            }
        }
    }
}

#[test]
fn a_row_that_is_not_where_it_was_acknowledged_is_a_stale_read_and_lost() {
    let Some(lab) = lab() else { return };
    each_workload(&lab, |workload| {
        let running = workload.start(&lab, WorkloadOptions::default().threads(2)).unwrap();
        running.wait_for_every_worker(SOON, 2).unwrap();
        assert_eq!(running.stats().stale_reads, 0, "{workload}");
        let trigger = "CREATE TRIGGER shop.astray BEFORE INSERT ON shop.orders FOR EACH ROW SET NEW.seq = -NEW.seq";
        lab.blue().sql(trigger).unwrap();
        running.wait_for(SOON, "10 stale reads", |s| s.stale_reads >= 10).unwrap();
        lab.blue().sql("DROP TRIGGER shop.astray; DELETE FROM shop.orders WHERE seq < 0").unwrap();
        let audit = running.stop().unwrap().check(lab.blue()).unwrap();
        assert!(audit.lost.len() >= 10, "{workload}: {audit}");
        assert_eq!(audit.failed, 0, "{workload}: {audit}");
    });
}

#[test]
fn a_row_that_was_written_twice_is_doubled() {
    let Some(lab) = lab() else { return };
    let running = Workload::LibMariaDb.start(&lab, WorkloadOptions::default()).unwrap();
    running.wait_for(SOON, "50 writes", |s| s.acknowledged >= 50).unwrap();
    lab.blue().sql("INSERT INTO shop.orders (worker, seq) SELECT worker, seq FROM shop.orders LIMIT 3").unwrap();
    let audit = running.stop().unwrap().check(lab.blue()).unwrap();
    assert_eq!(audit.doubled.len(), 3, "{audit}");
}
