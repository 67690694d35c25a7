//! Servers that fall silent: no refusal, no FIN, no answer. Nobody may be left to notice them, since every connection
//! may be waiting for an answer that never comes. The watcher's thread looks, after each of its lookups.
//!
//! A server that may be healthy is hardly ever asked for its greeting: a connection that ends there counts against
//! `max_connect_errors` (MySQL manual, "Host Cache"), and past that the server refuses this host. What the kernel knows
//! of the connections that are open anyway comes first.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    Endpoint, Role, State,
    life::Phase,
    reach::{self, greets},
    search::Undialled,
};
use crate::control::config;

/// Whoever was heard of within this is alive.
const LATELY: Duration = Duration::from_secs(1);
/// Before a long statement's server is asked for a sign of life again, doubled each time that it gave one.
const AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];
/// Configured candidates are there at all times, so that they are says nothing: a short gap in the network is waited for.
const GAP: Duration = Duration::from_secs(5);

/// What is known of servers that do not answer.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Servers that gave no answer when they were asked for one: not to be waited for without a sign of life.
    mute: BTreeSet<SocketAddr>,
    /// The incumbent gives none, since then.
    since: Option<Instant>,
    /// When it was asked for one last, in vain.
    checked: Option<Instant>,
    /// Servers that gave one: not asked again before that moment, this pause after the last time.
    not_before: BTreeMap<SocketAddr, (Instant, Duration)>,
    /// The suspicion of DNS (since when it leaves the incumbent out) for which a sign of life was asked for.
    asked_for: Option<Instant>,
    /// Who answered us last, and when.
    heard: Option<(SocketAddr, Instant)>,
    questions: Vec<Asked>,
    /// Counts the questions.
    asked: u64,
}

#[cfg(test)]
impl Known {
    pub fn mute_for_review(&mut self, server: SocketAddr) {
        self.mute.insert(server);
    }
}

/// A question or a login of ours that is under way.
#[derive(Debug)]
struct Asked {
    id: u64,
    server: SocketAddr,
    /// The socket, once there is one.
    fd: Option<i32>,
    until: Instant,
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
    /// Has the incumbent been unreachable after `moment`? A connection that is older did not end on purpose.
    pub fn was_unreachable_after(&self, moment: Instant) -> bool {
        self.lock().unreachable_at.is_some_and(|at| at > moment)
    }

    /// The server answered just now.
    pub(super) fn heard(&self, server: SocketAddr) {
        let mut state = self.lock();
        state.silence.mute.remove(&server);
        state.silence.heard = Some((server, Instant::now()));
    }

    /// The server gave no answer in time.
    pub(super) fn unheard(&self, server: SocketAddr) {
        self.lock().silence.mute.insert(server);
    }

    pub(super) fn is_mute(state: &State, server: SocketAddr) -> bool {
        state.silence.mute.contains(&server)
    }

    /// Before a question is risked on a connection to `server`, or a login: it must give a sign of life if it gave none
    /// the last time, and once for each suspicion that DNS raises.
    pub(super) fn sign_of_life(&self, server: SocketAddr, connected: bool) -> Result<(), Undialled> {
        let doubted = {
            let mut state = self.lock();
            let suspicion = state.life.left_out_since();
            let heard = state.silence.heard.is_some_and(|(who, at)| who == server && at.elapsed() < LATELY);
            let new = suspicion.is_some() && state.silence.asked_for != suspicion;
            let doubted = connected && new && state.life.incumbent() == Some(server) && !heard;
            if doubted {
                state.silence.asked_for = suspicion;
            }
            let mute = Self::is_mute(&state, server);
            if mute || doubted && !crate::process::traffic(self, server).alive() { Some(mute) } else { None }
        };
        let Some(mute) = doubted else { return Ok(()) };
        match greets(server, if mute { reach::AGAIN } else { reach::LIMIT }) {
            Ok(()) => {
                self.heard(server);
                Ok(())
            }
            Err(why) => {
                self.unheard(server);
                Err(Undialled::Unreachable(why))
            }
        }
    }

