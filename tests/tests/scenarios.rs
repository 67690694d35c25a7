//! What AWS and the world do to a writer, besides a polite read-only switchover.

use std::time::Duration;

use pointsman_lab::{
    Action, Audit, DnsMood, Flavor, READERS, RunningWorkload, Scenario, Side, TopologyStatus, USER, Workload,
};
use pointsman_tests::{
    pair,
    story::{DNS_LAG, OUTAGE, PATIENCE, WORKERS, lives_through, protected},
    wait_for,
};

/// A story under a program, judged by what `writer` has in the end.
fn survives(flavor: Flavor, workload: Workload, scenario: &Scenario, writer: Side, judge: fn(&Audit)) {
    let Some(lab) = pair(flavor) else { return };
    let audit = lives_through(&lab, workload, protected(flavor), scenario, || lab.server(writer));
    judge(&audit);
}

/// A proof on both servers under two drivers: `name: proof(server, driver)`.
macro_rules! stories {
    ($($name:ident: $proof:expr;)*) => {$(
        mod $name {
            use super::*;

            fn check(flavor: Flavor, workload: Workload) {
                let proof: fn(Flavor, Workload) = $proof;
                proof(flavor, workload);
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

fn spotless(audit: &Audit) {
    assert!(audit.is_spotless(), "{audit}");
}

/// Only statements that were in flight may fail, each worker's once, and only with a loss; none of them doubles.
fn only_losses(audit: &Audit) {
    only_losses_of_both_sides(audit);
    assert!(audit.is_consistent(), "{audit}");
}

/// Replication is asynchronous: what a server took with it when it vanished is not ours to find.
fn only_losses_of_both_sides(audit: &Audit) {
    assert!(audit.errors.keys().all(|number| *number == 2013), "{audit}");
    assert!(audit.failed <= u64::from(WORKERS), "{audit}");
    assert!(audit.doubled.is_empty(), "{audit}");
}

stories! {
    blue_green_shows_no_error: |server, driver| {
        survives(server, driver, &Scenario::blue_green(OUTAGE, DNS_LAG), Side::Green, spotless);
    };
    a_rolled_back_blue_green_shows_no_error: |server, driver| {
        survives(server, driver, &Scenario::blue_green_rollback(OUTAGE), Side::Blue, spotless);
    };
    the_old_writer_coming_back_writable_is_followed: |server, driver| {
        survives(server, driver, &Scenario::rollback(OUTAGE), Side::Blue, spotless);
    };
    without_a_writer_every_caller_gets_its_original_error_after_hold_max_and_none_is_held_again: fails_open;
    a_partition_loses_at_most_what_was_in_flight: |server, driver| {
        survives(server, driver, &Scenario::partition(OUTAGE, DNS_LAG), Side::Green, only_losses);
    };
    failover_shows_no_error: |server, driver| {
        survives(server, driver, &Scenario::failover(OUTAGE, DNS_LAG), Side::Green, spotless);
    };
    flapping_dns_shows_no_error: |server, driver| {
        survives(server, driver, &Scenario::dns_flap(4, Duration::from_millis(700)), Side::Blue, spotless);
    };
    a_switchover_while_dns_is_out_in_every_way_shows_no_error: |server, driver| {
        survives(server, driver, &dns_out_in_every_way(), Side::Green, spotless);
    };
    a_name_that_moved_for_good_is_followed_without_an_error: follows_a_name_that_moved_for_good;
    a_crash_loses_at_most_what_was_in_flight: |server, driver| {
        survives(server, driver, &Scenario::crash(OUTAGE), Side::Blue, only_losses);
    };
    a_black_hole_loses_at_most_what_was_in_flight: |server, driver| {
        survives(server, driver, &Scenario::black_hole(OUTAGE, DNS_LAG), Side::Green, only_losses);
    };
    a_frozen_server_fails_at_most_what_was_in_flight: |server, driver| {
        survives(server, driver, &frozen_server(), Side::Green, only_losses_of_both_sides);
    };
    a_deployment_resumes_before_dns_moves: resumes_before_dns_moves;
    a_reader_that_dies_shows_no_error: survives_the_death_of_a_reader;
}

fn fails_open(flavor: Flavor, workload: Workload) {
    let Some(lab) = pair(flavor) else { return };
    let options = protected(flavor).env("POINTSMAN_HOLD_MAX", "1s");
    let audit = lives_through(&lab, workload, options, &Scenario::never(Duration::from_secs(4)), || lab.green());
    assert_eq!(audit.errors.keys().collect::<Vec<_>>(), [&1290], "{audit}");
    // Held for 1 s each, four workers could not have failed more than four times three times.
    assert!(audit.failed > 12, "after failing open, statements are not held again: {audit}");
    assert!(audit.is_consistent(), "{audit}");
    assert_eq!(audit.unacknowledged_present, [], "{audit}");
}

/// The host lives and acknowledges every packet; its server does nothing.
fn frozen_server() -> Scenario {
    Scenario::new("frozen server")
        .step(Duration::ZERO, Action::CatchUp(Side::Green))
        .step(Duration::ZERO, Action::Freeze(Side::Blue))
        .step(OUTAGE, Action::StopReplication(Side::Green))
        .step(OUTAGE, Action::Writable(Side::Green))
        .step(OUTAGE + DNS_LAG, Action::PointDns { side: Side::Green, ttl: 1 })
}

/// Silent at first, then SERVFAIL, then NXDOMAIN.
fn dns_out_in_every_way() -> Scenario {
    let dark = Duration::from_millis(1500);
    let mut story = Scenario::dns_out(DnsMood::Silent, OUTAGE, dark)
        .step(OUTAGE + dark / 3, Action::DnsMood(DnsMood::ServFail))
        .step(OUTAGE + dark * 2 / 3, Action::DnsMood(DnsMood::NxDomain));
    story.steps.sort_by_key(|step| step.at);
    story
}

/// Nobody is left on the old server, although it takes writes. Until the last one has gone, who moved first may miss what
/// the others write: stale reads are no fault here.
fn follows_a_name_that_moved_for_good(flavor: Flavor, workload: Workload) {
    let Some(lab) = pair(flavor) else { return };
    let options = protected(flavor).env("POINTSMAN_SETTLE", "1s");
    let audit = lives_through(&lab, workload, options, &Scenario::moved_for_good(Duration::ZERO), || {
        let left = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{USER}'");
        wait_for("the last connection to leave blue", || lab.blue().sql(&left).unwrap() == "0");
        lab.green().wait_caught_up(lab.blue(), PATIENCE).unwrap();
        lab.green()
    });
    assert_eq!((audit.failed, audit.lost.len(), audit.doubled.len()), (0, 0, 0), "{audit}");
}

fn survives_the_death_of_a_reader(flavor: Flavor, workload: Workload) {
    let Some(lab) = pair(flavor) else { return };
    let story = Scenario::reader_pool(6, Duration::from_millis(300), Some(Side::Blue));
    let options = protected(flavor).host(READERS).reads_only();
    spotless(&lives_through(&lab, workload, options, &story, || lab.green()));
}

/// The table is there before the program starts, and the program's user may read it.
fn with_deployment(flavor: Flavor, workload: Workload, scenario: Scenario, then: fn(&RunningWorkload)) {
    let Some(lab) = pair(flavor) else { return };
    let scenario = scenario.before(Action::Topology(TopologyStatus::Available));
    scenario.prepare(&lab).unwrap();
    let running = workload.start(&lab, protected(flavor).env("POINTSMAN_LOG_LEVEL", "info")).unwrap();
    running.wait_for_every_worker(PATIENCE, WORKERS).unwrap();
    while !running.stderr().contains("DNS answers") || !running.stderr().contains("rds_topology") {
        running.wait_for_writes(PATIENCE, 1).unwrap();
    }
    // Green's own name is asked for from now on.
    running.wait_for_writes(PATIENCE, 300).unwrap();
    let timeline = scenario.run(&lab, &mut |_| {}).unwrap();
    running.wait_for_every_worker(PATIENCE, WORKERS).unwrap_or_else(|e| panic!("{e:?} {}", running.stderr()));
    println!("{timeline}\nstderr of the program:\n{}", running.stderr());
    then(&running);
    let writer = if running.stderr().contains("moved to") { Side::Green } else { Side::Blue };
    let audit = running.stop().unwrap().check(lab.server(writer)).unwrap();
    println!("{audit}\n{}", scenario.stall(&timeline, &audit));
    assert!(audit.is_consistent(), "{audit}");
    assert!(audit.errors.keys().all(|number| *number == 2013), "{audit}");
}

fn resumes_before_dns_moves(flavor: Flavor, workload: Workload) {
    let late = Duration::from_secs(600);
    let mut story = Scenario::blue_green(OUTAGE, late);
    story.steps.retain(|step| step.at < late);
    with_deployment(flavor, workload, story, |running| {
        assert!(running.stderr().contains("moved to"), "{}", running.stderr());
        assert_eq!(running.stats().failed, 0, "{}", running.stderr());
    });
}

/// The table is empty for a moment in the middle of the switchover, and names the targets alone after that.
#[test]
fn a_deployment_resumes_although_its_table_is_empty_for_a_moment() {
    let late = Duration::from_secs(600);
    let mut story = Scenario::blue_green(OUTAGE, late);
    story.steps.retain(|step| step.at < late);
    let targets_alone = [Side::Blue, Side::Green].map(|side| Action::Sql {
        side,
        statements: "DELETE FROM mysql.rds_topology WHERE role = 'BLUE_GREEN_DEPLOYMENT_SOURCE'".into(),
    });
    story = targets_alone.into_iter().fold(story, |story, action| story.step(OUTAGE, action));
    story = story.step(OUTAGE / 2, Action::Topology(TopologyStatus::Gone));
    story.steps.sort_by_key(|step| step.at);
    with_deployment(Flavor::MariaDb, Workload::Mysql2, story, |running| {
        assert!(running.stderr().contains("moved to"), "{}", running.stderr());
        assert_eq!(running.stats().failed, 0, "{}", running.stderr());
    });
}

fn stays_on_blue(steps: Scenario) {
    with_deployment(Flavor::MariaDb, Workload::Mysql2, steps, |running| {
        assert!(!running.stderr().contains("moved to"), "{}", running.stderr());
    });
}

/// Green's owner has made it writable before any switchover, and blue goes away for a while.
fn green_is_early(gone: Action, back: Action) {
    stays_on_blue(
        Scenario::new("early green")
            .step(Duration::ZERO, Action::StopReplication(Side::Green))
            .step(Duration::ZERO, Action::Writable(Side::Green))
            .step(Duration::ZERO, gone)
            .step(OUTAGE, back),
    );
}

#[test]
fn a_green_that_is_writable_before_the_switchover_is_not_adopted_when_blue_crashes() {
    green_is_early(Action::Crash(Side::Blue), Action::Start(Side::Blue));
}

#[test]
fn a_green_that_is_writable_before_the_switchover_is_not_adopted_when_blue_restarts() {
    green_is_early(Action::Stop(Side::Blue), Action::Start(Side::Blue));
}

#[test]
fn a_green_that_is_writable_before_the_switchover_is_not_adopted_when_blue_is_cut_off() {
    green_is_early(Action::CutOff(Side::Blue), Action::Rejoin(Side::Blue));
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
