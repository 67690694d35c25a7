//! The search for the writer: single flight, hold, fail open.
//!
//! One thread probes with its own connection, lent as a [`Prober`]; everybody else waits for its result. No lock is
//! held while the prober talks to a server. It knows nothing of client libraries or protocols.

pub mod behind;
pub(super) mod candidates;
mod deployment;
mod dialling;
pub mod greetings;
mod incumbent;
pub(super) mod meanwhile;
mod outcome;
mod own;
pub mod prober;
pub(super) mod questions;
pub mod reach;
mod redial;
pub mod silence;
mod slot;
pub mod topology;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use rustix_futex_sync::MutexGuard;

use incumbent::NoProof;
use prober::{Prober, Undialled, Writability};
use silence::GAP;
use slot::Slot;

use crate::{
    control::{
        config,
        counters::COUNTERS,
        log::{Level::*, say},
    },
    endpoint::{
        Endpoint, State,
        life::{Caller, Phase},
    },
};

/// A verified writer. The prober that was lent may be connected to it, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub address: SocketAddr,
    pub generation: u64,
    /// False: the incumbent, which is read-only, while no other server is named.
    pub writable: bool,
    /// The prober's connection to `address` leads to a server that accepts no writes: it has to dial that address anew.
    pub redial: bool,
}

/// How often a prober that found no writer looks again: DNS may have moved, the candidate may have opened.
pub(in crate::endpoint) const PROBE_EVERY: Duration = Duration::from_millis(100);
/// How much longer another thread waits before it takes the prober's place: it is connected where it has to be.
const STICKY: Duration = Duration::from_millis(50);
/// A look at a few servers is over by then, unless one of them gives no answer.
const STUCK: Duration = Duration::from_secs(3);
/// How long a connection waits whose own login is refused while others of the process are served, or that can open none.
const UNABLE_ALONE: Duration = Duration::from_secs(2);
/// It has looked itself so often by then: while other connections of the process look, it learns nothing.
const UNABLE_LOOKS: u32 = 3;

/// What one search keeps from look to look.
struct Search {
    /// When the caller began to look.
    pub began: Instant,
    /// When the incumbent is asked again.
    pub ask_incumbent_at: Option<Instant>,
    /// The incumbent to which the caller's connection was open when the search began. The search may have dialled away from
    /// there; without this library the connection would still be open, so it may go back unless that server is gone.
    pub home: Option<SocketAddr>,
    /// The name leads elsewhere since the search dialled the incumbent: its connection there counts as none.
    pub led_away: bool,
}

/// What one look brought.
#[derive(Clone, Copy, PartialEq)]
enum PassOutcome {
    Done,
    /// The incumbent said that it is writable, and no server that the name means did: the caller goes back to it.
    Stays,
    /// This connection cannot judge, for that reason: another one of the process has to.
    NoAnswer(NoProof),
}

