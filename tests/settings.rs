//! Every setting does what the README says, on a real switchover.

use pointsman_lab::{Flavor, Lab, Side};
use pointsman_tests::{pair, puppet::Puppet, server_id, switch, with_table};

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
