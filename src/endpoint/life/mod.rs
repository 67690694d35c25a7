//! The endpoint's life: `Steady` → `Suspect` → `Switching` → `Steady`.
//!
//! A pure state machine: it is told what happened and what time it is. It knows no sockets, threads or locks.

mod adoption;
mod application_resolver;
pub mod kept;
pub mod names;

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use kept::{Kept, Stay};
use names::Names;

/// While DNS leaves out a writable incumbent, how often the incumbent is asked again before a statement is sent.
const RECHECK: Duration = Duration::from_secs(1);
/// How long a look at servers that turned out to be no writers lets the connections of a writable incumbent alone: such a look costs
/// a login there, and another one to come back.
const IN_VAIN: Duration = Duration::from_secs(10);
/// The watcher asks at least every 5 s: answers further apart than this were not steady.
const DNS_GAP: Duration = Duration::from_secs(12);
/// While the circuit is open, how often one caller may look for a writer.
const OPEN_RETRY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The incumbent was verified and nothing speaks against it.
    Steady,
    /// Something speaks against the incumbent; it has to be asked.
    Suspect,
    /// The incumbent is known not to be the writer; statements and connects are held.
    Switching,
}

/// How the connection that looks for the writer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// It is open, and leads to the incumbent.
    Stays,
    /// It was lost, or is new, or leads to another server: without this library it would be opened where the name leads.
    Dials,
}

#[derive(Debug)]
pub struct Life {
    phase: Phase,
    incumbent: Option<SocketAddr>,
    /// Counts adoptions. 0: no writer was ever verified.
    generation: u64,
    /// A connection failed at the incumbent since it was verified; DNS alone cannot clear that.
    failed: bool,
    verified_at: Option<Instant>,
    switching_since: Option<Instant>,
    circuit_open: bool,
    last_pass: Option<Instant>,
    /// What the name means now.
    names: Names,
    /// Former incumbents whose open connections may stay for a while.
    kept: Kept,
    left_out_since: Option<Instant>,
    /// When DNS answered last.
    answered_at: Option<Instant>,
    /// When DNS was asked last, whether it answered or not.
    asked_at: Option<Instant>,
    recheck_at: Option<Instant>,
    /// What DNS said when the incumbent was adopted without it: only another answer can speak against the incumbent.
    adopted_against: Option<Vec<IpAddr>>,
}

