//! A Java virtual machine, which stops its threads, hears of null pointers and full stacks by signals, and has native code
//! with a client library in it.

use std::{path::PathBuf, process::Command};

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, PASSWORD, USER};
use pointsman_tests::{
    compile::{self, Kind},
    dialogue::Dialogue,
    pair,
    run::{self, Preload},
    source, switch, wait_for, with_table,
};

const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";

/// Where the JDK is; `None`, and a line that says so, if this machine has none.
fn jdk() -> Option<PathBuf> {
    let java = std::fs::canonicalize("/usr/bin/javac").ok()?;
    let home = java.parent()?.parent()?.to_owned();
    home.join("include/jni.h").exists().then_some(home)
}

fn machine(lab: &Lab) -> Option<Dialogue> {
    let Some(home) = jdk() else {
        println!("skipped: no JDK with headers: run `make setup`");
        return None;
    };
    let include = format!("-I{}", home.join("include").display());
    let native = compile::mariadb("jvm", "jvm", Kind::SharedLibrary, &[&include, &format!("{include}/linux")]);
    let mut command = run::command(lab, home.join("bin/java"), Preload::Preloaded);
    // Its own words on standard error, so that they are no answers; and no files of it where it was started.
    command.args(["-XX:+DisplayVMOutputToStderr", "-XX:-UsePerfData", "-Xmx256m"]);
    command.arg(format!("-XX:ErrorFile={}", lab.directory().join("hs_err").display()));
    command.arg(source("java/Jvm.java")).arg(native);
    command.args([ENDPOINT, "3306", USER, PASSWORD, DATABASE]);
    let mut machine = Dialogue::of(lab, command);
    assert_eq!(machine.answer(), "connected", "{}", machine.stderr());
    Some(machine)
}

#[test]
fn a_jvm_goes_on_while_one_of_its_threads_is_held_and_that_thread_gets_its_answer() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    with_table(&lab);
    let Some(mut machine) = machine(&lab) else { return };
    let told = |machine: &mut Dialogue, command: &str, answer: &str| {
        assert_eq!(machine.ask(command), answer, "{command}: {}", machine.stderr());
    };
    told(&mut machine, &format!("query {INSERT}"), "ok 1");
    lab.blue().set_read_only(true).unwrap();
    told(&mut machine, &format!("begin {INSERT}"), "begun");
    wait_for("a hold", || machine.stderr().contains("holding statements"));
    told(&mut machine, "trouble", "2000 nulls, 10 overflows, 1 beyond, 10 collections");
    // Native code does not hear of it, with us or without.
    told(&mut machine, "interrupt", "interrupted");
    let id = machine.proc().file_name().unwrap().to_owned();
    assert!(Command::new("kill").args(["-s", "QUIT"]).arg(id).status().unwrap().success());
    wait_for("the stacks of its threads", || machine.stderr().contains("Full thread dump"));
    switch(&lab);
    told(&mut machine, "value", "ok 1");
    told(&mut machine, "trouble", "2000 nulls, 10 overflows, 1 beyond, 10 collections");
    told(&mut machine, &format!("query {INSERT}"), "ok 1");
    assert!(!machine.stderr().contains("wants its thread back"), "{}", machine.stderr());
    assert_eq!(machine.finish(), Some(0));
    assert_eq!(lab.green().sql("SELECT COUNT(*) FROM shop.t").unwrap().trim(), "3");
}
