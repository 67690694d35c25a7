//! sysbench's point select: the shortest statement there is, so the dearest for whoever stands in its way.

use std::process::Command;

use pointsman_lab::{DATABASE, ENDPOINT, Lab, PASSWORD, USER};
use pointsman_tests::run::{self, Preload};

use crate::{pairs::Pairs, peer};

const ROUNDS: usize = 15;
const SECONDS: u32 = 1;
const ROWS: u32 = 10_000;

/// As sysbench names them: `disable` sends text, `auto` prepares.
const MODES: [(&str, &str); 2] = [("text", "disable"), ("prepared", "auto")];

pub fn print(lab: &Lab) {
    if !std::path::Path::new("/usr/bin/sysbench").exists() {
        return println!("skipped: point select: no sysbench");
    }
    finish(sysbench(lab, Preload::Bare, ENDPOINT, "disable", 1), "prepare");
    let peers = peer::start_all(lab);
    println!("point select, queries a second as a ratio to bare (median of {ROUNDS} pairs of {SECONDS} s):");
    for threads in [1, 4, 16] {
        for (name, mode) in MODES {
            let rate = |preload, host| rate(lab, preload, host, mode, threads);
            let bare = || rate(Preload::Bare, ENDPOINT);
            let ours = Pairs::of(ROUNDS, bare, || rate(Preload::Preloaded, ENDPOINT));
            print!("  {threads:2} threads, {name:8}: {:8.0} bare; preloaded {:.3}", ours.medians().0, ours.ratio());
            for peer in &peers {
                let theirs = Pairs::of(3, bare, || rate(Preload::Bare, peer.host));
                print!("; {} {:.3}", peer.name, theirs.ratio());
            }
            println!();
        }
    }
}

fn sysbench(lab: &Lab, preload: Preload, host: &str, mode: &str, threads: u32) -> Command {
    let mut command = run::command(lab, "/usr/bin/sysbench", preload);
    command.args([
        "oltp_point_select",
        &format!("--mysql-host={host}"),
        &format!("--mysql-port={}", lab.port()),
        &format!("--mysql-user={USER}"),
        &format!("--mysql-password={PASSWORD}"),
        &format!("--mysql-db={DATABASE}"),
        &format!("--table-size={ROWS}"),
        &format!("--db-ps-mode={mode}"),
        &format!("--threads={threads}"),
        &format!("--time={SECONDS}"),
    ]);
    command
}

fn rate(lab: &Lab, preload: Preload, host: &str, mode: &str, threads: u32) -> f64 {
    let report = finish(sysbench(lab, preload, host, mode, threads), "run");
    // "    queries:                             52345  (26168.36 per sec.)"
    let line = report.lines().find(|line| line.trim_start().starts_with("queries:"));
    let rate = line.and_then(|line| line.split_once('(')?.1.split_once(' ')?.0.parse().ok());
    rate.unwrap_or_else(|| panic!("no rate in\n{report}"))
}

fn finish(mut command: Command, order: &str) -> String {
    command.arg(order);
    let ran = run::run(command);
    assert_eq!(ran.status, 0, "sysbench {order}: {ran:?}");
    ran.stdout
}
