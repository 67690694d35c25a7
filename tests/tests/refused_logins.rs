//! A server that answers a login with no: that is about this login, and not about the server. No account may be locked by
//! connections that log in again by themselves, and nobody else waits for them.

use std::time::{Duration, Instant};

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, Side};
use pointsman_tests::{
    dialogue::{Dialogue, Driver},
    on_both, pair,
    puppet::Puppet,
    run::Preload,
    server_id, switch, with_table,
};

const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";
const WHO: &str = "SELECT @@server_id";
/// Far below the 30 s and 60 s that a hold takes.
const AT_ONCE: Duration = Duration::from_secs(8);
const POOL: [&str; 5] = ["a", "b", "c", "d", "e"];

on_both! { with_pooled_account;
    connections_whose_password_was_rotated_are_lost_at_once_and_lock_no_account
    healthy_connections_go_on_while_another_ones_old_password_is_refused
    behind_a_switchover_connections_with_an_old_password_are_lost_and_never_read_from_the_old_writer
    a_login_that_the_new_writer_alone_refuses_loses_its_connection_at_once
    connections_that_the_new_writer_has_no_room_for_are_lost_in_the_end
    a_refused_login_is_told_from_a_lost_one_with_every_client_library
}

/// An account of its own, which a few wrong passwords lock.
fn with_pooled_account(lab: &Lab) {
    with_table(lab);
    let account = "CREATE USER pooled@'%' IDENTIFIED BY 'one'";
    let rights = format!("GRANT ALL ON {DATABASE}.* TO pooled@'%'");
    if lab.blue().flavor() == Flavor::MySql {
        lab.blue().sql(&format!("{account} FAILED_LOGIN_ATTEMPTS 3 PASSWORD_LOCK_TIME 1; {rights}")).unwrap();
    } else {
        for side in [Side::Blue, Side::Green] {
            lab.server(side).sql("SET GLOBAL max_password_errors = 3").unwrap();
        }
        lab.blue().sql(&format!("{account}; {rights}")).unwrap();
    }
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(20)).unwrap();
}

fn rotate(lab: &Lab) {
    lab.blue().sql("ALTER USER pooled@'%' IDENTIFIED BY 'two'").unwrap();
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(20)).unwrap();
}

fn pool(lab: &Lab, preload: Preload) -> Puppet {
    let mut program = Puppet::start_as(lab, preload, &[]);
    for name in POOL {
        assert_eq!(program.ask(name, "connect", "pooled one"), "ok 'connected'");
        assert!(program.query(name, WHO).starts_with("ok"));
    }
    program
}

/// Logins that a server has turned away so far.
fn turned_away(lab: &Lab, side: Side) -> u32 {
    let status = lab.server(side).sql("SHOW GLOBAL STATUS LIKE 'Aborted_connects'").unwrap();
    status.split_whitespace().last().unwrap().parse().unwrap()
}

