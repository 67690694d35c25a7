//! Whatever the library has no business with behaves as without it: same output, same exit code, same errno.

use std::path::Path;

use pointsman_lab::{ENDPOINT, Flavor, Lab};
use pointsman_tests::{
    DATABASE, PASSWORD, Shared, USER,
    compile::{self, Kind},
    dialogue::{Dialogue, Driver},
    run::{Preload, assert_same, command, run},
    single,
};

static LAB: Shared = Shared::new();

fn lab() -> Option<&'static Lab> {
    LAB.get(|| single(Flavor::MariaDb))
}

/// Both ways of running `client.c` give the same answers to the same commands; gives them back with the log.
fn assert_same_answers(lab: &Lab, commands: &[&str]) -> (Vec<String>, Vec<String>) {
    let [bare, preloaded] = [Preload::Bare, Preload::Preloaded].map(|preload| {
        let mut client = Dialogue::start(lab, preload);
        let answers = client.all(commands);
        let log = client.log();
        assert_eq!(client.finish(), Some(0));
        (answers, log)
    });
    assert_eq!(preloaded.0, bare.0, "preloaded (left) is not as bare (right); log: {:?}", preloaded.1);
    preloaded
}

fn connect(host: &str, password: &str) -> String {
    format!("connect 0 {host} 3306 - {USER} {password} {DATABASE}")
}

/// musl has no `/etc/ld.so.preload`, and its loader starts no program without a library that it was told to preload.
#[test]
fn a_program_of_musl_that_inherits_the_library_is_told_by_its_loader_why_it_does_not_start() {
    let Some(lab) = lab() else { return };
    if !Path::new("/usr/bin/musl-gcc").exists() {
        return println!("skipped: no musl-gcc: run `make setup`");
    }
    let program = compile::with("musl-gcc", "musl", "musl", Kind::Program, &[]);
    let [bare, preloaded] = [Preload::Bare, Preload::Preloaded].map(|preload| run(command(lab, &program, preload)));
    assert_eq!((bare.status, bare.stdout.as_str()), (0, "works\n"), "{bare:?}");
    assert!(
        preloaded == bare || preloaded.status == 127 && preloaded.stderr.contains("libpointsman.so"),
        "{preloaded:?}"
    );
}

#[test]
fn a_process_that_never_touches_mysql_behaves_as_without_us() {
    let Some(lab) = lab() else { return };
    let bystander = compile::plain("bystander", Kind::Program);
    let ran = assert_same(lab, bystander, |_| {});
    assert_eq!((ran.status, ran.log.len()), (23, 0), "{ran:?}");
    assert!(ran.stdout.contains("threads 3, descriptors"), "one thread, `.` and `..`: {}", ran.stdout);
    for (program, arguments) in [
        ("ls", &["/", "/no-such-place"][..]),
        ("sh", &["-c", "exec sh -c 'echo $0 >&2; exec 3>&-; exit 41'"]),
        ("perl", &["-e", "print STDERR 'out'; close(STDOUT) or die; kill 'TERM', $$"]),
        ("/usr/bin/python3", &["-c", "import os, sys; print(os.listdir('/proc/self/fd')); sys.exit(3)"]),
    ] {
        let ran = assert_same(lab, program, |command| {
            command.args(arguments);
        });
        assert!(ran.log.is_empty(), "{program}: {ran:?}");
    }
}

#[test]
fn a_child_made_while_another_thread_is_in_dlopen_calls_functions_of_libc_for_the_first_time_and_does_not_hang() {
    let Some(lab) = lab() else { return };
    let plugin = compile::plain("slow_plugin", Kind::SharedLibrary);
    let program = compile::compile("late_children", "late_children", Kind::Program, &["-lpthread", "-ldl"]);
    let ran = assert_same(lab, program, |command| {
        command.arg(&plugin);
    });
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "ended\n"), "{ran:?}");
}

