//! What a look at the servers has found becomes the endpoint's state: it is said in the log, and the threads that wait are told.

use std::net::SocketAddr;

use super::prober::Undialled;
use crate::{
    control::{
        config,
        counters::COUNTERS,
        log::{Level::*, say},
    },
    endpoint::{Endpoint, State},
};

impl Endpoint {
    pub(in crate::endpoint) fn fail_open(&self, state: &mut State) {
        if state.life.fail_open() {
            COUNTERS.failed_open.count();
            say!(
                Warn,
                "{}: no writer for {:?} (hold_max): failing open, errors reach the application until a writer is \
                 verified",
                self.name,
                config().hold_max
            );
            self.publish(state);
            // A thread that waits for a server without an answer waits no longer than the others.
            if let Some(silent) =
                state.life.incumbent().filter(|incumbent| state.silence.missed_lately(*incumbent, self.now()))
            {
                self.around.give_up(self, silent);
            }
        }
        self.changed.tell_all();
    }

    /// `unreached`: the incumbent until now, if it could not be reached. Threads that wait for an answer from it are told.
    pub(in crate::endpoint) fn adopt(&self, state: &mut State, candidate: SocketAddr, unreached: Option<SocketAddr>) {
        let now = self.now();
        let silent = unreached.or(state.life.incumbent().filter(|incumbent| state.silence.is_mute(*incumbent)));
        let since = state.life.switching_since();
        if state.life.incumbent() != Some(candidate) {
            state.behind.on_adopted(candidate, now);
        }
        state.life.adopt(candidate, now);
        state.meanwhile.is_over();
        state.held = None;
        state.moved_at = Some(now);
        state.claims = None;
        match since {
            Some(since) => say!(
                Warn,
                "{}: moved to {candidate}, verified writable, {} ms after the first refusal",
                self.name,
                now.saturating_duration_since(since).as_millis()
            ),
            None => say!(Warn, "{}: moved to {candidate}, verified writable", self.name),
        }
        self.publish(state);
        if let Some(silent) = silent {
            self.around.give_up(self, silent);
        }
    }

    pub(in crate::endpoint) fn stay_with_incumbent(&self, state: &mut State) {
        state.life.on_incumbent_writable(self.now());
        state.meanwhile.is_over();
        state.held = None;
        self.publish(state);
    }

    /// `unreached`: it could not be asked. Otherwise it is read-only.
    pub(in crate::endpoint) fn incumbent_unfit(
        &self,
        state: &mut State,
        incumbent: SocketAddr,
        unreached: Option<Undialled>,
    ) {
        state.meanwhile.read_only = unreached.is_none();
        if unreached.is_some() {
            state.silence.unreached(incumbent, self.now());
        }
        let why = unreached.map_or("is read-only".to_owned(), |why| why.to_string());
        self.unfit(state, incumbent, &why);
    }

    /// The incumbent is not the writer, for that reason.
    pub(super) fn unfit(&self, state: &mut State, incumbent: SocketAddr, why: &str) {
        if state.life.on_incumbent_unfit(self.now()) {
            COUNTERS.suspects.count();
            say!(
                Warn,
                "{}: {incumbent} {why}; holding statements until a writer is verified, {:?} at most (less where a call has a \
                 shorter time-out)",
                self.name,
                config().hold_max
            );
            self.publish(state);
        }
    }
}
