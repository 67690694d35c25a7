//! Hundreds of children, forked by threads that write, in the middle of a switchover: nobody hangs, nobody sees an error,
//! every row is there once.
//!
//! `STORMS` says how many switchovers a lab lives through, there and back, each in a new process; `STORM_SEED` repeats
//! what the children do, as far as chance was ours.

use std::{fs, fs::File, process::Stdio, time::Duration};

use pointsman_lab::{DATABASE, Dice, ENDPOINT, Flavor, Handover, Lab, PASSWORD, Side, USER, spawn};
use pointsman_tests::{
    compile, pair,
    run::{Preload, command, split_log},
    scale::{amount, seed},
    wait_for,
};

/// A child that hangs ends after 40 s, and its process then.
const END: Duration = Duration::from_secs(90);

/// A process that rages through one switchover from `from`. Gives how many children it had.
fn storm(lab: &Lab, from: Side, seed: u64, dice: &mut Dice) -> u64 {
    let [said, complained] = ["said", "complained"].map(|name| lab.directory().join(format!("storm-{seed:x}-{name}")));
    let before = rows(lab, from);
    let mut program = command(lab, compile::mariadb_program("storm"), Preload::Preloaded);
    program
        .args([ENDPOINT, "3306", USER, PASSWORD, DATABASE, &format!("{seed:x}")])
        .stdin(Stdio::piped())
        .stdout(File::create(&said).unwrap())
        .stderr(File::create(&complained).unwrap());
    let program = spawn(program).unwrap();
    let stdin = program.take_stdin();
    let more = |side, count| wait_for("rows", || rows(lab, side) >= before + count || program.ended().is_some());
    more(from, dice.number(50..=300));
    Handover::ReadOnly.scenario(from, dice.time(0..=900)).run(lab, &mut |_| {}).unwrap();
    let moved = rows(lab, from.other()) - before;
    more(from.other(), moved + 100);
    drop(stdin);
    let status = program.wait(END);
    let said = fs::read_to_string(&said).unwrap();
    let (log, others) = split_log(&fs::read_to_string(&complained).unwrap());
    let log = log.join("\n");
    assert!(status.as_ref().is_ok_and(|status| status.success()), "{status:?}; {said}\n{others}\n{log}");
    assert!(!said.contains("problem"), "{said}\n{others}\n{log}");
    assert!(others.is_empty() && !log.contains("internal error") && !log.contains("failing open"), "{others}\n{log}");
    assert!(log.contains("moved to"), "no switchover was noticed\n{log}");
    let done = said.lines().find_map(|line| line.strip_prefix("done forks ")).expect("it ended");
    let numbers: Vec<u64> = done.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [forks, written, own] = numbers[..] else { panic!("{done}") };
    let writer = from.other();
    assert_eq!(rows(lab, writer), before + written + own, "rows on the new writer; {said}");
    let twice = "SELECT COUNT(*) - COUNT(DISTINCT worker, seq) FROM shop.orders";
    assert_eq!(lab.server(writer).sql(twice).unwrap().trim(), "0", "rows that were written twice");
    // The next one begins at nought, and its rows with it.
    lab.server(writer).sql("DELETE FROM shop.orders").unwrap();
    lab.server(from).wait_caught_up(lab.server(writer), END).unwrap();
    forks
}

fn rows(lab: &Lab, side: Side) -> u64 {
    lab.server(side).sql("SELECT COUNT(*) FROM shop.orders").unwrap().trim().parse().unwrap()
}

#[test]
fn hundreds_of_children_forked_in_the_middle_of_a_switchover_neither_hang_nor_fail_nor_lose_a_row() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let seed = seed("STORM_SEED");
    let mut dice = Dice::new(seed);
    let mut writer = Side::Blue;
    let mut forks = 0;
    let storms = amount("STORMS", 3);
    for _ in 0..storms {
        let one = dice.roll();
        forks += storm(&lab, writer, one, &mut dice);
        writer = writer.other();
    }
    println!("{storms} storms, {forks} children");
    assert!(forks >= 100 * storms, "{forks} children are no storm");
}
