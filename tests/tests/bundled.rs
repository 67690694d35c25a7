//! A client library that is linked into somebody's extension is protected like a separate one.

use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
    time::Duration,
};

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, PASSWORD, Scenario, USER};
use pointsman_tests::{
    compile::{Kind, compile},
    pair,
    run::{Preload, command},
};

#[test]
fn a_client_linked_into_a_private_extension_rides_through_a_switchover() {
    rides_through("bundled", &[]);
}

/// Calibration asks how a client library behaves, so that the next release works on the day it comes out.
#[test]
fn a_client_library_of_a_version_that_the_library_does_not_know_rides_through_a_switchover() {
    rides_through("bundled_unknown", &["-DCLIENT_VERSION=990100", "-Wl,--allow-multiple-definition"]);
}

fn rides_through(name: &str, flags: &[&str]) {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let own = flags;
    let archive = format!("/usr/lib/{}-linux-gnu/libmariadb.a", std::env::consts::ARCH);
    let flags =
        ["-I/usr/include/mariadb", "-Wl,--whole-archive", &archive, "-Wl,--no-whole-archive", "-lssl", "-lcrypto"];
    let more = ["-lz", "-l:libzstd.so.1", "-ldl", "-lm"];
    let plugin = compile(name, "inserting_plugin", Kind::SharedLibrary, &[own, &flags[..], &more].concat());
    let host = compile("plugin_host", "plugin_host", Kind::Program, &["-ldl"]);
    let mut command = command(&lab, host, Preload::Preloaded);
    command
        .arg(plugin)
        .env("PLUGIN_HOST", ENDPOINT)
        .env("PLUGIN_USER", USER)
        .env("PLUGIN_PASSWORD", PASSWORD)
        .env("PLUGIN_DATABASE", DATABASE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let program = pointsman_lab::spawn(command).unwrap();
    let (mut orders, answers) = (program.take_stdin().unwrap(), program.take_stdout().unwrap());
    let mut answers = BufReader::new(answers).lines();
    let mut insert = || {
        writeln!(orders).unwrap();
        answers.next().unwrap().unwrap()
    };
    assert_eq!(insert(), "inserted 1: 0");
    Scenario::read_only(Duration::ZERO, Duration::ZERO).run(&lab, &mut |_| {}).unwrap();
    assert_eq!(insert(), "inserted 1: 0");
    let rows = lab.green().sql("SELECT COUNT(*) FROM shop.orders WHERE worker = -4").unwrap();
    assert_eq!(rows.trim(), "2");
}
