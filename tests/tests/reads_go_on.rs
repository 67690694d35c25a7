//! A writer that is read-only for a while, on purpose, and nobody else is the writer: what needs no writer goes on.

use std::{
    thread,
    time::{Duration, Instant},
};

use pointsman_lab::{ENDPOINT, Lab, Side, USER};
use pointsman_tests::{on_both, puppet::Puppet, server_id, switch, wait_for, with_table};

const WHO: &str = "SELECT @@server_id";
const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";
/// Far below what a hold takes.
const AT_ONCE: Duration = Duration::from_secs(4);
/// A hold takes 60 s.
const EARLY: Duration = Duration::from_secs(20);

on_both! { with_table;
    reads_and_pings_and_connects_go_on_while_writes_wait_for_the_same_server
    a_read_on_a_connection_that_was_ended_goes_on_too
    reads_go_on_while_the_server_that_dns_names_is_read_only_too
    reads_go_where_dns_leads_when_the_writer_is_gone
    an_account_that_may_write_to_a_read_only_server_goes_on_when_one_of_its_connections_is_ended
}

/// A write that is held.
fn held(lab: &Lab, program: &mut Puppet) {
    program.connect("writer");
    assert!(program.query("writer", INSERT).starts_with("ok"));
    program.connect("reader");
    assert_eq!(program.query("reader", WHO), server_id(lab, Side::Blue));
    lab.blue().set_read_only(true).unwrap();
    program.begin("writer", "query", INSERT);
    program.wait_for_log("holding statements");
}

fn at_once(program: &mut Puppet, name: &'static str, operation: &str, argument: &str) -> String {
    let began = Instant::now();
    let answer = program.ask(name, operation, argument);
    assert!(began.elapsed() < AT_ONCE, "{operation} {argument}: {:?}; {}", began.elapsed(), program.stderr());
    answer
}

mod proofs {
    use super::*;

    pub fn reads_and_pings_and_connects_go_on_while_writes_wait_for_the_same_server(lab: &Lab) {
        let mut program = Puppet::start(lab, &[]);
        held(lab, &mut program);
        let blue = server_id(lab, Side::Blue);
        for _ in 0..20 {
            assert_eq!(at_once(&mut program, "reader", "query", WHO), blue);
            assert_eq!(at_once(&mut program, "reader", "call", "ping"), "ok None");
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(at_once(&mut program, "new", "connect", "-"), "ok 'connected'");
        assert_eq!(at_once(&mut program, "new", "query", WHO), blue);
        assert_eq!(at_once(&mut program, "new", "query", "BEGIN"), "ok (0, 0)");
        assert_eq!(at_once(&mut program, "new", "query", WHO), blue);
        assert_eq!(at_once(&mut program, "new", "query", "COMMIT"), "ok (0, 0)");
        program.begin("new", "query", INSERT);
        thread::sleep(Duration::from_secs(1));
        assert!(program.is_waiting("writer") && program.is_waiting("new"), "{}", program.stderr());
        lab.blue().set_read_only(false).unwrap();
        for name in ["writer", "new"] {
            let answer = program.answer(name);
            assert!(answer.starts_with("ok (1, "), "{answer}: {}", program.stderr());
        }
    }

    pub fn a_read_on_a_connection_that_was_ended_goes_on_too(lab: &Lab) {
        let mut program = Puppet::start(lab, &[]);
        held(lab, &mut program);
        let id = program.query("reader", "SELECT CONNECTION_ID()");
        lab.blue().sql(&format!("KILL {}", id.trim_matches(|c: char| !c.is_ascii_digit()))).unwrap();
        assert_eq!(at_once(&mut program, "reader", "query", WHO), server_id(lab, Side::Blue));
        switch(lab);
        assert_eq!(program.answer("writer"), "ok (1, 2)", "{}", program.stderr());
        assert_eq!(program.query("reader", WHO), server_id(lab, Side::Green));
    }

    /// Neither takes writes, so what blue has is the newest.
    pub fn reads_go_on_while_the_server_that_dns_names_is_read_only_too(lab: &Lab) {
        let mut program = Puppet::start(lab, &[("POINTSMAN_LOG_LEVEL", "info")]);
        held(lab, &mut program);
        assert_eq!(at_once(&mut program, "reader", "query", WHO), server_id(lab, Side::Blue));
        lab.dns().set(ENDPOINT, &[lab.green().ip()], 1).unwrap();
        program.wait_for_log(&format!("DNS answers [{}]", lab.green().ip()));
        for _ in 0..20 {
            assert_eq!(at_once(&mut program, "reader", "query", WHO), server_id(lab, Side::Blue));
            thread::sleep(Duration::from_millis(50));
        }
        assert!(program.is_waiting("writer"), "{}", program.stderr());
        switch(lab);
        wait_for("the reader to follow", || program.query("reader", WHO) == server_id(lab, Side::Green));
        assert_eq!(program.answer("writer"), "ok (1, 2)", "{}", program.stderr());
    }

    /// A failover in which DNS moves long before the promotion.
    pub fn reads_go_where_dns_leads_when_the_writer_is_gone(lab: &Lab) {
        let mut program = Puppet::start(lab, &[("POINTSMAN_LOG_LEVEL", "debug")]);
        held(lab, &mut program);
        let (green, writer) = (server_id(lab, Side::Green), lab.green());
        lab.dns().set(ENDPOINT, &[writer.ip()], 1).unwrap();
        lab.blue().kill9();
        let began = Instant::now();
        for _ in 0..5 {
            assert_eq!(program.query("reader", WHO), green, "{}", program.stderr());
        }
        program.connect("new");
        assert_eq!(program.query("new", WHO), green, "{}", program.stderr());
        assert!(began.elapsed() < EARLY, "{:?}; {}", began.elapsed(), program.stderr());
        assert!(program.is_waiting("writer"), "{}", program.stderr());
        program.begin("reader", "query", INSERT);
        writer.set_read_only(false).unwrap();
        for name in ["writer", "reader"] {
            let answer = program.answer(name);
            assert!(answer.starts_with("ok (1, "), "{answer}: {}", program.stderr());
        }
    }

    pub fn an_account_that_may_write_to_a_read_only_server_goes_on_when_one_of_its_connections_is_ended(lab: &Lab) {
        let right = match lab.blue().flavor() {
            pointsman_tests::Flavor::MariaDb => "READ ONLY ADMIN",
            pointsman_tests::Flavor::MySql => "CONNECTION_ADMIN",
        };
        lab.blue().sql(&format!("GRANT {right} ON *.* TO {USER}@'%'")).unwrap();
        let mut program = Puppet::start(lab, &[]);
        for name in ["a", "b"] {
            program.connect(name);
            assert!(program.query(name, INSERT).starts_with("ok"));
        }
        lab.blue().set_read_only(true).unwrap();
        assert!(program.query("a", INSERT).starts_with("ok"), "the account is exempt");
        let id = program.query("a", "SELECT CONNECTION_ID()");
        let id = id.trim_matches(|c: char| !c.is_ascii_digit());
        lab.blue().sql(&format!("KILL {id}")).unwrap();
        let gone = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
        wait_for("the connection to end", || lab.blue().sql(&gone).unwrap() == "0");
        for _ in 0..5 {
            for name in ["a", "b"] {
                assert!(at_once(&mut program, name, "query", INSERT).starts_with("ok (1, "), "{}", program.stderr());
            }
        }
    }
}