impl Endpoint {
    /// Finds the verified writer, waiting for it if there is none, until `deadline` or the endpoint's hold limit,
    /// whichever is earlier. `None`: fail open, the caller gets its original error.
    pub fn find_writer(&self, prober: &mut dyn Prober, deadline: Option<Instant>) -> Option<Found> {
        let began = self.now();
        let mut search = Search { began, ask_incumbent_at: None, home: None, led_away: false };
        let mut unable_since: Option<(Instant, NoProof, u32)> = None;
        let mut recall = self.around.recall();
        let (mut held, mut probed, mut looked, mut asked) = (false, false, false, false);
        let epoch = self.around.epoch();
        if let Some(found) = self.own_connection_vouches(prober) {
            return Some(found);
        }
        let mut state = self.lock();
        search.home = prober.address().filter(|server| Some(*server) == state.life.incumbent());
        let found = loop {
            if self.around.epoch() != epoch {
                // Forked by a signal handler: the connection is the parent's.
                break None;
            }
            let now = self.now();
            // What an open connection heard from an incumbent that the name leaves out lets that connection stay there. A
            // connection that has to be dialled asks the named servers first.
            let left_out = state.life.leaves_out_incumbent() || state.life.leads_elsewhere();
            let stays = !left_out || Self::caller_at(&state, prober.address()) == Caller::Stays;
            if let Some(found) = self.leads_past_own(&state, prober) {
                break Some(found);
            }
            // Only of the incumbent's own address: a server elsewhere is not the one that was verified.
            let is_there = prober.address() == state.life.incumbent();
            let past_own = is_there && state.behind.leads_past(prober.server());
            if stays && !past_own && state.life.verified_since(began) {
                if !asked && prober.address().is_none() && state.life.answer_is_older_than(began) {
                    // Another thread, whose connection is open, may stay with a writer that the name means no more. A lost
                    // connection goes where the name leads now.
                    asked = true;
                    drop(state);
                    self.ask_resolver_anew(prober, began);
                    state = self.lock();
                    continue;
                }
                // The next hold is another one, however soon it comes.
                state.held = None;
                let generation = state.life.generation();
                break state.life.incumbent().map(|address| Found {
                    address,
                    generation,
                    writable: true,
                    redial: false,
                });
            }
            if let Some(found) = self.goes_on_in(&state, prober.need()) {
                break Some(found);
            }
            if prober.is_refused() {
                break None;
            }
            let held_until = Self::held_since(&mut state, began, now) + config().hold_max;
            // Each time that another connection verifies the writer, a hold of the endpoint begins anew.
            let limit = held_until.min(began + config().hold_max);
            if !looked && state.life.phase() == Phase::Switching {
                self.around.watch(self, self.pace_in(&state));
            }
            let open = state.life.circuit_open();
            if !open && now >= limit && (looked || state.probing.is_some()) {
                if now >= held_until {
                    self.fail_open(&mut state);
                } else {
                    let longest = config().hold_max;
                    say!(Warn, "{}: one connection finds no writer for {longest:?} (hold_max), others do", self.name);
                }
                break None;
            }
            if deadline.is_some_and(|deadline| now >= deadline) {
                say!(Warn, "{}: the application's own timeout ended the wait for a writer", self.name);
                break None;
            }
            let may_look = !looked && state.probing.is_none() && now >= state.next_pass + STICKY;
            if recall.wanted() || self.around.is_ending() && !may_look {
                say!(Warn, "{}: the application wants its thread back: its wait for a writer ends", self.name);
                prober.on_recall();
                break None;
            }
            let for_long =
                |(since, _, looks): &(Instant, NoProof, u32)| now >= *since + UNABLE_ALONE && *looks >= UNABLE_LOOKS;
            if let Some((_, why, _)) = unable_since.filter(for_long) {
                say!(Warn, "{}: {why}: not a switchover", self.name);
                break None;
            }
            // A prober that hangs somewhere in its library is not waited for.
            let probing = state.probing.map(|since| since + STUCK).filter(|until| now < *until);
            if open && (probing.is_some() || !state.life.may_look(now)) {
                break None;
            }
            let turn = state.next_pass + if probed { Duration::ZERO } else { STICKY };
            // A thread whose limit is over before its first look waits for its turn to look.
            let until = if now < limit { limit } else { turn };
            let until = deadline.map_or(until, |deadline| until.min(deadline));
            if !open && (probing.is_some() || now < turn) {
                held = true;
                let pause = until.min(probing.unwrap_or(turn));
                state = self.wait(state, &self.changed, pause.saturating_duration_since(now), &mut recall);
                continue;
            }
            state.probing = Some(now);
            let slot = Slot(self, now);
            let look;
            (state, look) = self.pass(state, prober, &mut search);
            let unable = if let PassOutcome::NoAnswer(why) = look { Some(why) } else { None };
            let every = if unable.is_some() { 3 * PROBE_EVERY } else { PROBE_EVERY };
            let pause = state.jitter.between(every * 3 / 4, every * 5 / 4);
            looked = true;
            probed = unable.is_none();
            unable_since =
                unable.map(|why| unable_since.map_or((now, why, 1), |(since, why, looks)| (since, why, looks + 1)));
            state.next_pass = self.now() + if probed { pause } else { Duration::ZERO };
            slot.give_back(&mut state);
            if look == PassOutcome::Stays {
                let generation = state.life.generation();
                break state.life.incumbent().map(|address| Found {
                    address,
                    generation,
                    writable: true,
                    redial: false,
                });
            }
            if open && !state.life.verified_since(began) {
                break None;
            }
            if unable.is_some() && !state.life.verified_since(began) {
                state = self.wait(state, &self.changed, pause, &mut recall);
            }
        };
        drop(state);
        if held {
            COUNTERS.holds.count();
            COUNTERS.held_ms.add(self.now().saturating_duration_since(began).as_millis() as u64);
        }
        found
    }

