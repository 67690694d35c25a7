//! How far apart generated ids are (`auto_increment_increment`): of several rows that one INSERT makes the application is told
//! the first id and reckons the others, so a session that is moved keeps its increment.

use std::time::Duration;

use pointsman_lab::{ENDPOINT, Lab, USER};
use pointsman_tests::{on_both, puppet::Puppet, switch, with_table};

on_both! { with_table;
    an_insert_of_several_rows_that_is_moved_gives_ids_as_far_apart_as_before
    a_session_that_is_moved_while_idle_or_lost_keeps_its_increment
    an_increment_that_the_application_chose_or_gave_up_is_its_own
    a_connection_that_is_opened_later_has_the_increment_of_its_server
    a_transaction_is_replayed_with_the_ids_that_it_was_told_or_not_at_all
}

const ASKS: &str = "SELECT @@auto_increment_increment";
const THREE: &str = "INSERT INTO t (v) VALUES ('a'), ('b'), ('c')";
const LAST_ID: &str = "SELECT LAST_INSERT_ID()";

#[track_caller]
fn fine(answer: String) -> String {
    assert!(answer.starts_with("ok"), "{answer}");
    answer
}

fn apart(lab: &Lab) {
    lab.green().sql("SET GLOBAL auto_increment_increment = 5, GLOBAL auto_increment_offset = 3").unwrap();
}

/// Green takes over without a refusal: DNS first, then every connection to blue is cut.
fn promote_and_cut(lab: &Lab) {
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(20)).unwrap();
    lab.green().stop_replication().unwrap();
    lab.green().set_read_only(false).unwrap();
    lab.blue().set_read_only(true).unwrap();
    lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
    lab.blue().drop_connections(USER).unwrap();
}

fn start(lab: &Lab, names: &[&'static str]) -> Puppet {
    apart(lab);
    let mut puppet = Puppet::start(lab, &[]);
    for name in names {
        puppet.connect(name);
        assert_eq!(puppet.query(name, ASKS), "ok ((1,),)");
    }
    puppet
}

/// The first of three ids, and all that are in the table from there on.
fn ids(lab: &Lab, puppet: &mut Puppet, name: &'static str) -> (u64, Vec<u64>) {
    fine(puppet.query(name, THREE));
    let answer = fine(puppet.query(name, LAST_ID));
    let first = answer.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    let there = lab.green().sql(&format!("SELECT id FROM shop.t WHERE id >= {first} ORDER BY id")).unwrap();
    (first, there.lines().map(|id| id.parse().unwrap()).collect())
}

#[track_caller]
fn are_apart(lab: &Lab, puppet: &mut Puppet, name: &'static str, by: u64) {
    let (first, there) = ids(lab, puppet, name);
    assert_eq!(there, [first, first + by, first + 2 * by], "{}", puppet.stderr());
}

mod proofs {
    use super::*;

    pub fn an_insert_of_several_rows_that_is_moved_gives_ids_as_far_apart_as_before(lab: &Lab) {
        let mut puppet = start(lab, &["a"]);
        switch(lab);
        are_apart(lab, &mut puppet, "a", 1);
        assert_eq!(puppet.query("a", "SELECT @@server_id"), "ok ((2,),)");
        // And back again, by a server whose ids are apart.
        are_apart(lab, &mut puppet, "a", 1);
    }

    pub fn a_session_that_is_moved_while_idle_or_lost_keeps_its_increment(lab: &Lab) {
        let mut puppet = start(lab, &["a", "b"]);
        promote_and_cut(lab);
        for name in ["a", "b"] {
            assert_eq!(puppet.query(name, ASKS), "ok ((1,),)", "{}", puppet.stderr());
            are_apart(lab, &mut puppet, name, 1);
        }
        assert_eq!(puppet.query("a", "SELECT @@auto_increment_offset"), "ok ((3,),)", "that keeps servers apart");
        // Lost once more, on green.
        lab.green().drop_connections(USER).unwrap();
        for name in ["a", "b"] {
            are_apart(lab, &mut puppet, name, 1);
        }
    }

    pub fn an_increment_that_the_application_chose_or_gave_up_is_its_own(lab: &Lab) {
        let mut puppet = start(lab, &["chosen", "reset"]);
        fine(puppet.query("chosen", "SET auto_increment_increment = 7, auto_increment_offset = 1"));
        promote_and_cut(lab);
        assert_eq!(puppet.query("chosen", ASKS), "ok ((7,),)");
        assert_eq!(puppet.query("reset", ASKS), "ok ((1,),)");
        fine(puppet.query("reset", "SET auto_increment_increment = 2"));
        lab.green().drop_connections(USER).unwrap();
        assert_eq!(puppet.query("reset", ASKS), "ok ((2,),)");
    }

    pub fn a_connection_that_is_opened_later_has_the_increment_of_its_server(lab: &Lab) {
        let mut puppet = start(lab, &["a"]);
        switch(lab);
        fine(puppet.query("a", "INSERT INTO t (v) VALUES ('x')"));
        puppet.connect("later");
        assert_eq!(puppet.query("later", ASKS), "ok ((5,),)");
        are_apart(lab, &mut puppet, "later", 5);
        lab.green().drop_connections(USER).unwrap();
        assert_eq!(puppet.query("later", ASKS), "ok ((5,),)");
        assert_eq!(puppet.query("a", ASKS), "ok ((1,),)");
    }

    pub fn a_transaction_is_replayed_with_the_ids_that_it_was_told_or_not_at_all(lab: &Lab) {
        let mut puppet = start(lab, &["follow", "apart"]);
        fine(puppet.query("apart", "SET auto_increment_increment = 5"));
        let mut told = vec![];
        for name in ["follow", "apart"] {
            fine(puppet.query(name, "BEGIN"));
            fine(puppet.query(name, THREE));
            told.push(fine(puppet.query(name, LAST_ID)));
        }
        switch(lab);
        for (name, told) in ["follow", "apart"].into_iter().zip(told) {
            let first: u64 = told.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
            let answer = puppet.query(name, &format!("INSERT INTO t (v) VALUES ('child of {first}')"));
            if name == "apart" {
                // Its increment goes with it, and the offset is green's: other ids.
                assert!(answer.starts_with("error 1213 "), "{answer}: {}", puppet.stderr());
                continue;
            }
            fine(answer);
            fine(puppet.query(name, "COMMIT"));
            let there = lab.green().sql("SELECT GROUP_CONCAT(id ORDER BY id) FROM shop.t WHERE v IN ('a', 'b', 'c')");
            assert_eq!(there.unwrap().trim(), format!("{first},{},{}", first + 1, first + 2), "{}", puppet.stderr());
        }
    }
}
