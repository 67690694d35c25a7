//! sysbench's point select: the shortest statement there is, so the dearest for whoever stands in its way.

use std::{
    io::{self, Write},
    iter,
    process::Command,
    time::Duration,
};

use pointsman_lab::{DATABASE, ENDPOINT, Lab, PASSWORD, USER};
use pointsman_tests::run::{self, Preload};

use crate::{pairs::quantile, peer, turns};

/// One and the same program differs by some percent from one start to the next, by where its memory lies: many starts tell
/// more than long ones.
const ROUNDS: usize = 15;
/// How long each program of a round runs.
const SHARE: Duration = Duration::from_secs(2);
/// The proxies are far from 1: a few short rounds tell.
const ROUNDS_OF_PROXIES: usize = 5;
const SHARE_OF_PROXIES: Duration = Duration::from_millis(500);
const ROWS: u32 = 10_000;

/// As sysbench names them: `disable` sends text, `auto` prepares.
const MODES: [(&str, &str); 2] = [("text", "disable"), ("prepared", "auto")];

/// Runs beside the bare program.
struct Rival {
    name: &'static str,
    preload: Preload,
    host: &'static str,
}

pub fn print(lab: &Lab) {
    if !std::path::Path::new("/usr/bin/sysbench").exists() {
        return println!("skipped: point select: no sysbench");
    }
    let mut prepare = sysbench(lab, Preload::Bare, ENDPOINT, "disable", 1);
    prepare.arg("prepare");
    let ran = run::run(prepare);
    assert_eq!(ran.status, 0, "sysbench prepare: {ran:?}");
    let rivals = [
        Rival { name: "preloaded", preload: Preload::Preloaded, host: ENDPOINT },
        // What a ratio is worth: the same program twice.
        Rival { name: "bare again", preload: Preload::Bare, host: ENDPOINT },
    ];
    let peers = peer::start_all(lab);
    let proxies: Vec<_> =
        peers.iter().map(|peer| Rival { name: peer.name, preload: Preload::Bare, host: peer.host }).collect();
    println!(
        "point select, queries as a ratio to bare (median and quartiles of {ROUNDS} rounds of {} s for each, proxies {} of {} s):",
        SHARE.as_secs_f32(),
        ROUNDS_OF_PROXIES,
        SHARE_OF_PROXIES.as_secs_f32()
    );
    for threads in [1, 4, 16] {
        for (name, mode) in MODES {
            print!("  {threads:2} threads, {name:8}:");
            compare(lab, &rivals, ROUNDS, SHARE, mode, threads);
            compare(lab, &proxies, ROUNDS_OF_PROXIES, SHARE_OF_PROXIES, mode, threads);
            println!();
        }
    }
}

/// Says how many queries each rival had answered for one of the bare program, in so many rounds.
fn compare(lab: &Lab, rivals: &[Rival], rounds: usize, share: Duration, mode: &str, threads: u32) {
    let bare = Rival { name: "bare", preload: Preload::Bare, host: ENDPOINT };
    let rates: Vec<Vec<f64>> = (0..rounds)
        .map(|round| {
            let commands = iter::once(&bare).chain(rivals).map(|program| {
                let mut command = sysbench(lab, program.preload, program.host, mode, threads);
                command.arg("run");
                command
            });
            let mut commands: Vec<_> = commands.collect();
            // Whose caches a program finds depends on who comes before it.
            let backwards = round % 2 == 1;
            if backwards {
                commands.reverse();
            }
            let mut rates = turns::rates(lab.blue(), commands, threads, share);
            if backwards {
                rates.reverse();
            }
            rates
        })
        .collect();
    for (at, rival) in rivals.iter().enumerate() {
        let ratios = || rates.iter().map(|rates| rates[at + 1] / rates[0]);
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|part| quantile(ratios(), part));
        print!(" {} {middle:.3} ({low:.3}-{high:.3});", rival.name);
    }
    io::stdout().flush().expect("somebody reads this");
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