impl Life {
    pub const fn new() -> Self {
        Life {
            phase: Phase::Steady,
            incumbent: None,
            generation: 0,
            failed: false,
            verified_at: None,
            switching_since: None,
            circuit_open: false,
            last_pass: None,
            names: Names::new(),
            kept: Kept::new(),
            left_out_since: None,
            answered_at: None,
            asked_at: None,
            recheck_at: None,
            adopted_against: None,
        }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn incumbent(&self) -> Option<SocketAddr> {
        self.incumbent
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Every address that the name means now, by the watcher or by getaddrinfo.
    pub fn named(&self) -> &[IpAddr] {
        self.names.all()
    }

    /// The watcher's answer.
    pub fn watched(&self) -> &[IpAddr] {
        self.names.watcher()
    }

    /// The addresses that may become the writer because the name leads there.
    pub fn where_led(&self) -> impl Iterator<Item = IpAddr> {
        self.names.all().iter().copied().filter(|address| self.names.leads_to(*address))
    }

    /// The operator chose the name servers that the watcher asks.
    pub fn trust_the_watcher(&mut self) {
        self.names.trust_the_watcher();
    }

    /// Does one answer name both servers? Then each of them is where the name leads (a load balancer, Galera).
    pub fn are_alike(&self, one: SocketAddr, other: SocketAddr) -> bool {
        self.names.in_one_answer(one.ip(), other.ip())
    }

    /// Does the name mean other servers now? An incumbent that was adopted without DNS is left out only by an answer that
    /// was not there before.
    pub fn leaves_out_incumbent(&self) -> bool {
        self.left_out_since.is_some()
    }

    pub fn circuit_open(&self) -> bool {
        self.circuit_open
    }

    /// A statement or connect may be made to wait, or its connection be checked, before it is sent.
    pub fn unsettled(&self) -> bool {
        (self.phase != Phase::Steady || self.kept.is_watched()) && !self.circuit_open
    }

    /// Was the incumbent verified, or DNS asked for it, within the last moments, and does DNS not name another steadily?
    pub fn is_watched(&self, now: Instant, settle: Duration) -> bool {
        let lately = |moment: Option<Instant>| moment.is_some_and(|at| now.duration_since(at) <= DNS_GAP);
        (lately(self.answered_at) || lately(self.verified_at)) && !self.name_has_moved(now, settle)
    }

    /// Verified at or after `moment`: a thread that began to doubt before that may rely on it.
    pub fn verified_since(&self, moment: Instant) -> bool {
        self.phase != Phase::Switching && !self.failed && self.verified_at.is_some_and(|at| at >= moment)
    }

    /// When the incumbent was found unfit.
    pub fn switching_since(&self) -> Option<Instant> {
        self.switching_since
    }

    /// An incumbent that could not be reached is heard of again; it has to be asked. Returns whether that is news.
    pub fn on_heard_again(&mut self) -> bool {
        let news = self.phase == Phase::Switching;
        if news {
            self.phase = Phase::Suspect;
            self.failed = true;
            self.switching_since = None;
            self.recheck_at = None;
        }
        news
    }

    /// Would a connect without this library go to other servers than the incumbent now?
    pub fn leads_elsewhere(&self) -> bool {
        let led = self.names.latest();
        let elsewhere = self.incumbent.is_some_and(|incumbent| !led.contains(&incumbent.ip()));
        !led.is_empty() && elsewhere && self.adopted_against.as_ref().is_none_or(|then| then != led)
    }

    /// Does an answer name the incumbent that the watcher has had since `began`? An older one may be out of date.
    pub fn still_names_incumbent(&self, began: Instant) -> bool {
        !self.leaves_out_incumbent() && self.names.watched_at().is_some_and(|at| at >= began)
    }

    /// A fresh answer of the watcher. Returns whether it is another one than before, or the name means something else now.
    pub fn on_answer(&mut self, addresses: Vec<IpAddr>, now: Instant) -> bool {
        let gap = |before: &Instant| now.duration_since(*before) > DNS_GAP;
        // Steadily means without a gap: DNS may have named anything meanwhile.
        if self.answered_at.replace(now).as_ref().is_some_and(gap) {
            self.left_out_since = None;
        }
        // The watcher did not ask, since no connection was open: the name may have moved just after it was asked for last.
        let blind_since = self.asked_at.replace(now).filter(gap);
        let before = self.names.watcher().to_vec();
        let changed = self.names.on_watcher(addresses, now);
        self.on_names(changed, blind_since, now);
        changed || before != self.names.watcher()
    }

    /// getaddrinfo has just led this process to these addresses. Returns whether the name means something else now.
    pub fn on_resolved(&mut self, addresses: Vec<IpAddr>, now: Instant) -> bool {
        // While no connection was open, the watcher did not ask: what it knew is old.
        if self.answered_at.is_some_and(|at| now.duration_since(at) > DNS_GAP) {
            self.names.forget_the_watcher();
        }
        let changed = self.names.on_resolver(addresses, now);
        self.on_names(changed, None, now);
        changed
    }

    fn on_names(&mut self, changed: bool, blind_since: Option<Instant>, now: Instant) {
        if changed {
            self.last_pass = None;
        }
        let named = self.names.all();
        if self.adopted_against.as_ref().is_some_and(|then| then != named) {
            self.adopted_against = None;
        }
        self.kept.on_names(named, now);
        match self.incumbent {
            Some(incumbent) if !named.contains(&incumbent.ip()) && self.adopted_against.is_none() => {
                if changed || self.left_out_since.is_none() {
                    self.recheck_at = Some(now);
                }
                self.left_out_since.get_or_insert(blind_since.unwrap_or(now));
                if self.phase == Phase::Steady {
                    self.phase = Phase::Suspect;
                }
            }
            _ => {
                self.left_out_since = None;
                self.recheck_at = None;
                // DNS alone had raised the suspicion: a flap. No connection saw the incumbent fail.
                if self.phase == Phase::Suspect && !self.failed {
                    self.phase = Phase::Steady;
                }
            }
        }
    }

    /// DNS was asked and did not answer.
    pub fn on_no_answer(&mut self, now: Instant) {
        self.asked_at = Some(now);
    }

    /// What a connection does that is open to `address`, which is not the incumbent or which the name has left out; `None`:
    /// nothing lets it stay there.
    pub fn stay(&mut self, address: SocketAddr, now: Instant, settle: Duration) -> Option<Stay> {
        if let Some(incumbent) = self.incumbent.filter(|incumbent| *incumbent != address) {
            // One name for several servers: what becomes of the incumbent is no business of a connection that is open to
            // another one of them.
            let led = self.are_alike(address, incumbent) || self.may_adopt_led(address);
            if led && !self.kept.has(address) {
                self.kept.keep(address, None, now);
            }
            return self.kept.stay(address, now, settle);
        }
        if self.phase != Phase::Suspect || !self.leaves_out_incumbent() || self.name_has_moved(now, settle) {
            return None;
        }
        if !self.asks_before_sending(now) {
            return Some(Stay::Sends);
        }
        self.recheck_at = Some(now + RECHECK);
        Some(Stay::Asks)
    }

    /// A former incumbent is no writer any more.
    pub fn on_kept_unfit(&mut self, address: SocketAddr) {
        self.kept.forget(address);
    }

    /// Former incumbents that no connection asks for are forgotten. Returns whether that ends a watch.
    pub fn expire_kept(&mut self, now: Instant, settle: Duration) -> bool {
        let before = self.kept.is_watched();
        self.kept.expire(now, settle);
        before != self.kept.is_watched()
    }

    /// A connection failed, or was refused a write, at the incumbent of `generation`.
    pub fn on_failure(&mut self, generation: u64) {
        if self.phase != Phase::Switching && generation == self.generation {
            self.phase = Phase::Suspect;
            self.failed = true;
            self.recheck_at = None;
        }
    }

    /// Must the incumbent be asked before the next statement is sent?
    pub fn asks_before_sending(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Steady => false,
            Phase::Suspect => self.recheck_at.is_none_or(|at| now >= at),
            Phase::Switching => true,
        }
    }

    /// The incumbent answered that it is writable.
    pub fn on_incumbent_writable(&mut self, now: Instant) {
        self.verified_at = Some(now);
        self.failed = false;
        self.switching_since = None;
        self.circuit_open = false;
        if self.left_out_since.is_some() {
            // Still suspicious to DNS: stay on it, ask again now and then.
            self.phase = Phase::Suspect;
            self.recheck_at = Some(now + RECHECK);
        } else {
            self.phase = Phase::Steady;
        }
    }

    /// The incumbent is writable, and the servers that the name means have just been found not to be.
    pub fn looked_elsewhere_in_vain(&mut self, now: Instant) {
        if self.recheck_at.is_some() {
            self.recheck_at = Some(now + IN_VAIN);
        }
    }

    /// The incumbent is read-only or cannot be reached. Returns true if that is news.
    pub fn on_incumbent_unfit(&mut self, now: Instant) -> bool {
        let news = self.phase != Phase::Switching;
        self.phase = Phase::Switching;
        self.switching_since.get_or_insert(now);
        news
    }

    /// A verified writer.
    pub fn adopt(&mut self, address: SocketAddr, now: Instant) {
        if self.incumbent != Some(address) {
            if let Some(before) = self.incumbent.filter(|_| self.phase != Phase::Switching) {
                let named = self.names.all().contains(&before.ip());
                self.kept.keep(before, (!named).then(|| self.left_out_since.unwrap_or(now)), now);
            }
            self.kept.forget(address);
            self.incumbent = Some(address);
            self.generation += 1;
        }
        self.verified_at = Some(now);
        self.failed = false;
        self.switching_since = None;
        self.circuit_open = false;
        self.phase = Phase::Steady;
        self.left_out_since = None;
        self.recheck_at = None;
        self.adopted_against = (!self.names.all().contains(&address.ip())).then(|| self.names.all().to_vec());
    }

    /// The incumbent's address leads to another server now: connections that are older have to look.
    pub fn on_another_server(&mut self) {
        self.generation += 1;
    }

    /// Was the incumbent adopted without DNS, which still says what it said then?
    pub fn is_adopted_against_dns(&self) -> bool {
        self.adopted_against.is_some()
    }

    /// The writer that another process knew; it has to be asked. If that process had adopted it without DNS, what DNS says
    /// now does not speak against it.
    pub fn inherit(&mut self, address: SocketAddr, against_dns: bool) {
        self.adopted_against = against_dns.then(|| self.names.all().to_vec());
        self.incumbent = Some(address);
        self.generation += 1;
        self.on_failure(self.generation);
    }

    /// `hold_max` has passed without a writer: no thread is held again until one was verified.
    pub fn fail_open(&mut self) -> bool {
        !std::mem::replace(&mut self.circuit_open, true)
    }

    /// With the circuit open: may the caller look for a writer once, without waiting?
    pub fn may_look(&mut self, now: Instant) -> bool {
        let may = self.last_pass.is_none_or(|at| now.duration_since(at) >= OPEN_RETRY);
        if may {
            self.last_pass = Some(now);
        }
        may
    }

    /// DNS has left out the incumbent for so long that it is to be left although it is writable.
    pub fn name_has_moved(&self, now: Instant, settle: Duration) -> bool {
        let fresh = self.answered_at.is_some_and(|at| now.duration_since(at) <= DNS_GAP);
        fresh && self.left_out_since.is_some_and(|since| now.duration_since(since) >= settle)
    }
}

impl Default for Life {
    fn default() -> Self {
        Life::new()
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
