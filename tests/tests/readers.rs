//! A pool of readers under one name: its rotation means nothing, and the death of one of them is no error for reads.

use std::{net::Ipv4Addr, thread};

use pointsman_lab::{Lab, READERS, Side};
use pointsman_tests::{on_both, puppet::Puppet, server_id, wait_for};

const WHO: &str = "SELECT @@server_id";
/// Two questions of the watcher, for A and AAAA, and the two before them, which may have been under way.
const TWO_ROUNDS: u64 = 4;

on_both! { set_up;
    the_rotation_of_the_name_touches_no_connection
    idle_connections_of_a_reader_that_died_are_on_another_at_their_next_read_while_dns_still_names_both
    a_read_in_flight_on_a_reader_that_dies_is_run_again_on_another
}

/// Two read-only servers with the same row.
fn set_up(lab: &Lab) {
    lab.blue().sql("INSERT INTO shop.orders (worker, seq) VALUES (0, 0)").unwrap();
    lab.green().wait_caught_up(lab.blue(), std::time::Duration::from_secs(20)).unwrap();
    lab.blue().set_read_only(true).unwrap();
}

fn name(lab: &Lab, sides: &[Side]) {
    let addresses: Vec<Ipv4Addr> = sides.iter().map(|side| lab.server(*side).ip()).collect();
    lab.dns().set(READERS, &addresses, 1).unwrap();
}

fn program(lab: &Lab) -> Puppet {
    Puppet::start(lab, &[("LAB_HOST", READERS)])
}

/// Opens connections that are on that side.
fn connect(program: &mut Puppet, lab: &Lab, side: Side, names: &[&'static str]) {
    name(lab, &[side]);
    for connection in names {
        program.connect(connection);
        assert_eq!(program.query(connection, WHO), server_id(lab, side));
    }
}

mod proofs {
    use super::*;

    pub fn the_rotation_of_the_name_touches_no_connection(lab: &Lab) {
        let names = ["busy-on-blue", "idle-on-blue", "busy-on-green", "idle-on-green"];
        let mut program = program(lab);
        connect(&mut program, lab, Side::Blue, &names[..2]);
        connect(&mut program, lab, Side::Green, &names[2..]);
        let identity = |program: &mut Puppet, name| program.query(name, "SELECT @@server_id, CONNECTION_ID()");
        let before = names.map(|name| identity(&mut program, name));
        for named in [&[Side::Blue][..], &[Side::Green], &[Side::Blue, Side::Green]] {
            name(lab, named);
            let asked = lab.dns().queries(READERS);
            wait_for("the watcher to see the rotation", || lab.dns().queries(READERS) >= asked + TWO_ROUNDS);
            for (busy, before) in names.iter().zip(&before).step_by(2) {
                assert_eq!(identity(&mut program, busy), *before, "{busy}, {}", program.stderr());
            }
        }
        let after = names.map(|name| identity(&mut program, name));
        assert_eq!(after, before, "{names:?}, {}", program.stderr());
    }

    pub fn idle_connections_of_a_reader_that_died_are_on_another_at_their_next_read_while_dns_still_names_both(
        lab: &Lab,
    ) {
        let mut program = program(lab);
        connect(&mut program, lab, Side::Green, &["healthy"]);
        connect(&mut program, lab, Side::Blue, &["one", "two"]);
        let healthy = program.query("healthy", "SELECT CONNECTION_ID()");
        name(lab, &[Side::Blue, Side::Green]);
        lab.blue().kill9();
        for idle in ["one", "two"] {
            assert_eq!(program.query(idle, WHO), server_id(lab, Side::Green), "{}", program.stderr());
        }
        assert_eq!(program.query("healthy", "SELECT CONNECTION_ID()"), healthy, "who was well stays where it is");
    }

    pub fn a_read_in_flight_on_a_reader_that_dies_is_run_again_on_another(lab: &Lab) {
        let mut program = program(lab);
        connect(&mut program, lab, Side::Blue, &["reader"]);
        thread::scope(|scope| {
            // The crash ends it.
            scope.spawn(|| lab.blue().sql("LOCK TABLES shop.orders WRITE; SELECT SLEEP(60)"));
            let running = |text: &str| {
                let count = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE";
                lab.blue().sql(&format!("{count} '{text}%'")).unwrap() != "0"
            };
            wait_for("the table to be locked", || running("SELECT SLEEP"));
            program.begin("reader", "query", "SELECT @@server_id FROM orders");
            wait_for("the read to wait for the table", || running("SELECT @@server_id FROM"));
            lab.blue().kill9();
            name(lab, &[Side::Green]);
        });
        assert_eq!(program.answer("reader"), server_id(lab, Side::Green), "{}", program.stderr());
    }
}