    /// Something is asked of `server`; without an answer its connection is cut after `patience`. The libraries' own
    /// limits are for the application to set, and it need not have set any.
    pub fn asking(&self, server: SocketAddr, fd: Option<i32>, patience: Duration) -> Question<'_> {
        let mut state = self.lock();
        state.silence.asked += 1;
        let id = state.silence.asked;
        state.silence.questions.push(Asked { id, server, fd, until: Instant::now() + patience });
        Question { endpoint: self, id }
    }

    /// The question has got a socket.
    pub fn question_is_on(&self, id: u64, fd: i32) {
        let mut state = self.lock();
        if let Some(asked) = state.silence.questions.iter_mut().find(|asked| asked.id == id) {
            asked.fd = Some(fd);
        }
    }

    /// On the watcher's thread: questions without an answer are ended.
    pub fn end_overdue_questions(&self, cut: impl Fn(i32, SocketAddr)) {
        let now = Instant::now();
        // Under the lock: while a question stands, its socket is the asking handle's.
        let mut state = self.lock();
        let silence = &mut state.silence;
        for asked in silence.questions.iter_mut().filter(|asked| now >= asked.until) {
            if let Some(fd) = asked.fd.take() {
                silence.mute.insert(asked.server);
                cut(fd, asked.server);
            }
        }
    }

    /// On the watcher's thread: is `server` silent, so that the connections to it are to be cut and whoever waits for an
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
        let silent = !traffic.alive() && traffic.resending && greets(server, reach::LIMIT).is_err();
        silent && self.replicas().into_iter().any(|other| other != server && greets(other, reach::LIMIT).is_ok())
    }

    fn writer_has_fallen_silent(&self, server: SocketAddr, traffic: Traffic) -> bool {
        let now = Instant::now();
        let to_ask = {
            let mut state = self.lock();
            let is_incumbent = state.life.incumbent() == Some(server);
            let doubted = !is_incumbent || state.life.phase() != Phase::Steady;
            if traffic.alive() || !(traffic.resending || doubted && traffic.waiting) {
                if is_incumbent {
                    state.silence.since = None;
                }
                return false;
            }
            if state.silence.not_before.get(&server).is_some_and(|(at, _)| now < *at) {
                return false;
            }
            let checked = state.silence.checked.is_some_and(|at| at.elapsed() < LATELY);
            if is_incumbent && checked && Self::is_mute(&state, server) { None } else { Some(is_incumbent) }
        };
        // Nothing came from it for a second, and somebody waits.
        if let Some(is_incumbent) = to_ask {
            let answer = greets(server, reach::LIMIT);
            let mut state = self.lock();
            if is_incumbent != (state.life.incumbent() == Some(server)) {
                return false;
            }
            let Err(why) = answer else {
                let before = state.silence.not_before.get(&server);
                let pause = before.map_or(AGAIN[0], |(_, pause)| (2 * *pause).min(AGAIN[1]));
                state.silence.not_before.insert(server, (now + pause, pause));
                state.silence.mute.remove(&server);
                if is_incumbent {
                    state.silence.since = None;
                }
                return false;
            };
            state.silence.not_before.remove(&server);
            state.silence.mute.insert(server);
            if !is_incumbent {
                // The writer is somewhere else: nothing that is still waited for will come of this one.
                return true;
            }
            state.silence.checked = Some(Instant::now());
            state.silence.since.get_or_insert(now);
            self.incumbent_unfit(&mut state, server, Some(Undialled::Unreachable(why)));
        }
        let (silent, (elsewhere, configured)) = {
            let state = self.lock();
            (state.silence.since.map(|since| since.elapsed()).unwrap_or_default(), self.elsewhere(&state, server))
        };
        let greets_one = |servers: &[SocketAddr]| servers.iter().any(|server| greets(*server, reach::LIMIT).is_ok());
        silent >= config().hold_max || greets_one(&elsewhere) || silent >= GAP && greets_one(&configured)
    }

    /// Where the writer may be instead: by DNS or by a switchover that is under way, and by the configuration.
    fn elsewhere(&self, state: &State, incumbent: SocketAddr) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
        let port = incumbent.port();
        let green = if state.deployment.is_moving() { state.deployment.addresses.as_slice() } else { &[] };
        let named = state.life.named().iter().chain(green).map(|ip| SocketAddr::new(*ip, port));
        let not_it = |server: &SocketAddr| *server != incumbent;
        (named.filter(not_it).collect(), state.configured.addresses(port).into_iter().filter(not_it).collect())
    }
}

/// Stands until its answer is there.
pub struct Question<'a> {
    endpoint: &'a Endpoint,
    pub id: u64,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.endpoint.lock().silence.questions.retain(|asked| asked.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::endpoint::name::Name;

    #[test]
    fn only_a_question_that_is_overdue_and_still_stands_is_ended_and_only_once() {
        let endpoint = Endpoint::new(Name::of(b"db.shop.example", 0).unwrap());
        let server = |last: u8| SocketAddr::from(([10, 0, 0, last], 3306));
        let cut = RefCell::new(Vec::new());
        let end = || endpoint.end_overdue_questions(|fd, server| cut.borrow_mut().push((fd, server)));
        let _patient = endpoint.asking(server(1), Some(7), Duration::from_secs(60));
        let login = endpoint.asking(server(2), None, Duration::ZERO);
        drop(endpoint.asking(server(3), Some(9), Duration::ZERO));
        end();
        assert_eq!(*cut.borrow(), [], "it has no socket yet");
        endpoint.question_is_on(login.id, 8);
        end();
        end();
        assert_eq!(*cut.borrow(), [(8, server(2))]);
        assert!(Endpoint::is_mute(&endpoint.lock(), server(2)));
    }
}
