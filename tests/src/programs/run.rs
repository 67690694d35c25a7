//! One program, run to its end without and with the library.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

use pointsman_lab::{ENDPOINT, Flavor, Lab, PASSWORD, System};

use crate::library;

/// What a program left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// The exit code, or the signal's negative.
    pub status: i32,
    pub stdout: String,
    /// Without the library's own lines.
    pub stderr: String,
    /// The library's lines.
    pub log: Vec<String>,
}

/// With the library, or as without us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preload {
    Bare,
    Preloaded,
}

/// A command that sees the lab's names only.
pub fn command(lab: &Lab, program: impl AsRef<OsStr>, preload: Preload) -> Command {
    with_environment(lab.command(program).expect("a sandbox"), preload)
}

/// The same inside the root with Debian sid, which has the host's `program` and the library in it.
pub fn sid_command(lab: &Lab, program: &Path, preload: Preload) -> Command {
    with_environment(lab.sid_command(program, &[&library()]).expect("a sandbox"), preload)
}

/// A program of a Debian with its own drivers, which has the library in it.
pub fn system_command(lab: &Lab, system: System, program: &str, preload: Preload) -> Command {
    with_environment(lab.system_command(system, program, &[&library()]).expect("a sandbox"), preload)
}

/// An interpreter of such a Debian, which runs a program of `programs/`.
pub fn system_script(lab: &Lab, system: System, (interpreter, source): (&str, &str), preload: Preload) -> Command {
    let text = super::source(source);
    let copy = lab.directory().join(text.file_name().expect("a file"));
    std::fs::copy(text, &copy).expect("a copy in a directory that is there too");
    let mut command = system_command(lab, system, interpreter, preload);
    command.arg(copy);
    command
}

/// A program of `programs/` that an interpreter runs.
pub fn script(lab: &Lab, interpreter: &str, source: &str, preload: Preload) -> Command {
    let mut command = command(lab, interpreter, preload);
    command.arg(super::source(source));
    command
}

/// A program of `programs/` with MySQLdb, which its environment tells how to reach the endpoint.
pub fn mysqldb_program(lab: &Lab, source: &str, preload: Preload) -> Command {
    with_lab(lab, script(lab, "/usr/bin/python3", source, preload))
}

/// Told how to reach the endpoint.
pub fn with_lab(lab: &Lab, mut command: Command) -> Command {
    command.env("LAB_HOST", ENDPOINT).env("LAB_PORT", lab.port().to_string()).env("LAB_PASSWORD", PASSWORD);
    if lab.blue().flavor() == Flavor::MySql {
        command.env("LAB_TLS_OPTIONS", lab.tls_options_path());
    }
    command
}

fn with_environment(mut command: Command, preload: Preload) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"POINTSMAN") {
            command.env_remove(name);
        }
    }
    match preload {
        Preload::Bare => command.env_remove("LD_PRELOAD"),
        Preload::Preloaded => command.env("LD_PRELOAD", library()),
    };
    command
}

/// Runs a command to its end.
pub fn run(mut command: Command) -> Ran {
    use std::os::unix::process::ExitStatusExt;
    let output = command.stdin(Stdio::null()).output().expect("the program can be started");
    let status = output.status;
    let (log, stderr) = split_log(&String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    Ran { status: status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)), stdout, stderr, log }
}

/// Runs a program in both ways, `set_up` the same, and asserts that nobody could tell one from the other. Gives back the
/// preloaded one.
pub fn assert_same(lab: &Lab, program: impl AsRef<OsStr>, set_up: impl Fn(&mut Command)) -> Ran {
    assert_same_as(|preload| {
        let mut command = command(lab, &program, preload);
        set_up(&mut command);
        command
    })
}

/// The same for any command.
pub fn assert_same_as(command: impl Fn(Preload) -> Command) -> Ran {
    let [bare, preloaded] = [Preload::Bare, Preload::Preloaded].map(|preload| run(command(preload)));
    assert!(bare.log.is_empty());
    let seen = |ran: &Ran| (ran.status, ran.stdout.clone(), ran.stderr.clone());
    assert_eq!(seen(&preloaded), seen(&bare), "preloaded (left) is not as bare (right); log: {:?}", preloaded.log);
    preloaded
}

/// The library's lines and the others.
pub fn split_log(stderr: &str) -> (Vec<String>, String) {
    let (log, others): (Vec<_>, Vec<_>) = stderr.lines().partition(|line| line.starts_with("pointsman["));
    (log.into_iter().map(str::to_owned).collect(), others.join("\n"))
}
