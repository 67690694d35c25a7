//! What AWS and the world do to a writer, besides a polite read-only switchover.

use std::time::Duration;

use pointsman_lab::{
    Action, Flavor, Lab, RunningWorkload, Scenario, Side, TopologyStatus, Verdict, Workload, WorkloadOptions,
};
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

/// Only statements that were in flight may fail, each worker's once, and only with a loss; none of them doubles.
macro_rules! only_losses {
    ($($name:ident: $scenario:expr, $writer:ident, may lose $may_lose:literal;)*) => {$(
        mod $name {
            use super::*;
            fn check(flavor: Flavor, workload: Workload) {
                if let Some(verdict) = survives(flavor, workload, &$scenario, Side::$writer) {
                    assert!(verdict.errors.keys().all(|number| *number == 2013), "{verdict}");
                    assert!(verdict.failed <= u64::from(WORKERS), "{verdict}");
                    // Replication is asynchronous: what a server took with it when it vanished is not ours to find.
                    assert!(verdict.doubled.is_empty() && ($may_lose || verdict.is_consistent()), "{verdict}");
                }
            }
            #[test]
            fn mysql2_on_mariadb_loses_at_most_what_was_in_flight() { check(Flavor::MariaDb, Workload::Mysql2); }
            #[test]
            fn mysqldb_on_mariadb_loses_at_most_what_was_in_flight() { check(Flavor::MariaDb, Workload::MySqlDb); }
            #[test]
            fn mysql2_on_mysql_loses_at_most_what_was_in_flight() { check(Flavor::MySql, Workload::Mysql2); }
            #[test]
            fn mysqldb_on_mysql_loses_at_most_what_was_in_flight() { check(Flavor::MySql, Workload::MySqlDb); }
        }
    )*};
}

only_losses! {
    crash: Scenario::crash(OUTAGE), Blue, may lose false;
    black_hole: Scenario::black_hole(OUTAGE, DNS_LAG), Green, may lose false;
    sudden_black_hole: Scenario::new("sudden black hole")
        .step(Duration::ZERO, Action::CatchUp(Side::Green))
        .step(Duration::ZERO, Action::Freeze(Side::Blue))
        .step(OUTAGE, Action::StopReplication(Side::Green))
        .step(OUTAGE, Action::Writable(Side::Green))
        .step(OUTAGE + DNS_LAG, Action::PointDns { side: Side::Green, ttl: 1 }), Green, may lose true;
}

fn announced() -> Scenario {
    Scenario::new("a deployment is there").step(Duration::ZERO, Action::Topology(TopologyStatus::Available))
}

/// The table is there before the program starts, and the program's user may read it.
fn with_deployment(flavor: Flavor, workload: Workload, story: impl FnOnce(&Lab, &RunningWorkload)) {
    let Some(lab) = pair(flavor) else { return };
    announced().run(&lab, &mut |_| {}).unwrap();
    let mut options = WorkloadOptions::default().threads(WORKERS).preload(library());
    options = options.env("POINTSMAN_LOG_LEVEL", "info");
    options.tls = flavor == Flavor::MySql;
    let running = workload.start(&lab, options).unwrap();
    running.wait_for_every_worker(PATIENCE, WORKERS).unwrap();
    while !running.stderr().contains("DNS answers") || !running.stderr().contains("rds_topology") {
        running.wait_for_writes(PATIENCE, 1).unwrap();
    }
    // Green's own name is asked for from now on.
    running.wait_for_writes(PATIENCE, 300).unwrap();
    story(&lab, &running);
    println!("stderr of the program:\n{}", running.stderr());
    let writer = if running.stderr().contains("moved to") { Side::Green } else { Side::Blue };
    let verdict = running.stop().unwrap().check(lab.server(writer)).unwrap();
    println!("{verdict}");
    assert!(verdict.is_consistent(), "{verdict}");
    assert!(verdict.errors.keys().all(|number| *number == 2013), "{verdict}");
}

fn resumes_before_dns_moves(flavor: Flavor, workload: Workload) {
    with_deployment(flavor, workload, |lab, running| {
        let late = Duration::from_secs(600);
        let mut story = Scenario::blue_green(OUTAGE, late);
        story.steps.retain(|step| step.at < late);
        story.run(lab, &mut |_| {}).unwrap();
        running.wait_for_every_worker(PATIENCE, WORKERS).unwrap();
        assert!(running.stderr().contains("moved to"), "{}", running.stderr());
        assert_eq!(running.stats().failed, 0, "{}", running.stderr());
    });
}

#[test]
fn mysql2_on_mariadb_resumes_before_dns_moves() {
    resumes_before_dns_moves(Flavor::MariaDb, Workload::Mysql2);
}

#[test]
fn mysqldb_on_mysql_resumes_before_dns_moves() {
    resumes_before_dns_moves(Flavor::MySql, Workload::MySqlDb);
}

fn stays_on_blue(steps: Scenario) {
    with_deployment(Flavor::MariaDb, Workload::Mysql2, |lab, running| {
        steps.run(lab, &mut |_| {}).unwrap();
        running.wait_for_every_worker(PATIENCE, WORKERS).unwrap();
        assert!(!running.stderr().contains("moved to"), "{}", running.stderr());
    });
}

#[test]
fn a_green_that_is_writable_before_the_switchover_is_not_adopted_when_blue_crashes_and_restarts() {
    stays_on_blue(
        Scenario::new("early green")
            .step(Duration::ZERO, Action::StopReplication(Side::Green))
            .step(Duration::ZERO, Action::Writable(Side::Green))
            .step(Duration::ZERO, Action::Crash(Side::Blue))
            .step(OUTAGE, Action::Start(Side::Blue)),
    );
}

#[test]
fn a_cancelled_switchover_leaves_everybody_on_blue() {
    stays_on_blue(
        Scenario::new("cancelled")
            .step(Duration::ZERO, Action::Topology(TopologyStatus::InProgress))
            .step(Duration::ZERO, Action::ReadOnly(Side::Blue))
            .step(Duration::ZERO, Action::Writable(Side::Green))
            .step(OUTAGE, Action::Writable(Side::Blue))
            .step(OUTAGE, Action::Topology(TopologyStatus::Available)),
    );
}
