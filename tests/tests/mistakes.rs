//! What must not be taken for a switchover, or for the end of one: each test is a mistake that would cost somebody his data,
//! his session or his patience. Time itself is what some of them wait for.

use std::{collections::BTreeSet, thread, time::Duration};

use pointsman_lab::{Action, ENDPOINT, Flavor, Lab, READERS, Scenario, Side, TopologyStatus, USER};
use pointsman_tests::{pair, puppet::Puppet, server_id, with_table};

const WHO: &str = "SELECT @@server_id";
const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";

fn lab() -> Option<Lab> {
    let lab = pair(Flavor::MariaDb)?;
    with_table(&lab);
    Some(lab)
}

fn green_is_writable(lab: &Lab) {
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(30)).unwrap();
    lab.green().stop_replication().unwrap();
    lab.green().set_read_only(false).unwrap();
}

/// DNS is not touched at all: the operator fails over by the configured candidate.
#[test]
fn an_old_writer_that_restarts_writable_does_not_take_the_writes_back_from_the_candidate() {
    let Some(lab) = lab() else { return };
    let entry = format!("{ENDPOINT}={}", lab.green().ip());
    let mut puppet = Puppet::start(&lab, &[("POINTSMAN_CANDIDATES", &entry), ("POINTSMAN_SETTLE", "3s")]);
    puppet.connect("a");
    green_is_writable(&lab);
    lab.blue().kill9();
    assert_eq!(puppet.query("a", WHO), server_id(&lab, Side::Green));
    lab.blue().set_starts_read_only(false);
    lab.blue().start().unwrap();
    for _ in 0..8 {
        thread::sleep(Duration::from_secs(1));
        assert_eq!(puppet.query("a", WHO), server_id(&lab, Side::Green), "{}", puppet.stderr());
    }
}

/// The old server is still there and writable, under another name; the new one restarts just when somebody connects.
#[test]
fn a_name_that_moved_while_nobody_was_connected_does_not_lead_back_to_the_old_server() {
    let Some(lab) = lab() else { return };
    let mut puppet = Puppet::start(&lab, &[("POINTSMAN_SETTLE", "1s")]);
    puppet.connect("a");
    puppet.ask("a", "call", "close");
    thread::sleep(Duration::from_secs(3));
    lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
    lab.green().kill9();
    thread::sleep(Duration::from_secs(15));
    let answer = puppet.ask("b", "connect", "-");
    if answer.starts_with("ok") {
        let written = puppet.query("b", INSERT);
        panic!("connected, wrote {written} on {}\n{}", puppet.query("b", WHO), puppet.stderr());
    }
}

/// Blue/Green: the readers' name has moved, the old replica is still there. Its `wait_timeout`, or a DBA, ends the
/// connection; without us the pool would connect anew, to where the name leads.
#[test]
fn an_idle_reader_that_was_ended_does_not_come_back_on_a_replica_that_has_left_the_name() {
    let Some(lab) = lab() else { return };
    lab.dns().set(READERS, &[lab.blue().ip()], 1).unwrap();
    let mut puppet = Puppet::start(&lab, &[("LAB_HOST", READERS)]);
    puppet.connect("a");
    assert_eq!(puppet.query("a", WHO), server_id(&lab, Side::Blue));
    lab.dns().set(READERS, &[lab.green().ip()], 1).unwrap();
    thread::sleep(Duration::from_secs(4));
    lab.blue().drop_connections(USER).unwrap();
    assert_eq!(puppet.query("a", WHO), server_id(&lab, Side::Green), "{}", puppet.stderr());
}

/// The rows of a completed deployment stay until somebody deletes it.
#[test]
fn days_after_a_switchover_a_locked_account_is_refused_at_last() {
    let Some(lab) = lab() else { return };
    let mut puppet = Puppet::start(&lab, &[("POINTSMAN_HOLD_MAX", "1s"), ("POINTSMAN_LOG_LEVEL", "info")]);
    Scenario::new("completed")
        .step(Duration::ZERO, Action::Topology(TopologyStatus::Completed))
        .run(&lab, &mut |_| {})
        .unwrap();
    puppet.connect("a");
    assert_eq!(puppet.query("a", WHO), server_id(&lab, Side::Blue));
    puppet.wait_for_log("rds_topology");
    lab.blue().local(&format!("ALTER USER {USER}@'%' ACCOUNT LOCK")).unwrap();
    puppet.begin("b", "connect", "-");
    thread::sleep(Duration::from_secs(8));
    assert!(!puppet.is_waiting("b"), "held for 8 s with hold_max = 1s: {}", puppet.stderr());
}

