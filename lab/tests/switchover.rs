//! What happens to applications without protection: the trouble that Pointsman exists for.

use pointsman_lab::{Event, Flavor, Lab, READERS, Scenario, Workload, WorkloadOptions};
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
    let workload = Workload::Mysql2.start(&lab, WorkloadOptions::default()).unwrap();
    workload.wait_for(SOON, "100 inserts", |s| s.acknowledged >= 100).unwrap();
    let timeline = Scenario::read_only(moment(300), moment(200)).run(&lab, &mut |event| println!("{event}")).unwrap();
    let after = workload.stats();
    workload.wait_for(SOON, "failures on the old writer", |s| s.failed >= after.failed + 100).unwrap();
    assert_eq!(workload.stats().acknowledged, after.acknowledged, "nobody moves a naive application");
    let audit = workload.stop().unwrap().check(lab.green()).unwrap();
    println!("{timeline}\n{audit}");
    assert!(audit.is_consistent(), "{audit}");
    assert_eq!(audit.errors.keys().copied().collect::<Vec<_>>(), [1290]);
}

/// Runs a scenario under an unprotected workload and gives the errors that it saw.
fn errors_of(flavor: Flavor, scenario: &Scenario) -> Option<Vec<u32>> {
    let lab = match Lab::builder().both(flavor).start() {
        Err(error) if error.is_unavailable() => {
            println!("skipped: {error}");
            return None;
        }
        lab => lab.unwrap(),
    };
    scenario.prepare(&lab).unwrap();
    let workload = Workload::LibMariaDb.start(&lab, WorkloadOptions::default()).unwrap();
    workload.wait_for(SOON, "100 inserts", |s| s.acknowledged >= 100).unwrap();
    println!("{}", scenario.run(&lab, &mut |_| ()).unwrap());
    let writer = if lab.blue().is_running() && !lab.blue().is_read_only().unwrap() { lab.blue() } else { lab.green() };
    let audit = workload.stop().unwrap().check(writer).unwrap();
    println!("{flavor}: {audit}");
    assert!(audit.is_consistent(), "{audit}");
    Some(audit.errors.into_keys().collect())
}

/// Every one of `certain` is seen, and nothing beyond those and `possible`.
fn both(scenario: &Scenario, certain: &[u32], possible: &[u32]) {
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Some(errors) = errors_of(flavor, scenario) else {
            continue;
        };
        let known = |errno| certain.contains(errno) || possible.contains(errno);
        assert!(certain.iter().all(|errno| errors.contains(errno)), "{flavor}: {errors:?}");
        assert!(errors.iter().all(known), "{flavor}: {errors:?}");
    }
}

#[test]
fn a_rollback_fails_writes_while_it_lasts_and_not_after() {
    both(&Scenario::rollback(moment(300)), &[1290], &[]);
}

#[test]
fn a_blue_green_switchover_breaks_every_connection() {
    both(&Scenario::blue_green(moment(300), moment(300)), &[2006], &[1290, 1927, 2013, 4031]);
}

#[test]
fn a_failover_loses_nothing_and_breaks_every_connection() {
    both(&Scenario::failover(moment(300), moment(300)), &[1290, 2006], &[2013]);
}

#[test]
fn a_crashed_writer_comes_back_with_everything_it_acknowledged() {
    both(&Scenario::crash(moment(300)), &[2006], &[2013]);
}

#[test]
fn a_promoted_replica_has_everything_that_the_crashed_writer_acknowledged() {
    both(&Scenario::crash_promoted(moment(300), moment(300)), &[2006], &[2013]);
}

#[test]
fn a_blue_green_rollback_breaks_every_connection_and_loses_nothing() {
    both(&Scenario::blue_green_rollback(moment(300)), &[2006], &[1290, 1927, 2013, 4031]);
}

#[test]
fn every_workload_reads_through_the_rotation_of_a_pool_without_an_error() {
    let lab = match Lab::builder().both(Flavor::MariaDb).start() {
        Err(error) if error.is_unavailable() => return println!("skipped: {error}"),
        lab => lab.unwrap(),
    };
    let scenario = Scenario::reader_pool(4, moment(100), None);
    scenario.prepare(&lab).unwrap();
    for workload in Workload::ALL {
        let running = match workload.start(&lab, WorkloadOptions::default().threads(2).host(READERS).reads_only()) {
            Err(error) if error.is_unavailable() => {
                println!("skipped {workload}: {error}");
                continue;
            }
            running => running.unwrap(),
        };
        running.wait_for(SOON, "20 reads", |s| s.statements >= 20).unwrap();
        scenario.run(&lab, &mut |_| ()).unwrap();
        let audit = running.stop().unwrap().check(lab.blue()).unwrap();
        assert!(audit.is_spotless() && audit.acknowledged == 0, "{workload}: {audit}");
    }
}

#[test]
fn flapping_dns_alone_harms_no_open_connection() {
    both(&Scenario::dns_flap(6, moment(100)), &[], &[]);
}

#[test]
fn the_application_can_read_the_topology_after_a_blue_green_switchover() {
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let lab = match Lab::builder().both(flavor).start() {
            Err(error) if error.is_unavailable() => return println!("skipped: {error}"),
            lab => lab.unwrap(),
        };
        Scenario::blue_green(moment(0), moment(0)).run(&lab, &mut |_| ()).unwrap();
        for server in [lab.blue(), lab.green()] {
            let rows = server.sql("SELECT endpoint, status FROM mysql.rds_topology ORDER BY id").unwrap();
            let pair = ["db.lab.test\tSWITCHOVER_COMPLETED", "db-old1.lab.test\tSWITCHOVER_COMPLETED"];
            assert!(pair.iter().all(|row| rows.lines().any(|line| line == *row)), "{rows}");
            let grants = server.sql("SHOW GRANTS FOR app@'%'").unwrap();
            assert!(grants.contains("`rds_topology`"), "{grants}");
        }
        assert!(lab.blue().is_read_only().unwrap());
        assert!(!lab.green().is_read_only().unwrap());
    }
}

#[test]
fn a_black_hole_hangs_a_naive_application_without_an_error() {
    let lab = match Lab::builder().both(Flavor::MariaDb).start() {
        Err(error) if error.is_unavailable() => return println!("skipped: {error}"),
        lab => lab.unwrap(),
    };
    let workload = Workload::LibMariaDb.start(&lab, WorkloadOptions::default()).unwrap();
    workload.wait_for(SOON, "100 inserts", |s| s.acknowledged >= 100).unwrap();
    let timeline = Scenario::black_hole(moment(200), moment(200)).run(&lab, &mut |_| ()).unwrap();
    let how = |event: &Event| event.text.contains("(nftables)") || event.text.contains("(SIGSTOP)");
    assert!(timeline.events.iter().any(how), "{timeline}");
    let audit = workload.kill().unwrap().check(lab.green()).unwrap();
    println!("{timeline}\n{audit}");
    assert!(audit.is_consistent(), "{audit}");
    assert!(audit.errors.keys().all(|errno| *errno == 1290), "{audit}");
}
