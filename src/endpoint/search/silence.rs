//! Servers that fall silent: no refusal, no FIN, no answer. No thread may be free to notice them, since every connection
//! may be waiting for an answer that never comes. The watcher's thread looks, each second and after each lookup.
//!
//! A server that may be healthy is hardly ever asked for its greeting: a connection that ends there counts against
//! `max_connect_errors` (MySQL manual, "Host Cache"), and past that the server refuses this host. What the kernel knows
//! of the connections that are open anyway comes first.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::prober::Undialled;
use crate::{
    control::config,
    endpoint::{Endpoint, Role, State, life::Phase},
};

/// A server that was heard of within this is alive.
const LATELY: Duration = Duration::from_secs(1);
/// Before a long statement's server is asked for a sign of life again, doubled each time that it gave one.
const AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];
/// A short gap in the network is waited for, where no DNS answer says that the writer is elsewhere.
pub(super) const GAP: Duration = Duration::from_secs(5);
/// How long a gap explains that a connection ended: after that, it was ended on purpose.
const EXPLAINS: Duration = Duration::from_secs(60);

/// A server that gave no answer when it was asked for one.
#[derive(Clone, Copy, Debug)]
struct Mute {
    since: Instant,
    misses: u32,
    /// When it missed last.
    checked: Instant,
}

/// What is known of servers that do not answer.
#[derive(Debug, Default)]
pub(in crate::endpoint) struct Silence {
    mute: BTreeMap<SocketAddr, Mute>,
    /// Servers that gave a sign of life: not asked for one before that moment, this pause after the last time.
    not_before: BTreeMap<SocketAddr, (Instant, Duration)>,
    /// When a server could not be reached last.
    unreachable: BTreeMap<SocketAddr, Instant>,
}

impl Silence {
    pub fn is_mute(&self, server: SocketAddr) -> bool {
        self.mute.contains_key(&server)
    }

    /// It gives no answer, for so long; zero if it is not known to be silent.
    pub fn silent_for(&self, server: SocketAddr, now: Instant) -> Duration {
        self.mute.get(&server).map(|mute| now.saturating_duration_since(mute.since)).unwrap_or_default()
    }

    /// A thread has just waited for it in vain.
    pub fn missed_lately(&self, server: SocketAddr, now: Instant) -> bool {
        self.mute.get(&server).is_some_and(|mute| now.saturating_duration_since(mute.checked) < LATELY)
    }

    pub fn missed(&mut self, server: SocketAddr, now: Instant) {
        let mute = self.mute.entry(server).or_insert(Mute { since: now, misses: 0, checked: now });
        mute.misses += 1;
        mute.checked = now;
    }

    pub fn heard(&mut self, server: SocketAddr) {
        self.mute.remove(&server);
    }

    pub fn unreached(&mut self, server: SocketAddr, now: Instant) {
        self.unreachable.insert(server, now);
    }

    /// Could it not be reached within the last `time`?
    pub fn was_unreached(&self, server: SocketAddr, time: Duration, now: Instant) -> bool {
        self.unreachable.get(&server).is_some_and(|at| now.saturating_duration_since(*at) < time)
    }

    /// As if it had fallen silent that much earlier.
    #[cfg(test)]
    pub fn backdate(&mut self, server: SocketAddr, by: Duration) {
        if let Some(mute) = self.mute.get_mut(&server) {
            mute.since = mute.since.checked_sub(by).expect("the clock is older than that");
        }
    }

    pub fn misses(&self, server: SocketAddr) -> u32 {
        self.mute.get(&server).map_or(0, |mute| mute.misses)
    }
}

/// What the kernel knows of this process's connections to a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How long ago something came from it on any of them.
    pub heard: Option<Duration>,
    /// What was sent on one of them is sent again and again.
    pub resending: bool,
    /// The application waits for an answer from it.
    pub waiting: bool,
}

impl Traffic {
    pub fn alive(&self) -> bool {
        self.heard.is_some_and(|ago| ago < LATELY)
    }
}

impl Endpoint {
    /// Has the server been unreachable after `moment`, and lately? A connection that is older did not end on purpose.
    pub fn was_unreachable_after(&self, server: SocketAddr, moment: Instant) -> bool {
        let unreached = self.lock().silence.unreachable.get(&server).copied();
        let explains = |at: Instant| at > moment && self.now().saturating_duration_since(at) < EXPLAINS;
        unreached.is_some_and(explains)
    }

    /// Connections to the server were given up.
    pub fn gave_up(&self, server: SocketAddr) {
        self.lock().silence.unreached(server, self.now());
    }

    /// Before a login is risked on a server that gave no answer the last time, it must give a sign of life.
    pub(super) fn sign_of_life(&self, server: SocketAddr) -> Result<(), Undialled> {
        let misses = self.lock().silence.misses(server);
        if misses == 0 {
            return Ok(());
        }
        let answer = self.greets(server, misses);
        if matches!(answer, Err(Undialled::NotTried(_))) && !self.may_be_greeted(server) {
            return Ok(());
        }
        let mut state = self.lock();
        match answer {
            Ok(()) => state.silence.heard(server),
            Err(Undialled::NotTried(why)) => return Err(Undialled::NotTried(why)),
            Err(why) => {
                state.silence.missed(server, self.now());
                return Err(why);
            }
        }
        Ok(())
    }

    /// On the watcher's thread: is `server` silent, so that the connections to it are to be cut and each thread that waits for an
    /// answer learns that none will come?
    pub fn has_fallen_silent(&self, server: SocketAddr, traffic: Traffic) -> bool {
        match self.role() {
            Role::Writer => self.writer_has_fallen_silent(server, traffic),
            Role::Reader => self.replica_has_fallen_silent(server, traffic),
            Role::Unknown => false,
        }
    }

