//! The search for the writer: single flight, hold, fail open.
//!
//! One thread probes with its own connection, lent as a [`Prober`]; everybody else waits for its result. No lock is
//! held while the prober talks to a server. It knows nothing of client libraries or protocols.

use std::{
    net::SocketAddr,
    sync::MutexGuard,
    time::{Duration, Instant},
};

use super::{Endpoint, State, life::Phase, reach};
use crate::control::{
    config,
    counters::COUNTERS,
    log::{Level::*, say},
};

/// A connection that can be pointed at another server: what a front end lends to the search.
pub trait Prober {
    /// The server that it is connected to, if it is connected and idle.
    fn address(&self) -> Option<SocketAddr>;
    /// Connects to `to` and logs in as the application, or leaves everything as it was and says why.
    fn dial(&mut self, to: SocketAddr) -> Result<(), String>;
    /// Asks the connected server whether it accepts writes.
    fn ask(&mut self) -> Writability;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writability {
    Writable,
    ReadOnly,
    /// The question got no answer.
    Lost,
}

/// A verified writer. The prober that was lent may be connected to it, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub address: SocketAddr,
    pub generation: u64,
}

/// How often a prober that found no writer looks again: DNS may have moved, the candidate may have opened.
const PROBE_EVERY: Duration = Duration::from_millis(100);
/// How often the incumbent is asked again while the prober is busy with a candidate (a login each).
const INCUMBENT_EVERY: Duration = Duration::from_millis(400);

impl Endpoint {
    /// Finds the verified writer, waiting for it if there is none, until `patience` ends or the endpoint's hold
    /// limit, whichever is earlier. `None`: fail open, the caller gets its original error.
    pub fn find_writer(&self, prober: &mut dyn Prober, patience: Option<Duration>) -> Option<Found> {
        let began = Instant::now();
        let hold_max = config().hold_max;
        let mut incumbent_asked: Option<Instant> = None;
        let mut held = false;
        let mut state = self.lock();
        let found = loop {
            let now = Instant::now();
            let life = &state.life;
            if life.verified_since(began) {
                break life.incumbent().map(|address| Found { address, generation: life.generation() });
            }
            let open = life.circuit_open();
            let limit = life.hold_until(began, hold_max);
            if !open && now >= limit {
                if state.life.fail_open() {
                    COUNTERS.failed_open.add(1);
                    say!(
                        Warn,
                        "{}: no writer for {:?} (hold_max): failing open, errors reach the application \
                        until a writer is verified",
                        self.name,
                        hold_max
                    );
                    self.publish(&state);
                }
                self.changed.notify_all();
                break None;
            }
            if patience.is_some_and(|patience| now >= began + patience) {
                say!(Warn, "{}: the application's own read timeout ended the wait for a writer", self.name);
                break None;
            }
            if open && !state.life.may_look(now) {
                break None;
            }
            let until = patience.map_or(limit, |patience| limit.min(began + patience));
            if state.probing {
                if open {
                    break None;
                }
                held = true;
                state = self.wait(state, until.saturating_duration_since(now));
                continue;
            }
            state.probing = true;
            let slot = Slot(self);
            state = self.pass(state, prober, &mut incumbent_asked);
            if state.life.verified_since(began) {
                drop_slot(slot, &mut state);
                continue;
            }
            if open {
                drop_slot(slot, &mut state);
                break None;
            }
            held = true;
            let pause = PROBE_EVERY.min(until.saturating_duration_since(Instant::now()));
            state = self.wait(state, pause);
            drop_slot(slot, &mut state);
        };
        drop(state);
        if held {
            COUNTERS.holds.add(1);
            COUNTERS.held_ms.add(began.elapsed().as_millis() as u64);
        }
        found
    }

    /// One look at the incumbent and at every candidate. Takes and returns the lock, free in between.
    fn pass<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        prober: &mut dyn Prober,
        incumbent_asked: &mut Option<Instant>,
    ) -> MutexGuard<'a, State> {
        let now = Instant::now();
        let settle = config().settle;
        let incumbent = state.life.incumbent();
        let moved_away = state.life.name_has_moved(now, settle);
        let named: Vec<SocketAddr> = state.life.named().iter().map(|ip| SocketAddr::new(*ip, self.name.port)).collect();
        drop(state);

        let mut incumbent_writable = false;
        if let Some(incumbent) = incumbent {
            let connected = prober.address() == Some(incumbent);
            let due = incumbent_asked.is_none_or(|at| now.duration_since(at) >= INCUMBENT_EVERY);
            if connected || due || named == [incumbent] {
                *incumbent_asked = Some(now);
                let answer = self.try_server(prober, incumbent);
                let mut state = self.lock();
                incumbent_writable = answer == Ok(Writability::Writable);
                if incumbent_writable && !moved_away {
                    if state.life.phase() == Phase::Switching {
                        say!(Warn, "{}: {incumbent} accepts writes again", self.name);
                    }
                    self.stay(&mut state);
                    return state;
                }
                if !incumbent_writable && state.life.on_incumbent_unfit(Instant::now()) {
                    COUNTERS.suspects.add(1);
                    let why = match answer {
                        Err(why) => format!("cannot be reached ({why})"),
                        Ok(_) => "is read-only".to_owned(),
                    };
                    say!(
                        Warn,
                        "{}: {incumbent} {why}; holding statements until a writer is verified, {:?} at most",
                        self.name,
                        config().hold_max
                    );
                    self.publish(&state);
                }
            }
        }
        for candidate in named.into_iter().filter(|candidate| Some(*candidate) != incumbent) {
            match self.try_server(prober, candidate) {
                Ok(Writability::Writable) => {
                    let now = Instant::now();
                    let mut state = self.lock();
                    if state.life.may_adopt(candidate, incumbent_writable, now, settle) {
                        let waited = state.life.hold_until(now, Duration::ZERO);
                        state.life.adopt(candidate, now);
                        say!(
                            Warn,
                            "{}: moved to {candidate}, verified writable, {} ms after the first refusal",
                            self.name,
                            now.saturating_duration_since(waited).as_millis()
                        );
                        self.publish(&state);
                        return state;
                    }
                }
                Ok(answer) => say!(Debug, "{}: candidate {candidate} is {answer:?}", self.name),
                Err(why) => say!(Debug, "{}: candidate {candidate} cannot be reached: {why}", self.name),
            }
        }
        let mut state = self.lock();
        if incumbent_writable {
            self.stay(&mut state);
        }
        state
    }

    fn stay(&self, state: &mut State) {
        state.life.on_incumbent_writable(Instant::now());
        self.publish(state);
    }

    fn try_server(&self, prober: &mut dyn Prober, server: SocketAddr) -> Result<Writability, String> {
        if prober.address() == Some(server) {
            match prober.ask() {
                Writability::Lost => {}
                answer => return Ok(answer),
            }
        }
        reach::reachable(server)?;
        prober.dial(server)?;
        match prober.ask() {
            Writability::Lost => Err("connection lost while asking @@read_only".to_owned()),
            answer => Ok(answer),
        }
    }

    /// Waits for a change of the endpoint, `time` at most: for a connect that found nobody to talk to.
    pub fn wait_for_news(&self, time: Duration) {
        drop(self.wait(self.lock(), time));
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        match self.changed.wait_timeout(state, time) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }
}

/// The right to probe. Given back even if the prober panics.
struct Slot<'a>(&'a Endpoint);

fn drop_slot(slot: Slot<'_>, state: &mut State) {
    state.probing = false;
    slot.0.changed.notify_all();
    std::mem::forget(slot);
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.lock().probing = false;
        self.0.changed.notify_all();
    }
}
