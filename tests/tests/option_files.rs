//! The application names no host: an option file does, or the application gives a list of hosts. What its client library looks
//! up is the endpoint.

use std::time::Duration;

use pointsman_lab::{ENDPOINT, Flavor, Lab, Scenario, Side, Workload};
use pointsman_tests::{
    on_both, pair,
    puppet::Puppet,
    server_id,
    story::{DNS_LAG, OUTAGE, lives_through, protected},
    with_table,
};

const WHO: &str = "SELECT @@server_id";
const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";
/// A name of the second server alone.
const OTHER: &str = "db-other.lab.test";

/// A driver that gets its host from the option file of the lab.
fn rides_through(workload: Workload) {
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Some(lab) = pair(flavor) else { return };
        let mut options = protected(flavor).host("").env("LAB_PORT", "0");
        options.tls = true;
        let story = Scenario::failover(OUTAGE, DNS_LAG);
        let audit = lives_through(&lab, workload, options, &story, || lab.green());
        assert!(audit.is_spotless(), "{workload} on {flavor}: {audit}");
    }
}

#[test]
fn mysql2_with_a_default_file_shows_no_error() {
    rides_through(Workload::Mysql2);
}

#[test]
fn mysqldb_with_a_read_default_file_shows_no_error() {
    rides_through(Workload::MySqlDb);
}

#[test]
fn dbd_mysql_with_a_read_default_file_shows_no_error() {
    rides_through(Workload::Dbd);
}

fn by_option_file(lab: &Lab) -> Puppet {
    let file = lab.tls_options_path();
    let file = file.to_str().unwrap();
    let variables = [("LAB_HOST", ""), ("LAB_PORT", "0"), ("LAB_TLS_OPTIONS", file), ("POINTSMAN_LOG_LEVEL", "info")];
    Puppet::start(lab, &variables)
}

fn by_list(lab: &Lab) -> Puppet {
    lab.dns().set(OTHER, &[lab.green().ip()], 1).unwrap();
    let list = format!("{ENDPOINT},{OTHER}");
    Puppet::start(lab, &[("LAB_HOST", &list), ("POINTSMAN_LOG_LEVEL", "info")])
}

/// All that blue has committed is on green.
fn catch_up(lab: &Lab) {
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(30)).unwrap();
}

fn promote_green(lab: &Lab) {
    lab.green().stop_replication().unwrap();
    lab.green().set_read_only(false).unwrap();
}

on_both! { with_table;
    a_connect_by_an_option_file_waits_for_the_writer_that_comes
    an_open_connection_by_an_option_file_follows_its_name
}

mod proofs {
    use super::*;

    pub fn an_open_connection_by_an_option_file_follows_its_name(lab: &Lab) {
        let mut puppet = by_option_file(lab);
        puppet.connect("a");
        assert!(puppet.query("a", INSERT).starts_with("ok"));
        puppet.wait_for_log(&format!("{ENDPOINT}:3306: protected"));
        lab.blue().set_read_only(true).unwrap();
        catch_up(lab);
        promote_green(lab);
        lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
        let answer = puppet.query("a", INSERT);
        assert!(answer.starts_with("ok"), "{answer}: {}", puppet.stderr());
        assert_eq!(puppet.query("a", WHO), server_id(lab, Side::Green));
    }

    pub fn a_connect_by_an_option_file_waits_for_the_writer_that_comes(lab: &Lab) {
        let mut puppet = by_option_file(lab);
        puppet.connect("a");
        assert!(puppet.query("a", INSERT).starts_with("ok"));
        catch_up(lab);
        lab.blue().kill9();
        puppet.begin("b", "connect", "-");
        puppet.wait_for_log("holding statements");
        assert!(puppet.is_waiting("b"), "{}", puppet.stderr());
        promote_green(lab);
        lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
        assert_eq!(puppet.answer("b"), "ok 'connected'", "{}", puppet.stderr());
        assert_eq!(puppet.query("b", WHO), server_id(lab, Side::Green));
        assert!(puppet.query("a", INSERT).starts_with("ok"), "{}", puppet.stderr());
    }
}

/// libmariadb alone takes a list.
#[test]
fn a_connection_by_a_list_of_hosts_goes_on_to_the_next_host_when_its_own_is_gone_for_good() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    with_table(&lab);
    let mut puppet = by_list(&lab);
    puppet.connect("a");
    assert!(puppet.query("a", INSERT).starts_with("ok"));
    puppet.wait_for_log(&format!("{ENDPOINT}:3306: protected"));
    catch_up(&lab);
    lab.blue().kill9();
    promote_green(&lab);
    let answer = puppet.query("a", INSERT);
    assert!(answer.starts_with("ok"), "{answer}: {}", puppet.stderr());
    assert_eq!(puppet.query("a", WHO), server_id(&lab, Side::Green));
}
