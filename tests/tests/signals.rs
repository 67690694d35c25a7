//! Signals of the application and of its runtime: they break nothing that we do, nothing of theirs is broken, and an
//! application that wants its thread back gets it. (In a file of its own: the handlers of interpreters, `recalls.rs`.)

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, PASSWORD, USER};
use pointsman_tests::{
    compile,
    dialogue::{Dialogue, Driver},
    pair,
    run::{self, Preload},
    switch, wait_for, with_table,
};

/// A hold lasts 60 s: what ends this early was ended by something else.
const EARLY: Duration = Duration::from_secs(10);
const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";

fn lab() -> Option<Lab> {
    let lab = pair(Flavor::MariaDb)?;
    with_table(&lab);
    Some(lab)
}

fn is_held(client: &Dialogue) {
    let until = Instant::now() + Duration::from_secs(60);
    while !client.stderr().contains("holding statements") {
        assert!(Instant::now() < until, "no hold: {}", client.stderr());
        thread::sleep(Duration::from_millis(2));
    }
}

/// To the whole process.
fn send(client: &Dialogue, signal: &str) {
    let id = client.proc().file_name().unwrap().to_owned();
    assert!(Command::new("kill").args(["-s", signal]).arg(id).status().unwrap().success());
}

/// `deadlines.rb`, connected as 0 and 1 to a protected endpoint, whose writer then turns read-only.
fn ruby_on_a_demoted_writer(lab: &Lab) -> Dialogue {
    let mut command = run::script(lab, "/usr/bin/ruby", "ruby/deadlines.rb", Preload::Preloaded);
    command.args([USER, PASSWORD, DATABASE]);
    let mut ruby = Dialogue::of(lab, command);
    for number in [0, 1] {
        assert_eq!(ruby.ask(&format!("connect {number} {ENDPOINT}")), "ok", "{}", ruby.stderr());
    }
    lab.blue().set_read_only(true).unwrap();
    ruby
}

/// It ends early, because the application wanted it, and the application goes on as if nothing had been.
fn ends_early(lab: &Lab, ruby: &mut Dialogue, what: &str, answer: &str) {
    let began = Instant::now();
    assert_eq!(ruby.ask(what), answer, "{}", ruby.stderr());
    assert!(began.elapsed() < EARLY, "{}", ruby.stderr());
    assert!(ruby.stderr().contains("wants its thread back"), "{}", ruby.stderr());
    switch(lab);
    assert_eq!(ruby.ask(&format!("query 1 {INSERT}")), "ok 1", "{}", ruby.stderr());
    assert_eq!(ruby.ask(&format!("connect 0 {ENDPOINT}")), "ok", "{}", ruby.stderr());
    assert_eq!(ruby.ask(&format!("query 0 {INSERT}")), "ok 1", "{}", ruby.stderr());
}

#[test]
fn a_timeout_of_ruby_ends_the_hold_of_its_main_thread() {
    let Some(lab) = lab() else { return };
    let mut ruby = ruby_on_a_demoted_writer(&lab);
    ends_early(&lab, &mut ruby, &format!("within 1 0 {INSERT}"), "timeout");
}

/// mysql2 sends and reads in two calls, and keeps the time-out back between them: the wait before the statement is ended by it,
/// and no signal comes for one after that.
#[test]
fn a_timeout_of_ruby_ends_every_statement_of_an_outage_and_not_only_the_first() {
    let Some(lab) = lab() else { return };
    let mut ruby = ruby_on_a_demoted_writer(&lab);
    for _ in 0..3 {
        let began = Instant::now();
        assert_eq!(ruby.ask(&format!("within 1 1 {INSERT}")), "timeout", "{}", ruby.stderr());
        assert!(began.elapsed() < EARLY, "{:?}: {}", began.elapsed(), ruby.stderr());
    }
    switch(&lab);
    assert_eq!(ruby.ask(&format!("query 1 {INSERT}")), "ok 1", "{}", ruby.stderr());
}

#[test]
fn a_timeout_of_ruby_ends_the_hold_of_another_thread() {
    let Some(lab) = lab() else { return };
    let mut ruby = ruby_on_a_demoted_writer(&lab);
    assert_eq!(ruby.ask(&format!("begin_within 1 0 {INSERT}")), "begun");
    ends_early(&lab, &mut ruby, "value", "timeout");
}

#[test]
fn a_thread_of_ruby_that_is_killed_ends_in_the_middle_of_a_hold() {
    let Some(lab) = lab() else { return };
    let mut ruby = ruby_on_a_demoted_writer(&lab);
    assert_eq!(ruby.ask(&format!("begin 0 {INSERT}")), "begun");
    is_held(&ruby);
    ends_early(&lab, &mut ruby, "kill", "killed");
}

