//! Endpoints: their names, roles, life, and the search for their writer. Shared by both front ends.
//!
//! An endpoint lives as long as its process (leaked on purpose: doors may use it at any time, also during exit).
//! The fast path reads one atomic, the *pulse*; everything else is behind a futex-based mutex that is never held
//! across a blocking call.

pub mod inheritance;
pub mod ledger;
pub mod life;
pub mod name;
mod pool;
mod pulse;
pub mod queue;
pub mod search;
#[cfg(test)]
pub mod simulation;
pub mod spacing;
mod state;
mod stay;
pub mod surroundings;

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::*},
    time::{Duration, Instant},
};

use rustix_futex_sync::{Mutex, MutexGuard};

use inheritance::Known;
use life::Phase;
use name::Name;
use state::State;
use surroundings::Surroundings;

// Other rooms name what they use of an endpoint, and not the room inside that has it.
pub use life::kept;
pub use pulse::Pulse;
pub use queue::{connects, handshakes, logins, turn};
pub use search::{behind, prober, reach, silence, topology};

use crate::{
    control::{
        config,
        log::{Level::*, say},
        option::Mode,
    },
    host::{event::News, interruption::Recall, socket},
    resolve::Pace,
};

/// What the endpoint is for. Only writers are defended against read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Never seen writable.
    Unknown = 0,
    Writer = 1,
    Reader = 2,
}

pub struct Endpoint {
    /// The process whose threads have the lock.
    process: i32,
    /// What `Surroundings::epoch` was then.
    born: usize,
    /// Which of the process's endpoints this is.
    pub position: u16,
    around: &'static dyn Surroundings,
    pub name: Name,
    role: AtomicU8,
    /// The first connect to it asks whether it is writable; no other one does.
    learning: AtomicU8,
    /// Where the writer was in the process that forked this one: so there is one.
    inherited: Option<inheritance::Writer>,
    /// The incumbent, for a child that cannot take the lock.
    known: Known,
    /// A [`Pulse`].
    pulse: AtomicU64,
    /// Live tagged sockets: while there are none, DNS is not asked.
    pub tagged: AtomicU32,
    /// The [`Pace`] at which DNS is to be asked for its names.
    wanted: AtomicU8,
    /// Names besides its own that DNS is asked for: candidates'. A lock of its own: the names of all endpoints are
    /// looked through while one endpoint's state is locked.
    sought: Mutex<Vec<String>>,
    /// A lock of its own: nothing else is done while it is held.
    spacings: Mutex<spacing::Spacings>,
    state: Mutex<State>,
    /// What `host` cannot share with other processes. A lock of its own: nothing else is done while it is held.
    ledger: Mutex<ledger::Ledger>,
    /// When the topology table may be asked again, as of `Surroundings::about_now`.
    topology_at: AtomicU64,
    /// That moment may have come: looked at before each statement, where the time itself would cost too much.
    topology_due: AtomicBool,
    changed: News,
    /// A login is through. Apart from `changed`: of a thousand that wait for their turn only one has to wake up.
    login_through: News,
}

impl Endpoint {
    pub fn new(name: Name, position: u16, around: &'static dyn Surroundings) -> Self {
        let configured_reader = config().is_reader(&name.host, name.port);
        let role = if configured_reader || name.looks_like_reader() { Role::Reader } else { Role::Unknown };
        let state = State::of(&name, around);
        Endpoint {
            process: socket::pid(),
            born: around.epoch(),
            position,
            around,
            name,
            role: AtomicU8::new(role as u8),
            learning: AtomicU8::new(0),
            inherited: None,
            known: Known::default(),
            pulse: AtomicU64::new(0),
            tagged: AtomicU32::new(0),
            wanted: AtomicU8::new(Pace::Idle as u8),
            sought: Mutex::new(state.configured.hosts()),
            spacings: Mutex::default(),
            state: Mutex::new(state),
            ledger: Mutex::default(),
            topology_at: AtomicU64::new(0),
            topology_due: AtomicBool::new(true),
            changed: News::default(),
            login_through: News::default(),
        }
    }

    /// Is this the process that it belongs to, and no child of it? A signal handler may fork in the middle of a call, and return
    /// in the child.
    pub fn is_of_this_process(&self) -> bool {
        !self.was_forked() && self.process == socket::pid()
    }

    /// Has the process forked in a way that calls handlers (`pthread_atfork`), and is this the child? Costs next to nothing.
    pub fn was_forked(&self) -> bool {
        self.around.epoch() != self.born
    }