    /// One look at the incumbent and at every candidate. Takes and returns the lock, free in between.
    fn pass<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        prober: &mut dyn Prober,
        search: &mut Search,
    ) -> (MutexGuard<'a, State>, PassOutcome) {
        drop(state);
        let standing = prober.address();
        let caller = if search.led_away { Caller::Dials } else { Self::caller_at(&self.lock(), standing) };
        let settle = config().settle;
        let leaves = |endpoint: &Self| {
            let state = endpoint.lock();
            state.life.phase() != Phase::Switching && state.life.name_has_moved(endpoint.now(), settle)
        };
        // An open connection is about to leave a writable server. getaddrinfo has the last word, and is asked once there is another
        // writer, since it may take long.
        let asks_last = caller == Caller::Stays && leaves(self);
        if !asks_last {
            self.ask_resolver(prober, caller, search.began);
        }
        let state = self.lock();
        let now = self.now();
        let (incumbent, generation) = (state.life.incumbent(), state.life.generation());
        let switching = state.life.phase() == Phase::Switching;
        let moved_away = state.life.name_has_moved(now, settle);
        let port = incumbent.map_or(self.name.port, |incumbent| incumbent.port());
        let named = state.life.where_led().map(|ip| (SocketAddr::new(ip, port), false));
        // Of these the operator says that they may be the writer without DNS naming them.
        let configured = state.configured.addresses(port).into_iter().map(|server| (server, true));
        let mut others: Vec<_> = named.chain(configured).collect();
        others.retain(|(server, _)| Some(*server) != incumbent);
        // If it is open to one of them, it stays there if it can.
        others.sort_by_key(|(server, _)| Some(*server) != standing);
        let green: Vec<SocketAddr> = state.deployment.addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        // Another one of this process has just waited for it in vain.
        let known_mute = incumbent.is_some_and(|incumbent| state.silence.missed_lately(incumbent, now));
        // The name means other servers, which the caller would reach without this library: they are asked first.
        let left_out = state.life.leads_elsewhere() && caller == Caller::Dials;
        drop(state);

        let mut incumbent_writable = false;
        let mut incumbent_unreached = None;
        if let Some(incumbent) = incumbent.filter(|_| !left_out) {
            let connected = prober.address() == Some(incumbent);
            let due = !switching || search.ask_incumbent_at.map_or(!known_mute, |at| now >= at);
            let alone = others.is_empty() && green.is_empty();
            // A prober that is still connected to the incumbent asks itself: no connection leaves a server on another
            // connection's word.
            if due || alone || connected {
                match self.ask_incumbent(prober, incumbent, generation, moved_away, search) {
                    Ok(word) => (incumbent_writable, incumbent_unreached) = word,
                    Err(end) => return end,
                }
            }
        }
        for (candidate, vouched) in others {
            match self.try_server(prober, candidate) {
                Ok(Writability::Writable) => {
                    if asks_last {
                        self.ask_resolver(prober, caller, search.began);
                    }
                    let now = self.now();
                    let mut state = self.lock();
                    if state.life.generation() != generation {
                        return (state, PassOutcome::Done);
                    }
                    let vouched = vouched && !self.may_be_a_gap(&state);
                    if state.life.may_adopt(candidate, incumbent_writable, caller, now, settle)
                        || vouched && state.life.may_adopt_configured(incumbent_writable)
                    {
                        self.adopt(&mut state, candidate, incumbent_unreached);
                        return (state, PassOutcome::Done);
                    }
                }
                Ok(answer) => {
                    say!(Debug, "{}: candidate {candidate} is {answer:?}", self.name);
                    if answer == Writability::ReadOnly {
                        self.lock().meanwhile.said_read_only(candidate, self.now());
                    }
                }
                Err(why) => {
                    if matches!(why, Undialled::Unreachable(_)) {
                        self.lock().silence.unreached(candidate, self.now());
                    }
                    say!(Debug, "{}: candidate {candidate} {why}", self.name);
                }
            }
        }
        for candidate in green.into_iter().filter(|candidate| Some(*candidate) != incumbent) {
            if self.try_server(prober, candidate) != Ok(Writability::Writable) {
                continue;
            }
            let topology = prober.read_topology();
            let irrevocable = topology.as_ref().is_some_and(|topology| topology.irrevocable);
            self.on_topology(topology);
            let mut state = self.lock();
            let same = state.life.generation() == generation;
            if same && state.life.may_adopt_green(irrevocable, incumbent_writable) {
                self.adopt(&mut state, candidate, incumbent_unreached);
                return (state, PassOutcome::Done);
            }
        }
        if let Some(incumbent) = incumbent.filter(|_| left_out) {
            return self.fall_back_on_incumbent(prober, incumbent, generation, search);
        }
        let mut state = self.lock();
        if incumbent_writable && state.life.generation() == generation {
            self.stay_with_incumbent(&mut state);
            state.life.looked_elsewhere_in_vain(self.now());
            self.publish(&state);
            return (state, PassOutcome::Stays);
        }
        (state, PassOutcome::Done)
    }

    /// The incumbent is silent, and not for long: a gap in the network would look the same.
    fn may_be_a_gap(&self, state: &State) -> bool {
        let silent = state.life.incumbent().filter(|incumbent| state.silence.is_mute(*incumbent));
        silent.is_some_and(|incumbent| state.silence.silent_for(incumbent, self.now()) < GAP)
    }

    /// Waits for a change of the endpoint, `time` at most. True: the application wants its thread back.
    pub fn wait_for_news(&self, time: Duration) -> bool {
        let mut recall = self.around.recall();
        drop(self.wait(self.lock(), &self.changed, time, &mut recall));
        recall.wanted()
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;

#[cfg(test)]
mod follow_tests;
#[cfg(test)]
mod simulated_tests;
