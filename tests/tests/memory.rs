//! The C client under valgrind, and built with its compiler's sanitizers: no error of memory, nothing that is lost, no
//! undefined behaviour, over all that a handle lives through.
//!
//! `VALGRIND_MOVES` says how many moves. Only libmariadb: these tools are outside of the root with Debian sid. The sanitizer
//! for threads is not among them: it has to have seen how each lock was taken, and neither the client libraries nor the one
//! under test are built for it.

use std::{fs, process::Command};

use pointsman_lab::{Flavor, Lab, Side};
use pointsman_tests::{
    compile::{self, Kind},
    dialogue::{Dialogue, Driver},
    library, pair,
    run::{self, Preload},
    scale::amount,
    stage::Stage,
    switch, wait_for, with_table,
};

const SUPPRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/c/valgrind.supp");

fn valgrind(lab: &Lab) -> Option<Command> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: no valgrind: run `make setup`");
        return None;
    }
    let mut command = run::command(lab, "/usr/bin/valgrind", Preload::Preloaded);
    command
        .args([
            "--vgdb=no",
            "--leak-check=full",
            "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite",
            "--num-callers=25",
        ])
        .arg(format!("--suppressions={SUPPRESSIONS}"))
        .arg(compile::mariadb_program("client"))
        .env("POINTSMAN_LOG_LEVEL", "warn");
    Some(command)
}

/// `client.c` with checks in it, whose library has to come before every other.
fn sanitized(lab: &Lab) -> Option<Command> {
    let flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let program = compile::mariadb("client_sanitized", "client", Kind::Program, &flags);
    let found = Command::new("cc").arg("-print-file-name=libasan.so").output().expect("a C compiler can be run");
    let sanitizer = String::from_utf8(found.stdout).expect("a path");
    if !sanitizer.starts_with('/') {
        println!("skipped: the compiler has no libasan");
        return None;
    }
    let mut command = run::command(lab, program, Preload::Preloaded);
    command
        .env("LD_PRELOAD", format!("{} {}", sanitizer.trim(), library().display()))
        // Leaks are valgrind's business, which needs no debugger's rights for them.
        .env("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=1")
        .env("POINTSMAN_LOG_LEVEL", "warn");
    Some(command)
}

/// Ends the program; gives what was said.
fn end(stage: Stage<'_>) -> String {
    let errors = stage.client.errors().to_owned();
    let code = stage.client.finish();
    let said = fs::read_to_string(errors).unwrap();
    assert_eq!(code, Some(0), "{said}");
    said
}

fn lives(stage: &mut Stage<'_>, moves: u64) {
    stage.expect_all(&[
        ("query 0 SET NAMES utf8mb4, @a = 'kept', time_zone = '+05:00'", "ok 0"),
        ("query 0 PREPARE named FROM 'SELECT @a, ?'", "ok 0"),
        ("prepare 0 INSERT INTO t (v) VALUES (?)", "ok"),
        ("prepare 1 SELECT COUNT(*) FROM t WHERE v = ?", "ok"),
        ("bind 0", "ok"),
        ("bind 1", "ok"),
        ("set 0 0 x", "ok"),
        ("set 1 0 x", "ok"),
    ]);
    for at in 0..moves {
        stage.loses(0);
        let inserted = at / 4 + 1;
        match at % 4 {
            0 => stage.expect("run 0", &format!("ok 1 {inserted}")),
            1 => stage.expect("run 1", &format!("rows {inserted}")),
            2 => stage.expect("query 0 EXECUTE named USING @a", "rows kept|kept"),
            _ => stage.expect("query 0 SELECT @a, @@time_zone", "rows kept|+05:00"),
        }
    }
    let handles = 2..12;
    for handle in handles.clone() {
        stage.connects(handle);
    }
    stage.expect_all(&[
        ("query 0 START TRANSACTION", "ok 0"),
        ("query 0 UPDATE t SET v = 'y'", &format!("ok {}", moves.div_ceil(4))),
    ]);
    stage.lab.blue().set_read_only(true).unwrap();
    stage.client.tell("query 0 INSERT INTO t (v) VALUES ('held')");
    wait_for("a hold", || stage.client.stderr().contains("holding statements"));
    switch(stage.lab);
    assert_eq!(stage.client.answer(), "ok 1", "{}", stage.client.stderr());
    stage.expect("query 0 COMMIT", "ok 0");
    stage.is_on("query 0", Side::Green);
    for handle in handles {
        stage.is_on(&format!("query {handle}"), Side::Green);
        stage.expect(&format!("close {handle}"), "closed");
    }
    stage.fails("query 0 no statement", &[1064]);
    stage.expect("close 0", "closed");
}

fn moved(command: impl FnOnce(&Lab) -> Option<Command>, moves: u64) -> Option<String> {
    let lab = pair(Flavor::MariaDb)?;
    with_table(&lab);
    let client = Dialogue::of(&lab, command(&lab)?);
    let mut stage = Stage { lab: &lab, driver: Driver::LibMariaDb, client };
    stage.connects(0);
    lives(&mut stage, moves);
    Some(end(stage))
}

#[test]
fn valgrind_finds_no_error_and_no_leak_in_a_program_that_is_moved_again_and_again() {
    let Some(said) = moved(valgrind, amount("VALGRIND_MOVES", 20)) else { return };
    println!(
        "{}",
        said.lines().filter(|line| line.contains("lost:") || line.contains("SUMMARY")).collect::<Vec<_>>().join("\n")
    );
    assert!(said.contains("ERROR SUMMARY: 0 errors from 0 contexts"), "{said}");
    assert!(said.contains("definitely lost: 0 bytes") || said.contains("no leaks are possible"), "{said}");
}

#[test]
fn sanitizers_find_no_fault_in_a_program_that_is_moved_again_and_again() {
    let Some(said) = moved(sanitized, 40) else { return };
    assert!(!said.contains("Sanitizer") && !said.contains("runtime error"), "{said}");
}