    /// What time it is, for this endpoint and its process.
    pub fn now(&self) -> Instant {
        self.around.now()
    }

    pub fn role(&self) -> Role {
        match self.role.load(Acquire) {
            1 => Role::Writer,
            2 => Role::Reader,
            _ => Role::Unknown,
        }
    }

    /// True for exactly one caller per endpoint and process: the one who asks whether it is writable.
    pub fn learns_role(&self) -> bool {
        self.role() == Role::Unknown && self.learning.swap(1, AcqRel) == 0
    }

    /// Learnt: `address` was found writable. The first such address becomes the incumbent.
    pub fn seen_writable(&self, address: SocketAddr) {
        if self.role() != Role::Unknown {
            return;
        }
        let mut state = self.lock();
        if state.life.incumbent().is_none() {
            let now = self.now();
            state.life.adopt(address, now);
            state.behind.on_adopted(address, now);
            self.role.store(Role::Writer as u8, Release);
            self.publish(&state);
            let observes = config().mode == Mode::Observe;
            let protected = if observes { "observed, not protected" } else { "protected" };
            say!(Info, "{}: {protected}, writer is {address}", self.name);
        }
    }

    /// With this pulse, is there nothing to look after before a statement is sent?
    pub fn is_calm(&self, pulse: Pulse) -> bool {
        match self.role() {
            Role::Unknown => false,
            Role::Reader => true,
            Role::Writer => !pulse.unsettled() && !pulse.circuit_open() && !self.topology_due.load(Relaxed),
        }
    }

    pub fn pulse(&self) -> Pulse {
        Pulse::from_bits(self.pulse.load(Acquire))
    }

    pub fn incumbent(&self) -> Option<SocketAddr> {
        self.lock().life.incumbent()
    }

    /// A new connection led to `peer`. Returns whether `peer` is as good as the incumbent where it is.
    pub fn on_connect(&self, peer: SocketAddr) -> bool {
        let state = self.lock();
        let incumbent = state.life.incumbent();
        // One name for several servers (a load balancer, Galera): each is where DNS leads.
        incumbent.is_none_or(|incumbent| incumbent == peer || state.life.are_alike(peer, incumbent))
    }

    /// The writer, for a connect that DNS led to a dead server or to none: DNS may be wrong, or silent. It is offered if DNS
    /// is not known to lead there, or if it is `cheap` to try. While the name means other servers, only a connection that is
    /// open there shows that the writer is still where it was: without one it may be a server that crashed and came back
    /// when another one was the writer. Otherwise the writer must have been watched lately.
    pub fn writer_beside_dns(&self, cheap: bool) -> Option<SocketAddr> {
        let (incumbent, watched) = {
            let state = self.lock();
            let incumbent = state.life.incumbent().filter(|_| !state.life.circuit_open())?;
            let worth = cheap || !state.life.named().contains(&incumbent.ip());
            if !worth || state.silence.is_mute(incumbent) {
                return None;
            }
            let watched = state.life.is_watched(self.now(), config().settle);
            (incumbent, watched && !state.life.leads_elsewhere())
        };
        (watched || self.around.traffic(self, incumbent).heard.is_some()).then_some(incumbent)
    }

    /// Does DNS lead to the incumbent and to no other server?
    pub fn is_where_dns_leads(&self) -> bool {
        let state = self.lock();
        state.life.incumbent().is_some_and(|incumbent| state.life.named() == [incumbent.ip()])
    }

    /// An address that DNS names now, if it does not name `address` any more.
    pub fn named_other_than(&self, address: Option<SocketAddr>) -> Option<SocketAddr> {
        let state = self.lock();
        let named = state.life.named();
        let gone = address.is_some_and(|address| !named.contains(&address.ip()));
        named.first().filter(|_| gone).map(|ip| SocketAddr::new(*ip, self.name.port))
    }

    /// A connection failed, or was refused a write, at the incumbent of `generation`.
    pub fn suspect(&self, generation: u64) {
        let mut state = self.lock();
        state.life.on_failure(generation);
        state.suspected_at = Some(self.now());
        self.publish(&state);
    }

    /// Has a connection of this process to the endpoint failed within this time, a refused statement included?
    pub(super) fn lost_a_connection_within(&self, time: Duration) -> bool {
        self.lock().suspected_at.is_some_and(|at| self.now().saturating_duration_since(at) < time)
    }

