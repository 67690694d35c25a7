//! Programs that run for the same time and take turns: every few milliseconds another one runs while the rest is stopped.
//! A machine that gets slower or faster meanwhile does so for all of them alike.

use std::{
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::cores;

const TURN: Duration = Duration::from_millis(40);

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

/// How often in a second each of them has moved `counter` while it ran, `time` long in all with the others. They are
/// started one after the other, each when the one before is `ready`, and are ended.
pub fn rates(
    commands: Vec<Command>,
    time: Duration,
    ready: impl Fn(usize),
    mut counter: impl FnMut() -> u64,
) -> Vec<f64> {
    let started = |(at, command)| {
        let player = Player::start(command);
        ready(at);
        player.send(Signal::STOP);
        player
    };
    let players: Vec<Player> = commands.into_iter().enumerate().map(started).collect();
    let _aside = cores::step_aside();
    let mut turns = vec![(0, Duration::ZERO); players.len()];
    let began = Instant::now();
    let mut before = counter();
    // Always in the same order: who had two turns in a row would find the second one's caches warm.
    while began.elapsed() < time {
        for (player, (count, ran)) in players.iter().zip(&mut turns) {
            let begins = Instant::now();
            player.send(Signal::CONT);
            sleep(TURN);
            player.send(Signal::STOP);
            *ran += begins.elapsed();
            let after = counter();
            *count += after - before;
            before = after;
        }
    }
    turns.into_iter().map(|(count, ran)| count as f64 / ran.as_secs_f64()).collect()
}
