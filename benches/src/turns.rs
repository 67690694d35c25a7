//! Programs that run for the same time and take turns: every few milliseconds another one runs while the rest is stopped.
//! A machine that gets slower or faster meanwhile does so for all of them alike.

use std::{
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

const TURN: Duration = Duration::from_millis(40);

/// Ended with us, whatever happens: a stopped program would stay for ever.
struct Player(Option<Child>);

impl Player {
    fn start(mut command: Command) -> Self {
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Player(Some(started.expect("the program can be started")))
    }

    /// Nobody has waited for it, so its id is nobody else's.
    fn send(&self, signal: Signal) {
        if let Some(child) = &self.0 {
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    fn output(mut self) -> String {
        let output = self.0.take().expect("it still runs").wait_with_output().expect("it can be waited for");
        assert!(output.status.success(), "{:?}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What each of them has to say in the end. They take turns for `time` once they are `ready`, and have to end by themselves
/// after that.
pub fn outputs(commands: Vec<Command>, time: Duration, ready: impl FnOnce()) -> Vec<String> {
    let players: Vec<Player> = commands.into_iter().map(Player::start).collect();
    ready();
    players.iter().for_each(|player| player.send(Signal::STOP));
    let began = Instant::now();
    // Always in the same order: who had two turns in a row would find the second one's caches warm.
    while began.elapsed() < time {
        for player in &players {
            player.send(Signal::CONT);
            sleep(TURN);
            player.send(Signal::STOP);
        }
    }
    players.iter().for_each(|player| player.send(Signal::CONT));
    players.into_iter().map(Player::output).collect()
}