    /// Has the endpoint's incumbent to be asked before the next statement is sent?
    pub fn asks_before_sending(&self) -> bool {
        let state = self.lock();
        state.life.unsettled() && state.life.asks_before_sending(self.now())
    }

    /// The endpoint failed open and no writer was verified since.
    pub fn circuit_open(&self) -> bool {
        self.lock().life.circuit_open()
    }

    /// The DNS watcher's news.
    pub fn on_answer(&self, addresses: Vec<IpAddr>) {
        let mut state = self.lock();
        let before = state.life.phase();
        let now = self.now();
        state.pool.on_answer(&addresses, now);
        if state.life.on_answer(addresses, now) {
            say!(Info, "{}: DNS answers {:?}", self.name, state.life.watched());
            self.name_means_another(&mut state, before);
        }
        self.publish(&state);
    }

    /// What the name means has changed. `before`: the phase until now.
    fn name_means_another(&self, state: &mut State, before: Phase) {
        if before == Phase::Steady && state.life.phase() == Phase::Suspect {
            say!(Info, "{}: DNS no longer names the writer; asking it", self.name);
        }
        state.next_pass = self.now();
        self.changed.tell_all();
    }

    /// The DNS watcher asked in vain.
    pub fn on_no_answer(&self) {
        self.lock().life.on_no_answer(self.now());
    }

    /// How often DNS has to be asked for this endpoint.
    pub fn pace(&self) -> Pace {
        self.pace_in(&self.lock())
    }

    fn pace_in(&self, state: &State) -> Pace {
        if self.role() == Role::Writer && state.life.unsettled() {
            let is_recent = |at: Instant| self.now().saturating_duration_since(at) < config().hold_max;
            let held = state.held.is_some_and(|(_, last)| is_recent(last));
            let sought = held || state.life.incumbent().is_some_and(|incumbent| state.silence.is_mute(incumbent));
            let unknown = state.life.phase() == Phase::Switching || state.life.leads_elsewhere();
            if sought && unknown { Pace::Urgent } else { Pace::Steady }
        } else if state.pool.is_sought() {
            Pace::Urgent
        } else if self.tagged.load(Relaxed) > 0 {
            Pace::Steady
        } else {
            Pace::Idle
        }
    }

    /// Asked of DNS, and how often: by this endpoint alone.
    pub fn want(&self, pace: Pace) {
        self.wanted.store(pace as u8, Release);
    }

    pub fn wanted(&self) -> Pace {
        match self.wanted.load(Acquire) {
            0 => Pace::Idle,
            1 => Pace::Steady,
            _ => Pace::Urgent,
        }
    }

    /// Its own name, and its candidates'.
    pub fn hosts(&self) -> Vec<String> {
        let sought = self.sought.lock();
        std::iter::once(&self.name.host).chain(sought.iter()).cloned().collect()
    }

    pub fn seeks(&self, host: &str) -> bool {
        self.name.host == host || self.sought.lock().iter().any(|one| one == host)
    }

    /// DNS has to be asked for another name too.
    fn seek_host(&self, host: &str) {
        if !self.seeks(host) {
            self.sought.lock().push(host.to_owned());
        }
    }

    /// Since when callers are held, of whom this is one. Those who were held long ago do not count.
    fn held_since(state: &mut State, began: Instant, now: Instant) -> Instant {
        let current = state.held.filter(|(_, last)| now.duration_since(*last) < config().hold_max);
        let since = current.map_or(began, |(since, _)| since);
        state.held = Some((since, now));
        since
    }

    /// Waits for `news`, `time` at most, and no longer once the application wants its thread back. The lock is given up
    /// meanwhile.
    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        news: &News,
        time: Duration,
        recall: &mut Recall,
    ) -> MutexGuard<'a, State> {
        let known = news.known();
        drop(state);
        self.around.wait(news, known, time, recall);
        self.lock()
    }

    /// Makes the state's essence readable without a lock, and tells the watcher if it has to hurry.
    fn publish(&self, state: &State) {
        let life = &state.life;
        let pulse = Pulse::of(life).bits();
        self.known.set(life.incumbent(), life.is_adopted_against_dns());
        let before = self.pulse.swap(pulse, AcqRel);
        if before != pulse {
            self.changed.tell_all();
        }
        // The pulse does not tell a suspicion from a switchover; DNS is asked far more often in the latter.
        self.around.watch(self, self.pace_in(state));
    }
}
