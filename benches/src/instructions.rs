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
            let each = |few: u64, many: u64| many.saturating_sub(few) / u64::from(MANY - FEW);
            Count { all: each(few.all, many.all), library: each(few.library, many.library) }
        });
        let ours = protected.all as i64 - bare.all as i64;
        let (bare, all, library) = (bare.all, protected.all, protected.library);
        println!(
            "  {what}: {bare} bare, {all} preloaded: {ours} are ours, {library} of them in the library's own code"
        );
    }
}

/// Instructions of a thread.
struct Count {
    all: u64,
    /// In the library's own code. That is the same number each time: what `malloc` costs depends on how the heap lies.
    library: u64,
}

fn count(lab: &Lab, preload: Preload, work: &str, times: u32) -> Count {
    // Valgrind itself is not to be preloaded, only what it runs.
    let mut command = run::command(lab, "valgrind", Preload::Bare);
    // The library reads the environment onto the heap: the statements would cost what the caller's variables make of it.
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
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
    let of_the_application = fs::read_to_string(lab.directory().join("callgrind-01"));
    let counted = of_the_application.expect("callgrind writes a file for each thread");
    // "totals: 123456"
    let total = counted.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    let all = total.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("no count in\n{counted}"));
    Count { all, library: of_the_library(&counted) }
}

/// The instructions in the library's own code (valgrind's manual, "Callgrind Format Specification").
fn of_the_library(counted: &str) -> u64 {
    // An object is named once, "(3) /path/of/it", and goes by its number from then on, also where it is only called into.
    let path = library();
    let path = path.to_str().expect("a path in UTF-8");
    let names = |line: &str| line.strip_prefix("ob=").or(line.strip_prefix("cob=")).map(str::to_owned);
    let named = counted.lines().filter_map(names).find(|object| object.ends_with(path));
    let Some(number) = named.and_then(|object| object.split_once(' ').map(|(number, _)| number.to_owned())) else {
        return 0;
    };
    let (mut inside, mut of_a_call, mut sum) = (false, false, 0);
    for line in counted.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            inside = object.split(' ').next() == Some(&number);
        } else if line.starts_with("calls=") {
            // The next line has what was spent in the function that is called.
            of_a_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let count = line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok());
            if inside && !std::mem::take(&mut of_a_call) {
                sum += count.unwrap_or(0);
            }
            of_a_call = false;
        }
    }
    sum
}
