//! Servers that answer and do not serve, and reads that are the death of their server.

use std::{
    thread,
    time::{Duration, Instant},
};

use pointsman_lab::{ENDPOINT, Flavor, Lab, Side, USER};
use pointsman_tests::{on_both, pair, puppet::Puppet, run::Preload, server_id, wait_for, with_table};

const WHO: &str = "SELECT @@server_id";
const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";

on_both! { with_table;
    a_read_that_is_the_death_of_its_server_reaches_one_more_and_no_third
    a_read_that_was_cut_off_by_a_death_that_it_did_not_cause_is_run_again
}

/// Is a statement that begins like this running there?
fn runs(lab: &Lab, text: &str) -> bool {
    let count = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE";
    lab.blue().sql(&format!("{count} '{text}%'")).is_ok_and(|count| count != "0")
}

/// What a supervisor does. How often it had to.
fn kill_whenever_it_runs(lab: &Lab, text: &str, until: impl Fn() -> bool) -> u32 {
    let mut deaths = 0;
    while !until() {
        if runs(lab, text) {
            lab.blue().kill9();
            deaths += 1;
            lab.blue().start().unwrap();
        }
        thread::sleep(Duration::from_millis(20));
    }
    deaths
}

mod proofs {
    use super::*;

    pub fn a_read_that_is_the_death_of_its_server_reaches_one_more_and_no_third(lab: &Lab) {
        lab.blue().set_starts_read_only(false);
        let mut deaths = Vec::new();
        for preload in [Preload::Bare, Preload::Preloaded] {
            let mut program = Puppet::start_as(lab, preload, &[]);
            program.connect("a");
            assert!(program.query("a", INSERT).starts_with("ok"));
            // It sleeps so that its death can come.
            program.begin("a", "query", "SELECT SUM(SLEEP(2)) FROM t WHERE v = 'x' /* deadly */");
            let told = std::cell::RefCell::new(None);
            let program = std::cell::RefCell::new(program);
            let began = Instant::now();
            let count = kill_whenever_it_runs(lab, "SELECT SUM(SLEEP", || {
                if told.borrow().is_none() {
                    *told.borrow_mut() = program.borrow_mut().answer_if_there("a");
                }
                told.borrow().is_some() || began.elapsed() > Duration::from_secs(50)
            });
            let told = told.into_inner().expect("an answer");
            println!("{preload:?}: {count} deaths, {told}");
            assert!(told.starts_with("error 20"), "{told}: {}", program.borrow().stderr());
            deaths.push(count);
        }
        assert_eq!(deaths[0], 1);
        assert!(deaths[1] <= 2, "{deaths:?}");
    }

    pub fn a_read_that_was_cut_off_by_a_death_that_it_did_not_cause_is_run_again(lab: &Lab) {
        lab.blue().set_starts_read_only(false);
        let mut program = Puppet::start(lab, &[]);
        program.connect("a");
        assert!(program.query("a", INSERT).starts_with("ok"));
        for _ in 0..3 {
            program.begin("a", "query", "SELECT SUM(SLEEP(1)), @@server_id FROM t");
            wait_for("the read to run", || runs(lab, "SELECT SUM(SLEEP"));
            lab.blue().kill9();
            lab.blue().start().unwrap();
            let answer = program.answer("a");
            assert!(answer.starts_with("ok"), "{answer}: {}", program.stderr());
        }
    }
}

/// DNS names both. An account with the right to it is let in, and would not be there as a user of the application.
#[test]
fn a_server_that_is_offline_is_not_adopted_although_it_accepts_writes_of_this_account() {
    let Some(lab) = pair(Flavor::MySql) else { return };
    with_table(&lab);
    for side in [Side::Blue, Side::Green] {
        lab.server(side).sql("SELECT 1").unwrap();
    }
    lab.blue().sql(&format!("GRANT CONNECTION_ADMIN ON *.* TO {USER}@'%'")).unwrap();
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(20)).unwrap();
    let mut program = Puppet::start(&lab, &[("POINTSMAN_LOG_LEVEL", "debug")]);
    program.connect("a");
    assert!(program.query("a", INSERT).starts_with("ok"));
    lab.green().stop_replication().unwrap();
    lab.green().sql("SET GLOBAL read_only = 0; SET GLOBAL offline_mode = 1").unwrap();
    lab.blue().sql(&format!("REVOKE CONNECTION_ADMIN ON *.* FROM {USER}@'%'")).unwrap();
    lab.blue().set_read_only(true).unwrap();
    lab.blue().drop_connections(USER).unwrap();
    lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
    program.begin("a", "query", INSERT);
    program.wait_for_log(&format!("candidate {} is Unfit", lab.green().address()));
    assert!(program.is_waiting("a"), "{}", program.stderr());
    lab.green().sql("SET GLOBAL offline_mode = 0").unwrap();
    assert!(program.answer("a").starts_with("ok (1, "), "{}", program.stderr());
    assert_eq!(program.query("a", WHO), server_id(&lab, Side::Green));
}
