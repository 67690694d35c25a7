//! What a program pays that never talks to MySQL: the start and end of a process.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use pointsman_tests::library;

use crate::pairs::Pairs;

const STARTS: usize = 2001;
/// What shell scripts do all day: short programs, here some thousand in all.
const SCRIPT: &str = "i=0; while [ $i -lt 30 ]; do /bin/true; i=$((i+1)); done";
const SCRIPTS: usize = 201;

pub fn print() {
    let library = library();
    let ways = |program: &'static [&'static str]| [None, Some(&*library)].map(|preload| move || run(program, preload));
    let [bare, preloaded] = ways(&["/bin/true"]);
    say("exec of /bin/true", &Pairs::of(STARTS, bare, preloaded));
    let [bare, preloaded] = ways(&["/bin/sh", "-c", SCRIPT]);
    say("30 execs in a shell script", &Pairs::of(SCRIPTS, bare, preloaded));
}

fn say(what: &str, pairs: &Pairs) {
    let (bare, preloaded) = pairs.medians();
    println!("{what}: {bare:.0} us bare, {preloaded:.0} us preloaded: {:.3}", pairs.ratio());
}

/// Microseconds from its start to its end.
fn run(program: &[&str], preload: Option<&Path>) -> f64 {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).env_clear().stdin(Stdio::null());
    if let Some(library) = preload {
        command.env("LD_PRELOAD", library);
    }
    let began = Instant::now();
    let status = command.status().expect("the program can be started");
    let took = began.elapsed();
    assert!(status.success(), "{status}");
    took.as_secs_f64() * 1e6
}
