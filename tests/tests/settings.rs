//! Every setting does what the README says, on a real switchover.

use std::time::{Duration, Instant};

use pointsman_lab::{Flavor, Lab, Side};
use pointsman_tests::{dialogue::Driver, pair, puppet::Puppet, server_id, stage::Stage, switch, with_table};

/// A program with these settings, connected, before and after a switchover.
fn after_a_switchover(settings: &[(&str, &str)], before: &[&str], story: impl FnOnce(&Lab, &mut Puppet)) {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    with_table(&lab);
    let mut puppet = Puppet::start(&lab, settings);
    puppet.connect("a");
    for text in before {
        let answer = puppet.query("a", text);
        assert!(answer.starts_with("ok"), "{text}: {answer}");
    }
    switch(&lab);
    story(&lab, &mut puppet);
}

const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";

/// The connection stays where it was, and the write gets the error that it would have got without us.
fn nothing_is_done(settings: &[(&str, &str)]) {
    after_a_switchover(settings, &[], |lab, puppet| {
        let answer = puppet.query("a", INSERT);
        assert!(answer.starts_with("error 1290 "), "{answer}");
        assert_eq!(puppet.query("a", "SELECT @@server_id"), server_id(lab, Side::Blue));
        assert!(!puppet.stderr().contains("holding"), "{}", puppet.stderr());
    });
}

#[test]
fn in_observe_mode_nothing_is_changed() {
    nothing_is_done(&[("POINTSMAN_MODE", "observe")]);
}

#[test]
fn a_log_that_cannot_be_written_goes_to_standard_error() {
    after_a_switchover(&[("POINTSMAN_LOG", "/proc/self/no such directory/log")], &[], |_, puppet| {
        assert_eq!(puppet.query("a", INSERT), "ok (1, 1)");
        let said = puppet.stderr();
        assert_eq!(said.matches("cannot append to").count(), 1, "{said}");
        assert!(said.contains("holding statements") && said.contains("moved to"), "{said}");
    });
}

#[test]
fn endpoints_that_are_not_listed_pass_through() {
    nothing_is_done(&[("POINTSMAN_ENDPOINTS", "other.lab.test, db.lab.test:3307")]);
}

#[test]
fn a_listed_endpoint_is_protected() {
    after_a_switchover(&[("POINTSMAN_ENDPOINTS", "other.lab.test, DB.lab.test:3306")], &[], |_, puppet| {
        assert_eq!(puppet.query("a", INSERT), "ok (1, 1)");
    });
}

#[test]
fn a_configured_reader_is_neither_held_nor_moved() {
    nothing_is_done(&[("POINTSMAN_READERS", "db.lab.test")]);
}

#[test]
fn a_transaction_that_cannot_be_replayed_gets_the_error_that_was_chosen() {
    for (choice, number) in [("1213", 1213), ("2013", 2013), ("original", 1290)] {
        let lost = ["BEGIN", "INSERT INTO t (v) VALUES (UUID())"];
        after_a_switchover(&[("POINTSMAN_VICTIM_ERROR", choice)], &lost, |lab, puppet| {
            let answer = puppet.query("a", INSERT);
            assert!(answer.starts_with(&format!("error {number} ")), "{choice}: {answer}");
            let rows = lab.green().sql("SELECT COUNT(*) FROM shop.t").unwrap();
            assert_eq!(rows.trim(), "0", "{choice}");
        });
    }
}

/// A hold that nothing ends but the application's own limit, which is `read_timeout` on the handle, or set `afterwards`.
fn held_no_longer_than_the_application_reads(read_timeout: &str, afterwards: Option<&str>, hold_max: Option<&str>) {
    for driver in [Driver::LibMariaDb, Driver::LibMySqlClient].into_iter().filter(|driver| driver.is_available()) {
        let Some(lab) = pair(Flavor::MariaDb) else { return };
        with_table(&lab);
        let mut stage = Stage::set_with(&lab, driver, |command| {
            command.env("CLIENT_READ_TIMEOUT", read_timeout).envs(hold_max.map(|time| ("POINTSMAN_HOLD_MAX", time)));
        });
        if let Some(seconds) = afterwards {
            stage.expect(&format!("read_timeout 0 {seconds}"), "ok");
        }
        lab.blue().set_read_only(true).unwrap();
        let began = Instant::now();
        stage.fails(&format!("query 0 {INSERT}"), &[1290]);
        assert!(began.elapsed() < Duration::from_secs(15), "{driver:?}: {:?}", began.elapsed());
        let said = if hold_max.is_some() { "(hold_max)" } else { "the application's own timeout" };
        assert!(stage.client.stderr().contains(said), "{driver:?}: {}", stage.client.stderr());
    }
}

#[test]
fn a_hold_is_no_longer_than_the_read_timeout_of_the_handle() {
    held_no_longer_than_the_application_reads("2", None, None);
}

#[test]
fn a_read_timeout_that_is_set_on_a_connected_handle_bounds_its_holds() {
    held_no_longer_than_the_application_reads("25", Some("2"), None);
}

#[test]
fn a_hold_limit_that_the_operator_has_set_outranks_the_read_timeout() {
    held_no_longer_than_the_application_reads("1", None, Some("3s"));
}
