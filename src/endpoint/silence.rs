//! Servers that fall silent: no refusal, no FIN, no greeting. Nobody may be left to notice them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{Endpoint, Role, life::Phase, reach::greets};

/// A server that is merely busy greets within this.
const SILENCE: Duration = Duration::from_secs(1);

impl Endpoint {
    /// Has the incumbent been unreachable after `moment`? A connection that is older did not end on purpose.
    pub fn was_unreachable_after(&self, moment: Instant) -> bool {
        self.lock().unreachable_at.is_some_and(|at| at > moment)
    }

    /// On the watcher's thread, after an answer: DNS names somebody else. If the incumbent does not even greet any more
    /// while that one does, nobody may be left to notice: every connection may be waiting for an answer that never
    /// comes. Returns the incumbent if its connections are to be cut.
    pub fn fallen_silent(&self) -> Option<SocketAddr> {
        let (incumbent, named) = {
            let mut state = self.lock();
            if state.life.phase() == Phase::Steady || self.role() != Role::Writer {
                state.silent_since = None;
                return None;
            }
            let named = state.life.named().to_vec();
            (state.life.incumbent()?, named)
        };
        let elsewhere = named.iter().find(|ip| **ip != incumbent.ip())?;
        if named.contains(&incumbent.ip()) || greets(incumbent).is_ok() {
            self.lock().silent_since = None;
            return None;
        }
        greets(SocketAddr::new(*elsewhere, incumbent.port())).ok()?;
        let mut state = self.lock();
        if state.life.incumbent() != Some(incumbent) {
            return None;
        }
        let now = Instant::now();
        let silent = now.duration_since(*state.silent_since.get_or_insert(now)) >= SILENCE;
        silent.then_some(incumbent)
    }
}
