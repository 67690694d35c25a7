//! Instructions that one statement costs the application's thread, by callgrind: the same number whatever else the machine
//! does.

use std::{fs, process::Command};

use pointsman_lab::{DATABASE, ENDPOINT, Lab, PASSWORD, USER};
use pointsman_tests::{
    compile::mariadb_program,
    library,
    run::{self, Preload},
};

const FEW: u32 = 500;
const MANY: u32 = 2500;

/// What the program of the bench does `n` times, and how it is called here.
const WORK: [(&str, &str); 8] = [
    ("select", "a point select"),
    ("selects", "a point select, each of another shape than the one before"),
    ("select-in-threads", "a point select in a process that has another thread without us too"),
    ("prepared", "a prepared point select"),
    ("prepared-in-threads", "a prepared point select in such a process"),
    ("insert", "an insert"),
    ("set", "a SET, which the journal keeps"),
    ("transaction", "a transaction, which is kept for a replay: BEGIN, a locking read, an update and COMMIT"),
];

pub fn print(lab: &Lab) {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return println!("skipped: instructions: no valgrind");
    }
    lab.blue()
        .sql(
            "CREATE TABLE IF NOT EXISTS shop.bench (id INT PRIMARY KEY, n INT); \
                    CREATE TABLE IF NOT EXISTS shop.log (n INT); REPLACE INTO shop.bench VALUES (1, 0)",
        )
        .expect("tables for the bench");
    println!("instructions of the whole client side, by callgrind:");
    for (work, what) in WORK {
        let [bare, protected] = [Preload::Bare, Preload::Preloaded].map(|preload| {
            let [few, many] = [FEW, MANY].map(|times| count(lab, preload, work, times));
            many.saturating_sub(few) / u64::from(MANY - FEW)
        });
        println!("  {what}: {bare} bare, {protected} preloaded: {} are ours", protected as i64 - bare as i64);
    }
}

fn count(lab: &Lab, preload: Preload, work: &str, times: u32) -> u64 {
    // Valgrind itself is not to be preloaded, only what it runs.
    let mut command = run::command(lab, "valgrind", Preload::Bare);
    // The watcher's thread works by the clock and not by the statement, and under valgrind the clock is quick.
    let counts = lab.directory().join("callgrind");
    let file = format!("--callgrind-out-file={}", counts.display());
    command.args(["--tool=callgrind", "--separate-threads=yes", &file]);
    let program = mariadb_program("bench");
    if preload == Preload::Preloaded {
        command.env("LD_PRELOAD", library());
    }
    command.arg(program).args([ENDPOINT, &lab.port().to_string(), USER, PASSWORD, DATABASE, work, &times.to_string()]);
    let ran = run::run(command);
    assert_eq!(ran.status, 0, "{ran:?}");
    // "totals: 123456"
    let of_the_application = fs::read_to_string(lab.directory().join("callgrind-01"));
    let counted = of_the_application.expect("callgrind writes a file for each thread");
    let total = counted.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("no count in\n{counted}"))
}
