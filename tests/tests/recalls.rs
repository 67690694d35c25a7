//! A handler of the application for SIGTERM, SIGINT or SIGALRM ends the hold of its thread, in Python and Perl; a signal that
//! asks for nothing does not. Afterwards nothing is blocked, and the program is protected as before.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, PASSWORD, USER};
use pointsman_tests::{
    dialogue::Dialogue,
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

/// `recalled.py` or `recalled.pl`, with connection 0.
fn connected(lab: &Lab, interpreter: &str, source: &str) -> Dialogue {
    let mut command = run::script(lab, interpreter, source, Preload::Preloaded);
    command.args([ENDPOINT, USER, PASSWORD, DATABASE]);
    let mut program = Dialogue::of(lab, command);
    assert_eq!(program.ask("connect 0"), "ok", "{}", program.stderr());
    program
}

fn python(lab: &Lab) -> Dialogue {
    connected(lab, "/usr/bin/python3", "python/recalled.py")
}

fn perl(lab: &Lab) -> Dialogue {
    connected(lab, "/usr/bin/perl", "perl/recalled.pl")
}

/// Its writer is read-only, and it waits for another one in this command.
fn held_in(lab: &Lab, program: &mut Dialogue, command: &str) {
    lab.blue().set_read_only(true).unwrap();
    program.tell(command);
    wait_for("a hold", || program.stderr().contains("holding statements"));
}

fn held(lab: &Lab, program: &mut Dialogue) {
    held_in(lab, program, &format!("query 0 {INSERT}"));
}

/// To the whole process, as `docker stop` and a terminal do it.
fn send(program: &Dialogue, signal: &str) {
    let id = program.proc().file_name().unwrap().to_owned();
    assert!(Command::new("kill").args(["-s", signal]).arg(id).status().unwrap().success());
}

/// It leaves with the code 3, as its handler says, and long before the hold would end.
fn leaves_early(program: Dialogue) {
    let (began, errors) = (Instant::now(), program.errors().to_owned());
    let log = || std::fs::read_to_string(&errors).unwrap();
    assert_eq!(program.finish(), Some(3), "{}", log());
    assert!(began.elapsed() < EARLY, "{}", log());
    assert!(log().contains("wants its thread back"), "{}", log());
}

fn answers_early(program: &mut Dialogue, answer: &str) {
    let began = Instant::now();
    assert_eq!(program.answer(), answer, "{}", program.stderr());
    assert!(began.elapsed() < EARLY, "{}", program.stderr());
    assert_eq!(program.ask("blocked"), "none");
}

fn is_still_held(program: &Dialogue) {
    thread::sleep(Duration::from_secs(1));
    assert!(!program.stderr().contains("wants its thread back"), "{}", program.stderr());
}

/// A program that only notes its SIGTERM, and has got one in the middle of a hold.
fn told_to_end_in_a_hold() -> Option<(Lab, Dialogue)> {
    let lab = lab()?;
    let mut program = python(&lab);
    assert_eq!(program.ask("polite"), "polite");
    held(&lab, &mut program);
    send(&program, "TERM");
    answers_early(&mut program, "error 1290");
    Some((lab, program))
}

/// It is protected as before: its next statement runs on the new writer, wherever its connection is.
fn goes_on(lab: &Lab, program: &mut Dialogue) {
    switch(lab);
    assert_eq!(program.ask(&format!("query 0 {INSERT}")), "ok", "{}", program.stderr());
}

/// It is protected some time after a SIGTERM: its statement looks for the writer once, and waits no longer.
fn goes_on_after_sigterm(lab: &Lab, program: &mut Dialogue) {
    switch(lab);
    wait_for("the new writer", || program.ask(&format!("query 0 {INSERT}")) == "ok");
}

#[test]
fn a_sigterm_handler_of_python_ends_the_program_in_the_middle_of_a_hold() {
    let Some(lab) = lab() else { return };
    let mut program = python(&lab);
    held(&lab, &mut program);
    send(&program, "TERM");
    leaves_early(program);
}

#[test]
fn an_interrupt_of_python_ends_the_hold_and_the_program_goes_on() {
    let Some(lab) = lab() else { return };
    let mut program = python(&lab);
    held(&lab, &mut program);
    send(&program, "INT");
    answers_early(&mut program, "interrupted");
    goes_on(&lab, &mut program);
}

#[test]
fn a_sigterm_handler_of_python_ends_the_hold_of_the_main_thread_beside_another_thread() {
    let Some(lab) = lab() else { return };
    let mut program = python(&lab);
    assert_eq!(program.ask("beside"), "beside");
    held(&lab, &mut program);
    send(&program, "TERM");
    leaves_early(program);
}

#[test]
fn a_sigterm_handler_of_python_ends_the_hold_beside_threads_and_children_that_end_all_the_time() {
    let Some(lab) = lab() else { return };
    let mut program = python(&lab);
    assert_eq!(program.ask("children"), "children");
    held(&lab, &mut program);
    is_still_held(&program);
    send(&program, "TERM");
    leaves_early(program);
}

#[test]
fn a_handler_that_only_notes_its_signal_gets_the_error_of_the_server_and_runs_once() {
    let Some((lab, mut program)) = told_to_end_in_a_hold() else { return };
    assert_eq!(program.ask("noted"), "1");
    goes_on_after_sigterm(&lab, &mut program);
}

#[test]
fn what_a_program_sends_on_its_way_out_after_sigterm_is_held_for_seconds_at_most() {
    let Some((lab, mut program)) = told_to_end_in_a_hold() else { return };
    for _ in 0..3 {
        program.tell(&format!("query 0 {INSERT}"));
        answers_early(&mut program, "error 1290");
    }
    switch(&lab);
    wait_for("the new writer", || program.ask(&format!("query 0 {INSERT}")) == "ok");
}

/// A main thread that shall end waits for its workers, mostly.
#[test]
fn a_sigterm_that_the_main_thread_handles_ends_the_hold_of_another_thread_and_a_sighup_does_not() {
    let Some(lab) = lab() else { return };
    let mut program = python(&lab);
    assert_eq!(program.ask("polite"), "polite");
    held_in(&lab, &mut program, &format!("begin 0 {INSERT}"));
    assert_eq!(program.answer(), "begun");
    send(&program, "HUP");
    is_still_held(&program);
    let began = Instant::now();
    send(&program, "TERM");
    assert_eq!(program.ask("value"), "error 1290", "{}", program.stderr());
    assert!(began.elapsed() < EARLY, "{}", program.stderr());
    assert_eq!(program.ask("noted"), "2");
    goes_on_after_sigterm(&lab, &mut program);
}

#[test]
fn a_sigterm_handler_ends_a_connect_that_waits_for_a_writer() {
    let Some(lab) = lab() else { return };
    let mut program = python(&lab);
    lab.blue().refuse_connections(USER).unwrap();
    held_in(&lab, &mut program, &format!("begin 0 {INSERT}"));
    assert_eq!(program.answer(), "begun");
    assert_eq!(program.ask("polite"), "polite");
    program.tell("connect 1");
    wait_for("a connect that waits", || program.stderr().contains("a connect failed"));
    let began = Instant::now();
    send(&program, "TERM");
    let answer = program.answer();
    assert!(answer.starts_with("error ") && began.elapsed() < EARLY, "{answer}; {}", program.stderr());
    assert_eq!(program.ask("noted"), "1");
    lab.blue().admit_connections(USER).unwrap();
    switch(&lab);
    // It has ended with the connect.
    assert_eq!(program.ask("value"), "error 2006", "{}", program.stderr());
}

#[test]
fn a_timer_of_python_that_rings_once_ends_the_hold() {
    let Some(lab) = lab() else { return };
    let mut program = python(&lab);
    assert_eq!(program.ask("alarm 2"), "set");
    held(&lab, &mut program);
    answers_early(&mut program, "timeout");
    goes_on(&lab, &mut program);
}

#[test]
fn an_ordinary_handler_of_perl_ends_the_program_in_the_middle_of_a_hold() {
    let Some(lab) = lab() else { return };
    let mut program = perl(&lab);
    held(&lab, &mut program);
    send(&program, "TERM");
    leaves_early(program);
}

#[test]
fn an_ordinary_alarm_of_perl_ends_the_hold_and_its_statement_runs_later() {
    let Some(lab) = lab() else { return };
    let mut program = perl(&lab);
    assert_eq!(program.ask("ring 2"), "set");
    held(&lab, &mut program);
    answers_early(&mut program, "timeout");
    goes_on(&lab, &mut program);
}

#[test]
fn an_alarm_that_ticks_and_ended_children_do_not_end_the_hold_of_perl() {
    let Some(lab) = lab() else { return };
    let mut program = perl(&lab);
    assert_eq!(program.ask("tick 0.02"), "set");
    held(&lab, &mut program);
    send(&program, "CHLD");
    send(&program, "USR1");
    is_still_held(&program);
    switch(&lab);
    assert_eq!(program.answer(), "ok", "{}", program.stderr());
    assert_eq!(program.ask("blocked"), "none");
}

fn holds(program: &Dialogue) -> usize {
    program.stderr().matches("holding statements").count()
}

/// `command` waits for a writer until a handler that dies jumps out of it.
fn is_left_by_a_jump(program: &mut Dialogue, command: &str) {
    let before = holds(program);
    assert_eq!(program.ask("jump 2"), "set");
    program.tell(command);
    wait_for("a hold", || holds(program) > before);
    answers_early(program, "timeout");
}

#[test]
fn a_handler_of_perl_that_jumps_out_of_a_hold_leaves_its_process_protected() {
    let Some(lab) = lab() else { return };
    let mut program = perl(&lab);
    lab.blue().set_read_only(true).unwrap();
    is_left_by_a_jump(&mut program, &format!("query 0 {INSERT}"));
    switch(&lab);
    assert_eq!(program.ask("connect 1"), "ok", "{}", program.stderr());
    assert_eq!(program.ask(&format!("query 1 {INSERT}")), "ok", "{}", program.stderr());
    // Once more, and then without a limit: it waits until there is a writer.
    lab.green().set_read_only(true).unwrap();
    is_left_by_a_jump(&mut program, &format!("query 1 {INSERT}"));
    program.tell("connect 2");
    thread::sleep(Duration::from_millis(200));
    lab.green().set_read_only(false).unwrap();
    assert_eq!(program.answer(), "ok", "{}", program.stderr());
    assert_eq!(program.ask(&format!("query 2 {INSERT}")), "ok", "{}", program.stderr());
    let before = holds(&program);
    lab.green().set_read_only(true).unwrap();
    program.tell(&format!("query 2 {INSERT}"));
    wait_for("a third hold", || holds(&program) > before);
    lab.green().set_read_only(false).unwrap();
    assert_eq!(program.answer(), "ok", "{}", program.stderr());
    assert_eq!(lab.green().sql("SELECT COUNT(*) FROM shop.t").unwrap().trim(), "3");
}

/// The commonest time limit of all: nobody answers the connect.
#[test]
fn a_handler_of_perl_that_jumps_out_of_a_connect_leaves_its_process_protected() {
    let Some(lab) = lab() else { return };
    let mut program = perl(&lab);
    lab.blue().freeze();
    assert_eq!(program.ask("jump 1"), "set");
    program.tell("connect 1");
    answers_early(&mut program, "timeout");
    lab.blue().thaw();
    assert_eq!(program.ask("connect 2"), "ok", "{}", program.stderr());
    held_in(&lab, &mut program, &format!("query 2 {INSERT}"));
    switch(&lab);
    assert_eq!(program.answer(), "ok", "{}", program.stderr());
}
