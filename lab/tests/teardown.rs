//! However a process with a lab ends, nothing of the lab stays behind.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pointsman_lab::{Flavor, Lab, Workload, WorkloadOptions, interrupt};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What the child process tells about its lab.
struct Held {
    process: Child,
    directory: PathBuf,
    workload: i32,
}

/// Runs in a child process of the other tests, and ends only by a signal.
#[test]
#[ignore = "started by the other tests in a process of its own"]
fn hold_a_lab() {
    interrupt::install().unwrap();
    let lab = Lab::builder().blue(Flavor::MariaDb).single().start().unwrap();
    let workload = Workload::Dbd.start(&lab, WorkloadOptions::default()).unwrap();
    workload.wait_for(Duration::from_secs(20), "10 writes", |s| s.acknowledged > 10).unwrap();
    println!("held {} {}", workload.id(), lab.directory().display());
    loop {
        std::thread::park();
    }
}

/// As `hold_a_lab`, but tidies up by itself when its program is ended, as a command does that has to report an error.
#[test]
#[ignore = "started by the other tests in a process of its own"]
fn hold_a_lab_while_its_program_runs() {
    interrupt::install().unwrap();
    let lab = Lab::builder().both(Flavor::MariaDb).start().unwrap();
    let workload = Workload::Dbd.start(&lab, WorkloadOptions::default()).unwrap();
    workload.wait_for(Duration::from_secs(20), "10 writes", |s| s.acknowledged > 10).unwrap();
    println!("held {} {}", workload.id(), lab.directory().display());
    let _ = workload.wait_for(Duration::from_secs(60), "its end", |_| false);
    drop(lab);
}

fn held(by: &str) -> Held {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", by, "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find_map(|line| Some(line.split_once("held ")?.1.to_owned()));
    let line = line.expect("the child process holds a lab");
    let (workload, directory) = line.split_once(' ').unwrap();
    Held { workload: workload.parse().unwrap(), directory: directory.into(), process }
}

/// Process ids whose command line mentions the lab's directory.
fn processes_of(directory: &Path) -> Vec<String> {
    let directory = directory.to_string_lossy();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| {
        std::fs::read_to_string(entry.path().join("cmdline")).is_ok_and(|line| line.contains(&*directory))
    })
    .map(|entry| entry.file_name().to_string_lossy().into_owned())
    .collect()
}

fn becomes_true(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not become true");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn sigterm_ends_every_process_and_removes_the_directory() {
    let mut held = held("hold_a_lab");
    assert!(!processes_of(&held.directory).is_empty());
    kill(Pid::from_raw(held.process.id() as i32), Signal::SIGTERM).unwrap();
    held.process.wait().unwrap();
    assert!(!held.directory.exists());
    becomes_true("the end of every process", || processes_of(&held.directory).is_empty());
}

#[test]
fn sigterm_leaves_nothing_behind_a_process_that_tidies_up_at_the_same_time() {
    for _ in 0..5 {
        let mut held = held("hold_a_lab_while_its_program_runs");
        kill(Pid::from_raw(held.process.id() as i32), Signal::SIGTERM).unwrap();
        let status = held.process.wait().unwrap();
        assert_eq!(status.signal(), Some(Signal::SIGTERM as i32), "it died of the signal, and of nothing before");
        assert!(!held.directory.exists());
    }
}

#[test]
fn sigkill_ends_every_process_and_the_next_lab_removes_the_directory() {
    let mut held = held("hold_a_lab");
    assert!(Path::new(&format!("/proc/{}", held.workload)).exists());
    held.process.kill().unwrap();
    held.process.wait().unwrap();
    becomes_true("the end of every process", || processes_of(&held.directory).is_empty());
    // Another test's lab may have been the next one already: whose sweep it was does not matter.
    let _next = Lab::builder().blue(Flavor::MariaDb).single().start().unwrap();
    assert!(!held.directory.exists());
}

#[test]
fn killing_a_workload_that_hangs_ends_its_children_too() {
    let lab = Lab::builder().blue(Flavor::MariaDb).single().start().unwrap();
    let workload = Workload::Dbd.start(&lab, WorkloadOptions::default()).unwrap();
    workload.wait_for(Duration::from_secs(20), "10 writes", |s| s.acknowledged > 10).unwrap();
    lab.blue().freeze();
    // Everybody hangs in a statement.
    std::thread::sleep(Duration::from_millis(200));
    let killed = Instant::now();
    assert!(workload.kill().unwrap().statements.len() > 10);
    assert!(killed.elapsed() < Duration::from_secs(5));
}

#[test]
fn dropping_a_lab_ends_its_servers_and_removes_its_directory() {
    let lab = Lab::builder().both(Flavor::MariaDb).start().unwrap();
    let directory = lab.directory().to_owned();
    assert_eq!(processes_of(&directory).len(), 2);
    drop(lab);
    assert!(!directory.exists());
    assert_eq!(processes_of(&directory), Vec::<String>::new());
}
