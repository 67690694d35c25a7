//! sysbench's point select: the shortest statement there is, so the dearest for whoever stands in its way.

use std::{process::Command, time::Duration};

use pointsman_lab::{DATABASE, ENDPOINT, Lab, PASSWORD, USER};
use pointsman_tests::{
    run::{self, Preload},
    wait_for,
};

use crate::{pairs::quantile, peer, turns};

/// One and the same program differs by some percent from one start to the next, by where its memory lies: many starts tell
/// more than long ones.
const ROUNDS: usize = 15;
/// Each of the programs of a round has its share of this.
const SECONDS: u64 = 5;
const ROWS: u32 = 10_000;

/// As sysbench names them: `disable` sends text, `auto` prepares.
const MODES: [(&str, &str); 2] = [("text", "disable"), ("prepared", "auto")];

pub fn print(lab: &Lab) {
    if !std::path::Path::new("/usr/bin/sysbench").exists() {
        return println!("skipped: point select: no sysbench");
    }
    let mut prepare = sysbench(lab, Preload::Bare, ENDPOINT, "disable", 1);
    prepare.arg("prepare");
    let ran = run::run(prepare);
    assert_eq!(ran.status, 0, "sysbench prepare: {ran:?}");
    let peers = peer::start_all(lab);
    // What a ratio is worth: the same program twice.
    let mut names = vec!["preloaded", "bare again"];
    names.extend(peers.iter().map(|peer| peer.name));
    println!(
        "point select, queries as a ratio to bare (median and quartiles of {ROUNDS} rounds of {SECONDS} s, taking turns):"
    );
    let mut all = MODES.map(|_| Vec::new());
    for threads in [1, 4, 16] {
        for ((name, mode), all) in MODES.iter().zip(&mut all) {
            let rounds: Vec<_> = (0..ROUNDS).map(|_| round(lab, &peers, mode, threads)).collect();
            say(&format!("{threads:2} threads, {name}"), &names, &rounds);
            all.extend(rounds);
        }
    }
    for ((name, _), rounds) in MODES.iter().zip(&all) {
        say(&format!("all rounds, {name}"), &names, rounds);
    }
}

/// Each round's rates are those of the bare program and of `names`.
fn say(what: &str, names: &[&str], rounds: &[Vec<f64>]) {
    print!("  {what:20}:");
    for (at, name) in names.iter().enumerate() {
        let ratios = || rounds.iter().map(|rates| rates[at + 1] / rates[0]);
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|part| quantile(ratios(), part));
        print!(" {name} {middle:.3} ({low:.3}-{high:.3});");
    }
    println!();
}

/// How many queries a second each had answered: the bare one, then those that `names` has.
fn round(lab: &Lab, peers: &[peer::Peer], mode: &str, threads: u32) -> Vec<f64> {
    let command = |preload, host| {
        let mut command = sysbench(lab, preload, host, mode, threads);
        command.arg("run");
        command
    };
    let mut commands =
        vec![command(Preload::Bare, ENDPOINT), command(Preload::Preloaded, ENDPOINT), command(Preload::Bare, ENDPOINT)];
    commands.extend(peers.iter().map(|peer| command(Preload::Bare, peer.host)));
    let number = |query: &str| -> u64 {
        let rows = lab.blue().sql(query).expect("an answer of the server");
        rows.split_whitespace().last().and_then(|value| value.parse().ok()).expect("a number")
    };
    let connections = || number(&format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{USER}'"));
    wait_for("the round before to be gone", || connections() == 0);
    let ready = |at: usize| {
        let wanted = (at as u64 + 1) * u64::from(threads);
        wait_for("its connections", || connections() >= wanted);
    };
    // Texts and executions. These questions themselves are among them, one in each turn.
    let questions = || number("SHOW GLOBAL STATUS LIKE 'Questions'");
    turns::rates(commands, Duration::from_secs(SECONDS), ready, questions)
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
        // Until it is ended.
        "--time=0",
    ]);
    command
}
