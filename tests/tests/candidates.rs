//! Where the writer is looked for: candidates that the operator named, before or without DNS; and DNS itself, at once.

use pointsman_lab::{ENDPOINT, Lab, Side};
use pointsman_tests::{on_both, puppet::Puppet, server_id, with_table};

on_both! { with_table;
    a_candidate_is_adopted_before_dns_moves_once_the_writer_says_that_it_is_read_only
    a_candidate_by_name_is_adopted_too
    a_writable_candidate_is_not_adopted_while_the_writer_answers
    a_candidate_of_another_endpoint_is_not_adopted
    dns_is_asked_at_once_when_a_write_is_refused_however_long_its_answers_live
}

const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";

/// Blue is read-only and green writable with everything; DNS still says blue.
fn switch_without_dns(lab: &Lab) {
    lab.blue().set_read_only(true).unwrap();
    lab.green().wait_caught_up(lab.blue(), std::time::Duration::from_secs(30)).unwrap();
    lab.green().stop_replication().unwrap();
    lab.green().set_read_only(false).unwrap();
}

mod proofs {
    use super::*;

    pub fn a_candidate_is_adopted_before_dns_moves_once_the_writer_says_that_it_is_read_only(lab: &Lab) {
        let entry = format!("{ENDPOINT}={}", lab.green().ip());
        let mut puppet = Puppet::start(lab, &[("POINTSMAN_CANDIDATES", &entry)]);
        puppet.connect("a");
        switch_without_dns(lab);
        assert_eq!(puppet.query("a", INSERT), "ok (1, 1)");
        assert_eq!(puppet.query("a", "SELECT @@server_id"), server_id(lab, Side::Green));
        // DNS still leads to blue; the application does not see where it landed.
        puppet.connect("b");
        assert_eq!(puppet.query("b", "SELECT @@server_id"), server_id(lab, Side::Green));
    }

    pub fn a_candidate_by_name_is_adopted_too(lab: &Lab) {
        lab.dns().set("standby.lab.test", &[lab.green().ip()], 1).unwrap();
        let entry = format!("{ENDPOINT}=standby.lab.test");
        let mut puppet = Puppet::start(lab, &[("POINTSMAN_CANDIDATES", &entry)]);
        puppet.connect("a");
        switch_without_dns(lab);
        assert_eq!(puppet.query("a", INSERT), "ok (1, 1)");
        assert_eq!(puppet.query("a", "SELECT @@server_id"), server_id(lab, Side::Green));
    }

    pub fn a_writable_candidate_is_not_adopted_while_the_writer_answers(lab: &Lab) {
        let entry = format!("{ENDPOINT}={}", lab.green().ip());
        let mut puppet = Puppet::start(lab, &[("POINTSMAN_CANDIDATES", &entry)]);
        puppet.connect("a");
        lab.green().stop_replication().unwrap();
        lab.green().set_read_only(false).unwrap();
        lab.blue().drop_connections(pointsman_lab::USER).unwrap();
        assert_eq!(puppet.query("a", INSERT), "ok (1, 1)");
        assert_eq!(puppet.query("a", "SELECT @@server_id"), server_id(lab, Side::Blue));
    }

    pub fn a_candidate_of_another_endpoint_is_not_adopted(lab: &Lab) {
        let entry = format!("users.lab.test={}", lab.green().ip());
        let settings = [("POINTSMAN_CANDIDATES", entry.as_str()), ("POINTSMAN_HOLD_MAX", "1s")];
        let mut puppet = Puppet::start(lab, &settings);
        puppet.connect("a");
        switch_without_dns(lab);
        assert!(puppet.query("a", INSERT).starts_with("error 1290 "));
        assert_eq!(puppet.query("a", "SELECT @@server_id"), server_id(lab, Side::Blue));
    }

    pub fn dns_is_asked_at_once_when_a_write_is_refused_however_long_its_answers_live(lab: &Lab) {
        lab.dns().set(ENDPOINT, &[lab.blue().ip()], 60).unwrap();
        // DNS was asked when the connection was opened, and is not asked again for nearly 5 s.
        let settings = [("POINTSMAN_HOLD_MAX", "2s"), ("POINTSMAN_LOG_LEVEL", "info")];
        let mut puppet = Puppet::start(lab, &settings);
        puppet.connect("a");
        puppet.wait_for_log("DNS answers");
        switch_without_dns(lab);
        lab.dns().set(ENDPOINT, &[lab.green().ip()], 60).unwrap();
        assert_eq!(puppet.query("a", INSERT), "ok (1, 1)", "{}", puppet.stderr());
    }
}
