//! Calls at the edge of what the client library's manual allows.

use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
    time::{Duration, Instant},
};

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, PASSWORD, USER};
use pointsman_tests::{
    compile::mariadb_program,
    pair,
    run::{Preload, assert_same, command},
};

fn arguments(lab: &Lab, what: &str) -> [String; 6] {
    [what, ENDPOINT, &lab.port().to_string(), USER, PASSWORD, DATABASE].map(str::to_owned)
}

#[test]
fn statements_that_the_library_measures_itself_run_as_without_us() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let ran = assert_same(&lab, mariadb_program("edges"), |command| {
        command.args(arguments(&lab, "lengths"));
    });
    assert_eq!((ran.status, ran.stdout.as_str()), (3, "-1: 0\n0: 0\n"), "{ran:?}");
}

#[test]
fn a_thread_cancelled_while_its_statement_is_held_does_not_take_the_process_down() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let errors = lab.directory().join("edges.stderr");
    let mut command = command(&lab, mariadb_program("edges"), Preload::Preloaded);
    command
        .args(arguments(&lab, "cancel"))
        .env("POINTSMAN_HOLD_MAX", "3s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&errors).unwrap());
    let program = pointsman_lab::spawn(command).unwrap();
    let mut orders = program.take_stdin().unwrap();
    let mut answers = BufReader::new(program.take_stdout().unwrap()).lines();
    assert_eq!(answers.next().unwrap().unwrap(), "ready");
    lab.blue().set_read_only(true).unwrap();
    writeln!(orders, "go").unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while !std::fs::read_to_string(&errors).unwrap().contains("holding statements") {
        assert!(Instant::now() < until, "never held");
        std::thread::sleep(Duration::from_millis(10));
    }
    writeln!(orders, "go").unwrap();
    assert_eq!(answers.next().unwrap().unwrap(), "joined");
    assert_eq!(program.wait(Duration::from_secs(30)).unwrap().code(), Some(3));
}
