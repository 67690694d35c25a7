//! The endpoint's life: `Steady` → `Suspect` → `Switching` → `Steady`, and who may be adopted as its writer.
//!
//! A pure state machine: it is told what happened and what time it is. It knows no sockets, threads or locks.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// While DNS leaves out a writable incumbent, how often the incumbent is asked again before a statement is sent.
const RECHECK: Duration = Duration::from_secs(1);
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
    /// The addresses of the last DNS answer.
    named: Vec<IpAddr>,
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
            named: Vec::new(),
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

    pub fn named(&self) -> &[IpAddr] {
        &self.named
    }

    pub fn circuit_open(&self) -> bool {
        self.circuit_open
    }

    /// A statement or connect may be made to wait, or its connection be checked, before it is sent.
    pub fn unsettled(&self) -> bool {
        self.phase != Phase::Steady && !self.circuit_open
    }

    /// Was the incumbent verified, or DNS asked for it, within the last moments, and does DNS not name another steadily?
    pub fn is_watched(&self, now: Instant, settle: Duration) -> bool {
        let lately = |moment: Option<Instant>| moment.is_some_and(|at| now.duration_since(at) <= DNS_GAP);
        (lately(self.answered_at) || lately(self.verified_at)) && !self.name_has_moved(now, settle)
    }

    /// Verified at or after `moment`: whoever began to doubt before that may rely on it.
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

    /// A fresh DNS answer. Returns whether the set of addresses changed.
    pub fn on_answer(&mut self, mut addresses: Vec<IpAddr>, now: Instant) -> bool {
        addresses.sort_unstable();
        let gap = |before: &Instant| now.duration_since(*before) > DNS_GAP;
        // Steadily means without a gap: DNS may have named anything meanwhile.
        if self.answered_at.replace(now).as_ref().is_some_and(gap) {
            self.left_out_since = None;
        }
        // Nobody asked, since nobody was connected: the name may have moved just after it was asked for last.
        let blind_since = self.asked_at.replace(now).filter(gap);
        addresses.dedup();
        let changed = self.named != addresses;
        self.named = addresses;
        if changed {
            self.last_pass = None;
        }
        if self.adopted_against.as_ref().is_some_and(|then| *then != self.named) {
            self.adopted_against = None;
        }
        match self.incumbent {
            Some(incumbent) if !self.named.contains(&incumbent.ip()) && self.adopted_against.is_none() => {
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
                // DNS alone had raised the suspicion: a flap. Nobody saw the incumbent fail.
                if self.phase == Phase::Suspect && !self.failed {
                    self.phase = Phase::Steady;
                }
            }
        }
        changed
    }

    /// DNS was asked and did not answer.
    pub fn on_no_answer(&mut self, now: Instant) {
        self.asked_at = Some(now);
    }

    /// A new connection led to another address than the incumbent's. If DNS has not been asked for as long as `settle`
    /// (no connection was open), the name has moved for good as far as anybody here can tell.
    pub fn on_connect_elsewhere(&mut self, address: IpAddr, now: Instant, settle: Duration) {
        let silent = self.answered_at.is_none_or(|at| now.duration_since(at) >= settle.max(DNS_GAP));
        if silent && self.phase != Phase::Switching && self.incumbent.is_some() {
            self.on_answer(vec![address], now);
            self.left_out_since = now.checked_sub(settle).or(self.left_out_since);
        }
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

    /// The incumbent is read-only or cannot be reached. Returns true if that is news.
    pub fn on_incumbent_unfit(&mut self, now: Instant) -> bool {
        let news = self.phase != Phase::Switching;
        self.phase = Phase::Switching;
        self.switching_since.get_or_insert(now);
        news
    }

    /// Whether `address`, verified, may become the incumbent. `incumbent_writable` is what the incumbent said last.
    /// Split brain is the one unforgivable mistake: writable alone is never enough.
    pub fn may_adopt(&self, address: SocketAddr, incumbent_writable: bool, now: Instant, settle: Duration) -> bool {
        if Some(address) == self.incumbent {
            return true;
        }
        let named = self.named.contains(&address.ip());
        // The name has moved for good, even though the old server still accepts writes.
        // Switching: the incumbent itself said, or showed, that it is not the writer. Not having heard of it is no proof.
        let unfit = self.phase == Phase::Switching && !incumbent_writable;
        named && (unfit || self.name_has_moved(now, settle))
    }

    /// Whether a configured candidate, verified, may become the incumbent although DNS does not name it: the incumbent
    /// must have said that it is read-only, or be gone.
    pub fn may_adopt_configured(&self, incumbent_writable: bool) -> bool {
        self.phase == Phase::Switching && !incumbent_writable
    }

    /// Whether green, verified, may become the incumbent although DNS does not name it yet: the topology table must say
    /// that the switchover cannot be cancelled any more.
    pub fn may_adopt_green(&self, irrevocable: bool, incumbent_writable: bool) -> bool {
        self.phase == Phase::Switching && irrevocable && !incumbent_writable
    }

    /// A verified writer.
    pub fn adopt(&mut self, address: SocketAddr, now: Instant) {
        if self.incumbent != Some(address) {
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
        self.adopted_against = (!self.named.contains(&address.ip())).then(|| self.named.clone());
    }

    /// The writer that another process knew; it has to be asked.
    pub fn inherit(&mut self, address: SocketAddr) {
        self.incumbent = Some(address);
        self.generation += 1;
        self.on_failure(self.generation);
    }

    /// `hold_max` has passed without a writer: nobody is held again until one was verified.
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