    /// Only on the kernel's word, and only if there is another one that greets.
    fn replica_has_fallen_silent(&self, server: SocketAddr, traffic: Traffic) -> bool {
        let silent = !traffic.alive() && traffic.resending && self.is_mute(server);
        silent && self.replicas().into_iter().any(|other| other != server && self.greets(other, 0).is_ok())
    }

    fn writer_has_fallen_silent(&self, server: SocketAddr, traffic: Traffic) -> bool {
        if !self.seems_silent(server, traffic) {
            return false;
        }
        // A thread has just asked it in vain: once a second is enough.
        let asked = self.lock().silence.missed_lately(server, self.now());
        (asked || !self.answers(server)) && self.is_to_be_given_up(server, traffic)
    }

    /// Nothing came from it for a second, and a thread waits, or has waited in vain.
    fn seems_silent(&self, server: SocketAddr, traffic: Traffic) -> bool {
        let mut state = self.lock();
        let is_incumbent = state.life.incumbent() == Some(server);
        // What came before it missed says nothing.
        let now = self.now();
        let last_miss = state.silence.mute.get(&server).map(|mute| now.saturating_duration_since(mute.checked));
        if traffic.alive() && last_miss.is_none_or(|ago| traffic.heard.is_some_and(|heard| heard < ago)) {
            self.heard_again(&mut state, server);
            return false;
        }
        // One of several servers under the name is doubted no more than the incumbent is.
        let left = !is_incumbent && !state.life.named().contains(&server.ip());
        let doubted = left || is_incumbent && state.life.phase() != Phase::Steady;
        let mute = is_incumbent && state.silence.is_mute(server);
        let spared = state.silence.not_before.get(&server).is_some_and(|(at, _)| now < *at);
        (traffic.resending || doubted && traffic.waiting || mute) && !spared
    }

    /// Asks for a sign of life. An incumbent that gives none is unfit.
    fn answers(&self, server: SocketAddr) -> bool {
        let began = self.now();
        let is_incumbent = |state: &State| state.life.incumbent() == Some(server);
        let (was_incumbent, misses) = {
            let state = self.lock();
            (is_incumbent(&state), state.silence.misses(server))
        };
        let answer = self.greets(server, misses);
        let mut state = self.lock();
        if is_incumbent(&state) != was_incumbent {
            // It was adopted, or left, meanwhile: what was doubted is another question by now.
            return true;
        }
        let Err(why) = answer else {
            let before = state.silence.not_before.get(&server);
            let pause = before.map_or(AGAIN[0], |(_, pause)| (2 * *pause).min(AGAIN[1]));
            state.silence.not_before.insert(server, (began + pause, pause));
            self.heard_again(&mut state, server);
            return true;
        };
        if matches!(why, Undialled::NotTried(_)) {
            // No thread asked it.
            return true;
        }
        state.silence.not_before.remove(&server);
        state.silence.missed(server, self.now());
        if was_incumbent {
            self.incumbent_unfit(&mut state, server, Some(why));
        }
        false
    }

    /// It is silent. Is there nothing to be waited for?
    fn is_to_be_given_up(&self, server: SocketAddr, traffic: Traffic) -> bool {
        let (silent, (elsewhere, configured)) = {
            let state = self.lock();
            let silent = state.silence.silent_for(server, self.now());
            if state.life.incumbent() != Some(server) {
                // The writer is somewhere else: nothing that is still waited for will come of this one.
                return traffic.resending || silent >= LATELY;
            }
            (silent, self.elsewhere(&state, server))
        };
        let greets_one = |servers: &[SocketAddr]| servers.iter().any(|server| self.greets(*server, 0).is_ok());
        silent >= config().hold_max.max(GAP) || greets_one(&elsewhere) || silent >= GAP && greets_one(&configured)
    }

    /// If it was silent: whether it is the writer still, the next statement asks.
    fn heard_again(&self, state: &mut State, server: SocketAddr) {
        let was_mute = state.silence.is_mute(server);
        state.silence.heard(server);
        if was_mute && state.life.incumbent() == Some(server) && state.life.on_heard_again() {
            self.publish(state);
        }
    }

    /// Where the writer may be instead: by DNS or by a switchover, and by the configuration.
    pub(super) fn elsewhere(&self, state: &State, incumbent: SocketAddr) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
        let port = incumbent.port();
        let green = if state.deployment.leads_to_green() { state.deployment.addresses.as_slice() } else { &[] };
        let named = state.life.named().iter().chain(green).map(|ip| SocketAddr::new(*ip, port));
        let not_it = |server: &SocketAddr| *server != incumbent;
        (named.filter(not_it).collect(), state.configured.addresses(port).into_iter().filter(not_it).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_a_server_fell_silent_is_no_sign_of_life() {
        let endpoint = Endpoint::alone();
        let server = SocketAddr::from(([127, 0, 0, 1], 1));
        endpoint.seen_writable(server);
        endpoint.suspect(1);
        {
            let mut state = endpoint.lock();
            state.silence.missed(server, endpoint.now());
            endpoint.incumbent_unfit(&mut state, server, Some(Undialled::Unreachable("no answer".to_owned())));
        }
        let heard = |ago| Traffic { heard: Some(ago), resending: false, waiting: true };
        endpoint.has_fallen_silent(server, heard(Duration::from_millis(900)));
        assert_eq!(endpoint.lock().life.phase(), Phase::Switching);
        endpoint.has_fallen_silent(server, heard(Duration::ZERO));
        assert_eq!(endpoint.lock().life.phase(), Phase::Suspect, "to be asked again");
    }
}
