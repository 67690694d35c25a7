//! What a program pays that never talks to MySQL: the start and end of a process.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use pointsman_tests::library;

use crate::pairs::Pairs;

const ROUNDS: usize = 401;
const STARTS: u32 = 5;
/// What shell scripts do all day: a thousand short programs.
const SCRIPT: &str = "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done";

pub fn print() {
    let true_ = Pairs::of(ROUNDS, || starts(false), || starts(true));
    let (bare, protected) = true_.medians();
    println!("exec of /bin/true: {bare:.0} us bare, {protected:.0} us preloaded: {:.3}", true_.ratio());
    let script = Pairs::of(15, || script(false), || script(true));
    let (bare, protected) = script.medians();
    println!("300 execs in a shell script: {bare:.0} us bare, {protected:.0} us preloaded: {:.3}", script.ratio());
}

fn starts(preloaded: bool) -> f64 {
    let began = Instant::now();
    for _ in 0..STARTS {
        run(Command::new("/bin/true"), preloaded);
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(STARTS)
}

fn script(preloaded: bool) -> f64 {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", SCRIPT]);
    let began = Instant::now();
    run(shell, preloaded);
    began.elapsed().as_secs_f64() * 1e6
}

fn run(mut command: Command, preloaded: bool) {
    command.env_clear().stdin(Stdio::null());
    if preloaded {
        command.env("LD_PRELOAD", library());
    }
    let status = command.status().expect("the program can be started");
    assert!(status.success(), "{status}");
}
