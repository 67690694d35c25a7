//! Connects of the application while DNS is wrong, or servers refuse them in the middle of a switchover.

use pointsman_lab::{DnsMood, ENDPOINT, Flavor, Lab, Scenario, Side};
use pointsman_tests::{on_both, pair, puppet::Puppet, server_id, with_table};

on_both! { with_table;
    a_connect_that_dns_leads_to_nobody_reaches_the_writer_where_it_was
    a_connect_whose_name_is_unknown_to_dns_reaches_the_writer_where_it_was
    a_connect_that_is_refused_during_a_switchover_waits_for_the_writer
}

const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";

mod proofs {
    use super::*;

    fn reaches_blue(lab: &Lab, puppet: &mut Puppet) {
        puppet.connect("b");
        assert_eq!(puppet.query("b", "SELECT @@server_id"), server_id(lab, Side::Blue));
        assert!(!puppet.stderr().contains("holding"), "{}", puppet.stderr());
    }

    pub fn a_connect_that_dns_leads_to_nobody_reaches_the_writer_where_it_was(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        lab.dns().set(ENDPOINT, &[lab.spare_address()], 1).unwrap();
        reaches_blue(lab, &mut puppet);
    }

    pub fn a_connect_whose_name_is_unknown_to_dns_reaches_the_writer_where_it_was(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[]);
        puppet.connect("a");
        lab.dns().set_mood(DnsMood::NxDomain);
        reaches_blue(lab, &mut puppet);
    }

    pub fn a_connect_that_is_refused_during_a_switchover_waits_for_the_writer(lab: &Lab) {
        let mut puppet = Puppet::start(lab, &[("POINTSMAN_LOG_LEVEL", "debug")]);
        puppet.connect("a");
        lab.blue().set_read_only(true).unwrap();
        puppet.begin("a", "query", INSERT);
        puppet.wait_for_log("holding statements");
        lab.blue().refuse_connections(pointsman_lab::USER).unwrap();
        puppet.begin("b", "connect", "-");
        puppet.wait_for_log("a connect failed with error");
        lab.blue().admit_connections(pointsman_lab::USER).unwrap();
        pointsman_tests::switch(lab);
        assert_eq!([puppet.answer("a"), puppet.answer("b")], ["ok (1, 1)", "ok 'connected'"]);
        assert_eq!(puppet.query("b", "SELECT @@server_id"), server_id(lab, Side::Green));
    }
}

#[test]
fn a_server_that_says_that_it_is_offline_is_waited_for() {
    let Some(lab) = pair(Flavor::MySql) else { return };
    let mut puppet = Puppet::start(&lab, &[]);
    puppet.connect("a");
    lab.blue().refuse_connections(pointsman_lab::USER).unwrap();
    puppet.begin("b", "connect", "-");
    puppet.wait_for_log("holding statements");
    lab.blue().admit_connections(pointsman_lab::USER).unwrap();
    assert_eq!(puppet.answer("b"), "ok 'connected'");
}

#[test]
fn a_locked_account_without_a_switchover_is_the_applications_own_business() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let mut puppet = Puppet::start(&lab, &[]);
    puppet.connect("a");
    Scenario::new("locked")
        .step(
            std::time::Duration::ZERO,
            pointsman_lab::Action::Sql {
                side: Side::Blue,
                statements: format!("ALTER USER {}@'%' ACCOUNT LOCK", pointsman_lab::USER),
            },
        )
        .run(&lab, &mut |_| {})
        .unwrap();
    let answer = puppet.ask("b", "connect", "-");
    assert!(answer.starts_with("error 4151 "), "{answer}");
    assert_eq!(puppet.query("a", "SELECT @@server_id"), server_id(&lab, Side::Blue));
}