/// What each connection of the pool is told, all asked at once, and when the last was.
fn all_ask(program: &mut Puppet, names: &[&'static str], text: &str) -> (Vec<String>, Duration) {
    let began = Instant::now();
    names.iter().for_each(|name| program.begin(name, "query", text));
    let told = names.iter().map(|name| program.answer(name)).collect();
    (told, began.elapsed())
}

fn are_lost(told: &[String], program: &Puppet) {
    for told in told {
        // 2026: libmariadb's own word for it under TLS.
        let is_loss = ["error 2006 ", "error 2013 ", "error 2026 "].iter().any(|loss| told.starts_with(loss));
        assert!(is_loss, "{told}: {}", program.stderr());
    }
}

/// A process that is told nothing by others.
fn alone(lab: &Lab, driver: Driver) -> Dialogue {
    Dialogue::with(lab, driver, Preload::Preloaded, |command| {
        command.env("POINTSMAN_STATE_DIR", "none");
    })
}

mod proofs {
    use super::*;

    pub fn a_refused_login_is_told_from_a_lost_one_with_every_client_library(lab: &Lab) {
        let drivers = [Driver::LibMariaDb, Driver::LibMySqlClient].into_iter().filter(|driver| driver.is_available());
        let mut clients: Vec<_> = drivers.map(|driver| (driver, alone(lab, driver))).collect();
        for (driver, client) in &mut clients {
            let connect = format!("connect 0 {ENDPOINT} 3306 - pooled one {DATABASE}");
            assert_eq!(client.ask(&connect), "ok", "{driver:?}");
        }
        rotate(lab);
        switch(lab);
        let before = turned_away(lab, Side::Green);
        for (driver, client) in &mut clients {
            // Its old connection is alive.
            let (began, told) = (Instant::now(), client.query(INSERT));
            assert!(told.starts_with("error 20"), "{driver:?}: {told}");
            assert!(began.elapsed() < AT_ONCE, "{driver:?}: {}", client.stderr());
            assert!(client.stderr().contains("refuses this login"), "{driver:?}: {}", client.stderr());
        }
        assert!(turned_away(lab, Side::Green) - before <= 3, "each tells the server once, or it fails the account");
    }

    pub fn connections_whose_password_was_rotated_are_lost_at_once_and_lock_no_account(lab: &Lab) {
        for preload in [Preload::Bare, Preload::Preloaded] {
            let mut program = pool(lab, preload);
            rotate(lab);
            lab.blue().drop_connections("pooled").unwrap();
            let before = turned_away(lab, Side::Blue);
            let (told, took) = all_ask(&mut program, &POOL, WHO);
            println!("{preload:?}: {told:?} after {took:?}");
            are_lost(&told, &program);
            assert!(took < AT_ONCE, "{preload:?}, {took:?}: {}", program.stderr());
            let tried = turned_away(lab, Side::Blue) - before;
            // One of them may be a connection that only looked for the server's greeting.
            assert!(tried <= 2, "{tried} logins with the old password: {}", program.stderr());
            for name in POOL {
                assert_eq!(program.ask(name, "connect", "pooled two"), "ok 'connected'");
                assert_eq!(program.query(name, WHO), server_id(lab, Side::Blue));
            }
            if preload == Preload::Preloaded {
                let log = program.stderr();
                let said: Vec<_> = log.lines().filter(|line| line.contains("refuses this login")).collect();
                assert_eq!(said.len(), 1, "{log}");
                assert!(said[0].contains("1045") && said[0].contains("WARN"), "{log}");
                assert!(!log.contains("'one'") && !log.contains("holding"), "{log}");
            }
            lab.blue().sql("ALTER USER pooled@'%' IDENTIFIED BY 'one'").unwrap();
        }
    }

    pub fn healthy_connections_go_on_while_another_ones_old_password_is_refused(lab: &Lab) {
        let mut program = pool(lab, Preload::Preloaded);
        let id = program.query("a", "SELECT CONNECTION_ID()");
        rotate(lab);
        lab.blue().sql(&format!("KILL {}", id.trim_matches(|c: char| !c.is_ascii_digit()))).unwrap();
        let (told, took) = all_ask(&mut program, &POOL, INSERT);
        are_lost(&told[..1], &program);
        assert!(told[1..].iter().all(|told| told.starts_with("ok (1, ")), "{told:?}: {}", program.stderr());
        assert!(took < AT_ONCE, "{took:?}: {}", program.stderr());
    }

    pub fn behind_a_switchover_connections_with_an_old_password_are_lost_and_never_read_from_the_old_writer(lab: &Lab) {
        let mut program = pool(lab, Preload::Preloaded);
        rotate(lab);
        let before = turned_away(lab, Side::Green);
        switch(lab);
        let (told, took) = all_ask(&mut program, &POOL[..1], INSERT);
        are_lost(&told, &program);
        assert!(took < AT_ONCE, "{took:?}: {}", program.stderr());
        // The pool's new login finds the new writer.
        assert_eq!(program.ask("a", "connect", "pooled two"), "ok 'connected'");
        assert_eq!(program.query("a", INSERT), "ok (1, 1)", "{}", program.stderr());
        assert_eq!(program.query("a", WHO), server_id(lab, Side::Green));
        let (told, took) = all_ask(&mut program, &POOL[1..], WHO);
        are_lost(&told, &program);
        assert!(took < AT_ONCE, "{took:?}: {}", program.stderr());
        let tried = turned_away(lab, Side::Green) - before;
        assert!(tried <= 2, "{tried} logins with the old password: {}", program.stderr());
    }

    /// No password is wrong: the account may not use this database there.
    pub fn a_login_that_the_new_writer_alone_refuses_loses_its_connection_at_once(lab: &Lab) {
        let mut program = pool(lab, Preload::Preloaded);
        lab.green().local(&format!("REVOKE ALL ON {DATABASE}.* FROM pooled@'%'")).unwrap();
        switch(lab);
        let (told, took) = all_ask(&mut program, &POOL, INSERT);
        are_lost(&told, &program);
        assert!(took < AT_ONCE, "{took:?}: {}", program.stderr());
        assert!(program.stderr().contains("refuses this login (error 1044"), "{}", program.stderr());
    }

    pub fn connections_that_the_new_writer_has_no_room_for_are_lost_in_the_end(lab: &Lab) {
        let mut program = pool(lab, Preload::Preloaded);
        lab.green().local("ALTER USER pooled@'%' WITH MAX_USER_CONNECTIONS 2").unwrap();
        switch(lab);
        let (told, took) = all_ask(&mut program, &POOL, INSERT);
        println!("{told:?} after {took:?}");
        let (moved, others): (Vec<_>, Vec<_>) = told.into_iter().partition(|told| told.starts_with("ok"));
        assert_eq!(moved.len(), 2, "{}", program.stderr());
        are_lost(&others, &program);
        assert!(took < 3 * AT_ONCE, "{took:?}: {}", program.stderr());
    }
}

/// The file with the certificate authority is gone (dropped privileges, a rotated secret): that is this process's trouble.
#[test]
fn a_connection_that_cannot_log_in_for_a_reason_of_its_own_holds_nobody() {
    let Some(lab) = pair(Flavor::MySql) else { return };
    with_table(&lab);
    let [authority, options] = ["own-ca.pem", "own-tls.cnf"].map(|name| lab.directory().join(name));
    std::fs::copy(lab.ca_path(), &authority).unwrap();
    let text = std::fs::read_to_string(lab.tls_options_path()).unwrap();
    let text = text.replace(&lab.ca_path().display().to_string(), &authority.display().to_string());
    assert!(text.contains("own-ca.pem"), "{text}");
    std::fs::write(&options, text).unwrap();
    let mut program = Puppet::start(&lab, &[("LAB_TLS_OPTIONS", options.to_str().unwrap())]);
    POOL.iter().for_each(|name| program.connect(name));
    assert!(program.query("a", INSERT).starts_with("ok"));
    let id = program.query("a", "SELECT CONNECTION_ID()");
    std::fs::remove_file(&authority).unwrap();
    lab.blue().sql(&format!("KILL {}", id.trim_matches(|c: char| !c.is_ascii_digit()))).unwrap();
    let (told, took) = all_ask(&mut program, &POOL, INSERT);
    are_lost(&told[..1], &program);
    assert!(told[1..].iter().all(|told| told.starts_with("ok (1, ")), "{told:?}: {}", program.stderr());
    assert!(took < AT_ONCE, "{took:?}: {}", program.stderr());
    assert!(!program.stderr().contains("holding"), "{}", program.stderr());
}
