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
    println!("{verdict}\n{}", scenario.stall(&timeline, &verdict));
    Some(verdict)
}

/// A story on both servers under two drivers: `name: story, final writer, how its history is judged`.
macro_rules! stories {
    ($($name:ident: $scenario:expr, $writer:ident, $judge:expr;)*) => {$(
        mod $name {
            use super::*;

            fn check(flavor: Flavor, workload: Workload) {
                if let Some(verdict) = survives(flavor, workload, &$scenario, Side::$writer) {
                    $judge(&verdict);
                }
            }

            #[test]
            fn under_mysql2_on_mariadb() {
                check(Flavor::MariaDb, Workload::Mysql2);
            }

            #[test]
            fn under_mysqldb_on_mariadb() {
                check(Flavor::MariaDb, Workload::MySqlDb);
            }

            #[test]
            fn under_mysql2_on_mysql() {
                check(Flavor::MySql, Workload::Mysql2);
            }

            #[test]
            fn under_mysqldb_on_mysql() {
                check(Flavor::MySql, Workload::MySqlDb);
            }
        }
    )*};
}

fn spotless(verdict: &Verdict) {
    assert!(verdict.is_spotless(), "{verdict}");
}

/// Only statements that were in flight may fail, each worker's once, and only with a loss; none of them doubles.
fn only_losses(verdict: &Verdict) {
    only_losses_of_both_sides(verdict);
    assert!(verdict.is_consistent(), "{verdict}");
}

/// Replication is asynchronous: what a server took with it when it vanished is not ours to find.
fn only_losses_of_both_sides(verdict: &Verdict) {
    assert!(verdict.errors.keys().all(|number| *number == 2013), "{verdict}");
    assert!(verdict.failed <= u64::from(WORKERS), "{verdict}");
    assert!(verdict.doubled.is_empty(), "{verdict}");
}

stories! {
    blue_green_shows_no_error: Scenario::blue_green(OUTAGE, DNS_LAG), Green, spotless;
    failover_shows_no_error: Scenario::failover(OUTAGE, DNS_LAG), Green, spotless;
    flapping_dns_shows_no_error: Scenario::dns_flap(4, Duration::from_millis(700)), Blue, spotless;
    a_crash_loses_at_most_what_was_in_flight: Scenario::crash(OUTAGE), Blue, only_losses;
    a_black_hole_loses_at_most_what_was_in_flight: Scenario::black_hole(OUTAGE, DNS_LAG), Green, only_losses;
    a_sudden_black_hole_fails_at_most_what_was_in_flight: Scenario::new("sudden black hole")
        .step(Duration::ZERO, Action::CatchUp(Side::Green))
        .step(Duration::ZERO, Action::Freeze(Side::Blue))
        .step(OUTAGE, Action::StopReplication(Side::Green))
        .step(OUTAGE, Action::Writable(Side::Green))
        .step(OUTAGE + DNS_LAG, Action::PointDns { side: Side::Green, ttl: 1 }), Green, only_losses_of_both_sides;
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
