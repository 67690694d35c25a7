//! Programs that run for the same time and take turns: every few milliseconds another one runs while the rest is stopped.
//! A machine that gets slower or faster meanwhile does so for all of them alike.

use std::{
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use pointsman_lab::Server;
use pointsman_tests::wait_for;
use rustix::process::{Pid, Signal, kill_process};

use crate::{cores, counter::Counter};

/// The shorter, the more alike are two turns, one after the other, on a machine that has other guests too. A query takes
/// some 40 microseconds.
const TURN: Duration = Duration::from_millis(10);

/// Ended with us, whatever happens: a stopped program would stay for ever.
struct Player(Child);

impl Player {
    fn start(mut command: Command) -> Self {
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Player(started.expect("the program can be started"))
    }

    /// Nobody has waited for it, so its id is nobody else's.
    fn send(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.0), signal);
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many statements in a second each of them had answered while it ran, its `share` of the time. They are started one
/// after the other, each when the one before has its connections, and are ended.
pub fn rates(server: &Server, commands: Vec<Command>, connections: u32, share: Duration) -> Vec<f64> {
    let mut counter = Counter::of(server);
    wait_for("those before to be gone", || counter.connections() == 0);
    let players: Vec<Player> = (1..)
        .zip(commands)
        .map(|(players, command)| {
            let player = Player::start(command);
            wait_for("its connections", || counter.connections() >= players * u64::from(connections));
            player.send(Signal::STOP);
            player
        })
        .collect();
    let _aside = cores::step_aside();
    let mut turns = vec![(0, Duration::ZERO); players.len()];
    let mut before = counter.statements();
    // Always in the same order: who had two turns in a row would find the second one's caches warm.
    while turns.iter().any(|(_, ran)| *ran < share) {
        for (player, (count, ran)) in players.iter().zip(&mut turns) {
            let begins = Instant::now();
            player.send(Signal::CONT);
            sleep(TURN);
            player.send(Signal::STOP);
            *ran += begins.elapsed();
            let after = counter.statements();
            *count += after - before;
            before = after;
        }
    }
    turns.into_iter().map(|(count, ran)| count as f64 / ran.as_secs_f64()).collect()
}
