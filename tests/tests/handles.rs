//! Every way in which applications own a handle, copy it, misuse it and take it through a fork.

use std::process::Command;

use pointsman_lab::{ENDPOINT, Flavor, Lab};
use pointsman_tests::{
    DATABASE, PASSWORD, Shared, USER, compile,
    dialogue::{Dialogue, Driver},
    run::{self, Preload, Ran, assert_same_as},
    single, wait_for,
};

static LAB: Shared = Shared::new();

fn lab() -> Option<&'static Lab> {
    LAB.get(|| single(Flavor::MariaDb))
}

fn handles(lab: &Lab, command: impl Fn(Preload) -> Command) {
    for host in [ENDPOINT.to_owned(), lab.blue().ip().to_string()] {
        let ran = assert_same_as(|preload| {
            let mut command = command(preload);
            command.args([&host, "3306", USER, PASSWORD, DATABASE]);
            command
        });
        assert_eq!(ran.status, 5, "{ran:?}");
        assert!(ran.stdout.contains("the old one, back: 42, 0 00000"), "{ran:?}");
    }
}

#[test]
fn handles_live_anywhere_and_misuse_is_told_as_without_us_with_libmariadb() {
    let Some(lab) = lab() else { return };
    let program = compile::mariadb_program("handles");
    handles(lab, |preload| run::command(lab, &program, preload));
}

#[test]
fn handles_live_anywhere_and_misuse_is_told_as_without_us_with_libmysqlclient() {
    let Some(lab) = lab() else { return };
    let Some(program) = compile::mysql_program("handles") else {
        return println!("skipped: no root with Debian sid: run `make setup`");
    };
    handles(lab, |preload| run::sid_command(lab, &program, preload));
}

#[test]
fn a_handle_that_was_copied_out_and_back_is_still_protected() {
    let Some(lab) = lab() else { return };
    let mut client = Dialogue::start(lab, Preload::Preloaded);
    assert_eq!(client.connect(0, ENDPOINT), "ok");
    assert_eq!(client.ask("copy 0"), "copied");
    client.assert_protected(lab);
}

#[test]
fn a_driver_that_reconnects_by_itself_goes_on_as_without_us() {
    let Some(lab) = lab() else { return };
    for preload in [Preload::Bare, Preload::Preloaded] {
        let mut client = Dialogue::with(lab, Driver::Dbd, preload, |command| {
            command.env("CLIENT_RECONNECT", "1");
        });
        assert_eq!(client.connect(0, ENDPOINT), "ok");
        for round in 0..3 {
            let id = client.query("SELECT CONNECTION_ID()").replace("rows ", "");
            lab.blue().sql(&format!("KILL {id}")).unwrap();
            wait_for("the end of the connection", || {
                let there = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
                lab.blue().sql(&there).unwrap() == "0"
            });
            assert_eq!(client.query("DO 1"), "ok 0", "{preload:?}, round {round}; {}", client.stderr());
            assert_ne!(client.query("SELECT CONNECTION_ID()"), format!("rows {id}"));
        }
        assert_eq!(client.ask("close 0"), "closed");
    }
}

fn forks(lab: &Lab, does: &str, preload: Preload) -> Ran {
    let program = compile::mariadb_program("forks");
    let mut command = run::command(lab, program, preload);
    command.args([ENDPOINT, "3306", USER, PASSWORD, DATABASE, does]);
    run::run(command)
}

#[test]
fn a_child_that_opens_its_own_connection_or_just_ends_leaves_its_parent_alone() {
    let Some(lab) = lab() else { return };
    for does in ["own", "exit"] {
        let [bare, preloaded] = [Preload::Bare, Preload::Preloaded].map(|preload| forks(lab, does, preload));
        let sorted = |ran: &Ran| {
            let mut lines: Vec<_> = ran.stdout.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!((preloaded.status, sorted(&preloaded)), (bare.status, sorted(&bare)), "{does}: {preloaded:?}");
        assert!(preloaded.stdout.ends_with("same connection\n") && preloaded.status == 4, "{preloaded:?}");
        assert_eq!(preloaded.stdout.matches("child: inserted 1").count(), if does == "own" { 3 } else { 0 });
        assert!(preloaded.log.is_empty(), "{:?}", preloaded.log);
    }
}

#[test]
fn a_child_that_closes_the_inherited_connection_does_not_end_it_for_its_parent() {
    let Some(lab) = lab() else { return };
    let bare = forks(lab, "close", Preload::Bare);
    assert!(bare.stdout.contains("parent: 2006 ") || bare.stdout.contains("parent: 2013 "), "no test: {bare:?}");
    let preloaded = forks(lab, "close", Preload::Preloaded);
    let expected = "parent: inserted 1\nchild: closed\nchild ended with 6\n\
        parent: inserted 1\nparent: inserted 1\nsame connection\n";
    assert_eq!((preloaded.status, preloaded.stdout.as_str()), (4, expected), "{preloaded:?}");
}