#[test]
fn a_literal_address_behaves_as_without_us() {
    let Some(lab) = lab() else { return };
    let connect = connect(&lab.blue().ip().to_string(), PASSWORD);
    let (answers, log) = assert_same_answers(
        lab,
        &[&connect, "query 0 SELECT 1, NULL", "query 0 SELEKT", "query 0 SET @@global.read_only = 1", "close 0"],
    );
    assert_eq!(answers[..2], ["ok", "rows 1|NULL"]);
    assert!(log.is_empty(), "{log:?}");
}

#[test]
fn a_killed_connection_to_a_literal_address_is_lost_as_without_us() {
    let Some(lab) = lab() else { return };
    for preload in [Preload::Bare, Preload::Preloaded] {
        let mut client = Dialogue::start(lab, preload);
        assert_eq!(client.connect(0, &lab.blue().ip().to_string()), "ok");
        lab.blue().sql(&format!("KILL {}", client.ask("id 0"))).unwrap();
        assert_eq!(client.ask("gone 0"), "gone");
        let answer = client.query("SELECT 1");
        assert!(answer.starts_with("error 2006 ") || answer.starts_with("error 2013 "), "{preload:?}: {answer}");
    }
}

#[test]
fn a_unix_socket_behaves_as_without_us() {
    let Some(lab) = lab() else { return };
    let socket = lab.blue().socket();
    for host in ["localhost", "-"] {
        let connect = format!("connect 0 {host} 0 {} root - mysql", socket.display());
        let (answers, log) =
            assert_same_answers(lab, &[&connect, "query 0 SELECT USER()", "select_db 0 none", "ping 0", "close 0"]);
        assert_eq!(answers[..2], ["ok", "rows root@localhost"]);
        assert!(log.is_empty(), "{log:?}");
    }
}

#[test]
fn a_failed_connect_gives_the_same_error_as_without_us() {
    let Some(lab) = lab() else { return };
    lab.dns().set("nobody.lab.test", &[lab.spare_address()], 1).unwrap();
    let (unknown, closed) = (connect("no-such-name.lab.test", PASSWORD), connect("nobody.lab.test", PASSWORD));
    let (wrong, no_socket) = (connect(ENDPOINT, "wrong"), "connect 0 localhost 0 /no-such-socket root - -");
    let (answers, _) = assert_same_answers(lab, &[&unknown, &closed, no_socket, &wrong, &connect(ENDPOINT, PASSWORD)]);
    for (answer, number) in answers.iter().zip(["2005", "2002", "2002", "1045"]) {
        assert!(answer.starts_with(&format!("error {number} ")), "{answer}");
    }
    assert_eq!(answers[4], "ok");
}

#[test]
fn a_wrong_password_is_told_at_once_on_an_endpoint_that_is_protected_already() {
    let Some(lab) = lab() else { return };
    let (right, wrong) = (connect(ENDPOINT, PASSWORD), connect(ENDPOINT, "wrong").replace("connect 0", "connect 1"));
    let (answers, log) = assert_same_answers(lab, &[&right, &wrong, "query 0 SELECT 1"]);
    assert!(answers[1].starts_with("error 1045 28000 "), "{answers:?}");
    assert!(!log.iter().any(|line| line.contains("holding")), "{log:?}");
}

#[test]
fn switched_off_the_read_only_error_reaches_the_application_as_without_us() {
    // Its server turns read-only: not the shared one.
    let Some(lab) = single(Flavor::MariaDb) else { return };
    let answers = [Preload::Bare, Preload::Preloaded].map(|preload| {
        let mut client = Dialogue::with(&lab, Driver::LibMariaDb, preload, |command| {
            command.env("POINTSMAN", "off");
        });
        let connected = client.connect(0, ENDPOINT);
        let before = client.query("INSERT INTO orders (worker, seq) VALUES (1, 1)");
        lab.blue().set_read_only(true).unwrap();
        let after = client.query("INSERT INTO orders (worker, seq) VALUES (1, 2)");
        lab.blue().set_read_only(false).unwrap();
        let stderr = client.stderr();
        [connected, before, after, stderr]
    });
    assert_eq!(answers[1], answers[0]);
    assert!(answers[1][2].starts_with("error 1290 HY000 "), "{:?}", answers[1]);
}