/// HAProxy, MySQL Router, a migration tool: the same host on another port, to which nobody is connected now.
#[test]
fn a_second_port_of_the_same_host_does_not_stop_dns_from_being_watched() {
    let Some(lab) = lab() else { return };
    let mut puppet = Puppet::start(&lab, &[("POINTSMAN_LOG_LEVEL", "info")]);
    puppet.connect("a");
    puppet.wait_for_log("DNS answers");
    // Nobody listens there.
    let answer = puppet.ask("b", "connect_to_port", "3399");
    assert!(answer.starts_with("error"), "{answer}");
    thread::sleep(Duration::from_secs(3));
    let asked = lab.dns().queries(ENDPOINT);
    thread::sleep(Duration::from_secs(6));
    assert!(lab.dns().queries(ENDPOINT) > asked, "a connection lives, and DNS was not asked for 6 s (TTL 1 s)");
}

#[test]
fn in_observe_mode_a_read_survives_a_pause_of_its_server_while_dns_names_another() {
    let Some(lab) = lab() else { return };
    let mut puppet = Puppet::start(&lab, &[("POINTSMAN_MODE", "observe")]);
    puppet.connect("a");
    puppet.begin("a", "query", "SELECT SLEEP(3)");
    thread::sleep(Duration::from_millis(500));
    lab.blue().freeze();
    lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
    thread::sleep(Duration::from_secs(6));
    lab.blue().thaw();
    assert_eq!(puppet.answer("a"), "ok ((0,),)", "{}", puppet.stderr());
}

/// The network is gone for two seconds; afterwards everybody rests for longer than `hold_max`.
#[test]
fn a_short_gap_in_the_network_costs_nobody_his_session_later() {
    let Some(lab) = lab() else { return };
    let mut puppet = Puppet::start(&lab, &[("POINTSMAN_HOLD_MAX", "4s")]);
    puppet.connect("a");
    puppet.connect("b");
    assert_eq!(puppet.query("b", "SELECT GET_LOCK('x', 0)"), "ok ((1,),)");
    thread::sleep(Duration::from_secs(2));
    lab.blue().cut_off();
    puppet.begin("a", "query", WHO);
    puppet.wait_for_log("holding statements");
    lab.blue().rejoin();
    assert_eq!(puppet.answer("a"), server_id(&lab, Side::Blue));
    thread::sleep(Duration::from_secs(8));
    assert_eq!(puppet.query("a", WHO), server_id(&lab, Side::Blue));
    assert_eq!(puppet.query("b", "SELECT IS_USED_LOCK('x') = CONNECTION_ID()"), "ok ((1,),)", "{}", puppet.stderr());
}

/// We ended its connection, so that was no DBA's KILL.
#[test]
fn a_read_whose_replica_was_silent_for_a_moment_and_given_up_is_run_again() {
    let Some(lab) = lab() else { return };
    lab.dns().set(READERS, &[lab.blue().ip()], 1).unwrap();
    let mut puppet = Puppet::start(&lab, &[("LAB_HOST", READERS), ("POINTSMAN_LOG_LEVEL", "info")]);
    puppet.connect("a");
    assert_eq!(puppet.query("a", WHO), server_id(&lab, Side::Blue));
    lab.dns().set(READERS, &[lab.blue().ip(), lab.green().ip()], 1).unwrap();
    thread::sleep(Duration::from_secs(3));
    lab.blue().cut_off();
    puppet.begin("a", "query", WHO);
    puppet.wait_for_log("are given up");
    lab.blue().rejoin();
    let answer = puppet.answer("a");
    assert!(answer.starts_with("ok"), "{answer}; {}", puppet.stderr());
}

/// The name was moved before the promotion, or to a replica by mistake. Without the library an open connection never notices.
#[test]
fn a_name_that_leads_to_a_read_only_server_for_long_costs_an_open_connection_one_look_and_no_more() {
    let Some(lab) = lab() else { return };
    let mut puppet = Puppet::start(&lab, &[("POINTSMAN_SETTLE", "1s"), ("POINTSMAN_LOG_LEVEL", "info")]);
    puppet.connect("a");
    assert!(puppet.query("a", INSERT).starts_with("ok"));
    puppet.wait_for_log("DNS answers");
    lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
    puppet.wait_for_log(&format!("DNS answers [{}]", lab.green().ip()));
    // Longer than `settle`, after which the connection would leave for a writer. A look ends with another connection.
    let mut connections = BTreeSet::new();
    for _ in 0..160 {
        assert!(puppet.query("a", INSERT).starts_with("ok"), "{}", puppet.stderr());
        connections.insert(puppet.query("a", "SELECT CONNECTION_ID()"));
        thread::sleep(Duration::from_millis(50));
    }
    assert!(connections.len() <= 2, "{connections:?}: {}", puppet.stderr());
    assert_eq!(puppet.query("a", WHO), server_id(&lab, Side::Blue));
}
