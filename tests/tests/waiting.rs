//! libmariadb waits for an answer in one call instead of three, where it would do nothing else in between.

use std::process::Command;

use pointsman_lab::{ENDPOINT, Flavor, Lab};
use pointsman_tests::{
    DATABASE, PASSWORD, Shared, USER,
    compile::{Kind, compile, mariadb_program},
    library,
    run::{self, Preload},
    single,
};

static LAB: Shared = Shared::new();

fn program(lab: &Lab, host: &str, how: &str, preload: Preload) -> Command {
    let mut command = run::command(lab, mariadb_program("waiting"), preload);
    command.args([host, &lab.port().to_string(), USER, PASSWORD, DATABASE, how]);
    command
}

/// In which call it sleeps while the server is busy.
fn waits(command: Command) -> String {
    let ran = run::run(command);
    assert_eq!(ran.status, 0, "{ran:?}");
    ran.stdout.trim().replace('\n', " ")
}

#[test]
fn an_answer_is_waited_for_in_recv_where_the_library_has_nothing_else_to_do() {
    let Some(lab) = LAB.get(|| single(Flavor::MariaDb)) else { return };
    assert_eq!(waits(program(lab, ENDPOINT, "", Preload::Bare)), "poll");
    assert_eq!(waits(program(lab, ENDPOINT, "", Preload::Preloaded)), "recv");
    assert_eq!(
        waits(program(lab, ENDPOINT, "nonblocking", Preload::Preloaded)),
        "recv",
        "only asynchronous calls differ"
    );
}

#[test]
fn a_time_limit_or_a_function_of_the_application_is_left_to_the_library() {
    let Some(lab) = LAB.get(|| single(Flavor::MariaDb)) else { return };
    assert_eq!(waits(program(lab, ENDPOINT, "timeout", Preload::Preloaded)), "poll");
    assert_eq!(waits(program(lab, ENDPOINT, "callback", Preload::Preloaded)), "callback poll");
}

#[test]
fn a_connection_that_is_not_protected_is_waited_for_as_without_us() {
    let Some(lab) = LAB.get(|| single(Flavor::MariaDb)) else { return };
    assert_eq!(waits(program(lab, &lab.blue().ip().to_string(), "", Preload::Preloaded)), "poll");
}

#[test]
fn who_only_observes_leaves_the_waiting_to_the_library() {
    let Some(lab) = LAB.get(|| single(Flavor::MariaDb)) else { return };
    let mut command = program(lab, ENDPOINT, "", Preload::Preloaded);
    command.env("POINTSMAN_MODE", "observe");
    assert_eq!(waits(command), "poll");
}

#[test]
fn whoever_stands_before_poll_is_asked_as_without_us() {
    let Some(lab) = LAB.get(|| single(Flavor::MariaDb)) else { return };
    let other = compile("own_poll", "own_poll", Kind::SharedLibrary, &["-ldl"]).display().to_string();
    let ours = library().display().to_string();
    for preload in [format!("{ours}:{other}"), format!("{other}:{ours}")] {
        let mut command = program(lab, ENDPOINT, "", Preload::Preloaded);
        command.env("LD_PRELOAD", preload);
        assert_eq!(waits(command), "poll");
    }
}