#[test]
fn a_timeout_of_ruby_ends_a_connect_that_waits_for_a_writer() {
    let Some(lab) = lab() else { return };
    let mut ruby = ruby_on_a_demoted_writer(&lab);
    lab.blue().refuse_connections(USER).unwrap();
    assert_eq!(ruby.ask(&format!("begin 0 {INSERT}")), "begun");
    is_held(&ruby);
    let began = Instant::now();
    assert_eq!(ruby.ask(&format!("connect_within 1 2 {ENDPOINT}")), "timeout", "{}", ruby.stderr());
    assert!(began.elapsed() < EARLY, "{}", ruby.stderr());
    lab.blue().admit_connections(USER).unwrap();
    switch(&lab);
    assert_eq!(ruby.ask("value"), "ok 1", "{}", ruby.stderr());
}

/// It leaves with the code 3, as its handler says, and long before the hold would end.
fn leaves_early(program: Dialogue) {
    let (began, errors) = (Instant::now(), program.errors().to_owned());
    assert_eq!(program.finish(), Some(3), "{}", std::fs::read_to_string(&errors).unwrap());
    assert!(began.elapsed() < EARLY, "{}", std::fs::read_to_string(&errors).unwrap());
}

#[test]
fn a_trapped_sigterm_of_ruby_ends_the_hold() {
    let Some(lab) = lab() else { return };
    let mut ruby = ruby_on_a_demoted_writer(&lab);
    assert_eq!(ruby.ask("trap"), "trapped");
    ruby.tell(&format!("query 0 {INSERT}"));
    is_held(&ruby);
    send(&ruby, "TERM");
    leaves_early(ruby);
}

#[test]
fn a_stray_signal_now_and_then_and_busy_threads_do_not_end_a_hold_of_ruby() {
    let Some(lab) = lab() else { return };
    let mut ruby = ruby_on_a_demoted_writer(&lab);
    assert_eq!(ruby.ask("busy"), "busy");
    ruby.tell(&format!("query 0 {INSERT}"));
    is_held(&ruby);
    for _ in 0..2 {
        send(&ruby, "VTALRM");
        thread::sleep(Duration::from_secs(1));
    }
    assert!(!ruby.stderr().contains("wants its thread back"), "{}", ruby.stderr());
    switch(&lab);
    assert_eq!(ruby.answer(), "ok 1", "{}", ruby.stderr());
}

/// `signals.c` with this client library, whose interrupted system calls are started again or not.
fn busy_with_signals(lab: &Lab, driver: Driver, restart: &str) -> Dialogue {
    let mut command = match driver {
        Driver::LibMySqlClient => {
            let program = compile::mysql_program("signals").expect("available");
            run::sid_command(lab, &program, Preload::Preloaded)
        }
        _ => run::command(lab, compile::mariadb_program("signals"), Preload::Preloaded),
    };
    command.args([ENDPOINT, &lab.blue().ip().to_string(), "3306", USER, PASSWORD, DATABASE, restart]);
    Dialogue::of(lab, command)
}

fn under_signals(proof: impl Fn(&Lab, Dialogue)) {
    for driver in [Driver::LibMariaDb, Driver::LibMySqlClient].into_iter().filter(|driver| driver.is_available()) {
        for restart in ["restart", "interrupt"] {
            let Some(lab) = lab() else { return };
            println!("{driver:?}, {restart}");
            proof(&lab, busy_with_signals(&lab, driver, restart));
        }
    }
}

#[test]
fn handlers_that_use_sockets_all_the_time_disturb_no_move_and_no_move_touches_their_sockets() {
    under_signals(|_, mut program| {
        assert_eq!(program.ask("storm 25"), "stormed", "{}", program.stderr());
        assert_eq!(program.ask("handled"), "handled, touched 0", "{}", program.stderr());
        assert_eq!(program.finish(), Some(3));
    });
}

#[test]
fn a_hold_under_timers_and_profilers_lasts_until_there_is_a_writer() {
    under_signals(|lab, mut program| {
        lab.blue().set_read_only(true).unwrap();
        program.tell(&format!("query {INSERT}"));
        is_held(&program);
        // Longer than a runtime would need that wants its thread back, and with a stray signal of that kind.
        send(&program, "VTALRM");
        thread::sleep(Duration::from_secs(1));
        assert!(!program.stderr().contains("wants its thread back"), "{}", program.stderr());
        // Many together, for which its alternate stack would have no room at once.
        for signal in ["CHLD", "WINCH"].repeat(10) {
            send(&program, signal);
        }
        switch(lab);
        assert_eq!(program.answer(), "ok", "{}", program.stderr());
        assert_eq!(program.ask("handled"), "handled, touched 0");
        assert_eq!(program.ask("blocked"), "none");
    });
}

#[test]
fn a_sigterm_among_timers_and_profilers_ends_the_hold_and_is_handled_once() {
    under_signals(|lab, mut program| {
        lab.blue().set_read_only(true).unwrap();
        program.tell(&format!("query {INSERT}"));
        is_held(&program);
        let began = Instant::now();
        send(&program, "TERM");
        assert_eq!(program.answer(), "error 1290", "{}", program.stderr());
        assert!(began.elapsed() < EARLY, "{}", program.stderr());
        assert_eq!((program.ask("told"), program.ask("blocked")), ("1".to_owned(), "none".to_owned()));
        switch(lab);
        // Some time after a SIGTERM a statement looks for the writer once, and waits no longer.
        wait_for("the new writer", || program.ask(&format!("query {INSERT}")) == "ok");
    });
}
