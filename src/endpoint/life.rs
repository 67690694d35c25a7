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
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(15);

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 3306))
    }

    fn steady_on(last: u8, now: Instant) -> Life {
        let mut life = Life::new();
        life.adopt(address(last), now);
        life.on_answer(vec![address(last).ip()], now);
        life
    }

    fn later(now: Instant, seconds: u64) -> Instant {
        now + Duration::from_secs(seconds)
    }

    #[test]
    fn a_failure_makes_suspect_and_a_writable_incumbent_makes_steady_again() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.on_failure(life.generation());
        assert_eq!(life.phase(), Phase::Suspect);
        assert!(life.asks_before_sending(now) && life.unsettled());
        life.on_incumbent_writable(now);
        assert_eq!((life.phase(), life.generation()), (Phase::Steady, 1));
    }

    #[test]
    fn a_failure_of_an_older_generation_raises_no_suspicion() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.adopt(address(2), now);
        life.on_failure(1);
        assert_eq!(life.phase(), Phase::Steady);
    }

    #[test]
    fn an_answer_that_was_there_before_a_candidate_was_adopted_does_not_lead_back_to_the_old_writer() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.on_incumbent_unfit(now);
        life.adopt(address(2), now);
        for second in 1..=40 {
            life.on_answer(vec![address(1).ip()], later(now, second));
            assert!(!life.may_adopt(address(1), true, later(now, second), SETTLE) && !life.unsettled(), "{second}");
        }
        life.on_answer(vec![address(3).ip()], later(now, 41));
        assert_eq!(life.phase(), Phase::Suspect, "another answer is news");
    }

    #[test]
    fn an_incumbent_that_is_heard_again_is_asked_by_the_next_statement() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        assert!(!life.on_heard_again());
        life.on_incumbent_unfit(now);
        assert!(life.on_heard_again() && life.asks_before_sending(now));
        life.on_answer(vec![address(1).ip()], now);
        assert_eq!(life.phase(), Phase::Suspect, "DNS cannot clear it");
    }

    #[test]
    fn a_writer_that_nobody_has_watched_for_long_is_not_relied_on() {
        let now = Instant::now();
        let life = steady_on(1, now);
        assert!(life.is_watched(later(now, 5), SETTLE) && !life.is_watched(later(now, 60), SETTLE));
    }

    #[test]
    fn flapping_dns_never_moves_anyone_off_a_verified_incumbent() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        for second in 0..60 {
            let moment = later(now, second);
            life.on_answer(vec![address(1 + (second % 2) as u8).ip()], moment);
            assert!(!life.may_adopt(address(2), true, moment, SETTLE), "second {second}");
        }
    }

    #[test]
    fn a_name_that_moved_for_good_is_followed_after_settle() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        for second in 1..=20 {
            let moment = later(now, second);
            life.on_answer(vec![address(2).ip()], moment);
            let followed = life.may_adopt(address(2), true, moment, SETTLE);
            assert_eq!(followed, second >= 16, "second {second}");
            assert_eq!(followed, life.name_has_moved(moment, SETTLE));
        }
    }

    #[test]
    fn writable_alone_is_never_enough() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.on_failure(1);
        life.on_incumbent_unfit(now);
        assert!(!life.may_adopt(address(2), false, now, SETTLE));
        life.on_answer(vec![address(2).ip()], now);
        assert!(life.may_adopt(address(2), false, now, SETTLE));
        assert!(!life.may_adopt(address(3), false, later(now, 100), SETTLE));
    }

    #[test]
    fn a_configured_candidate_is_adopted_only_once_the_incumbent_is_known_not_to_be_the_writer() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        assert!(!life.may_adopt_configured(false));
        life.on_failure(1);
        assert!(!life.may_adopt_configured(false), "suspected only");
        life.on_incumbent_unfit(now);
        assert!(life.may_adopt_configured(false) && !life.may_adopt_configured(true));
    }

    #[test]
    fn the_old_writer_coming_back_needs_no_dns() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.on_failure(1);
        life.on_incumbent_unfit(now);
        life.on_answer(vec![address(2).ip()], now);
        assert!(life.may_adopt(address(1), false, now, SETTLE));
    }

    #[test]
    fn a_changed_answer_asks_the_incumbent_once_a_second_and_a_reverted_one_never() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        assert!(life.on_answer(vec![address(2).ip()], now));
        assert!(life.asks_before_sending(now));
        life.on_incumbent_writable(now);
        assert!(!life.asks_before_sending(now));
        assert!(!life.on_answer(vec![address(2).ip()], now + RECHECK / 2), "the same answer is no news");
        assert!(!life.asks_before_sending(now + RECHECK / 2));
        assert!(life.asks_before_sending(now + RECHECK));
        life.on_answer(vec![address(1).ip()], now + RECHECK);
        assert_eq!(life.phase(), Phase::Steady);
    }

    #[test]
    fn after_failing_open_nobody_is_held_until_a_writer_was_verified() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.on_failure(1);
        assert!(life.on_incumbent_unfit(now) && life.unsettled());
        assert!(life.fail_open() && !life.fail_open());
        assert!(!life.unsettled());
        assert!(life.may_look(now) && !life.may_look(now) && life.may_look(later(now, 1)));
        life.on_incumbent_writable(later(now, 2));
        life.on_failure(1);
        assert!(life.unsettled(), "held again");
    }

    #[test]
    fn a_changed_answer_lets_an_open_circuit_look_at_once() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.on_failure(1);
        life.on_incumbent_unfit(now);
        life.fail_open();
        assert!(life.may_look(now) && !life.may_look(now));
        life.on_answer(vec![address(2).ip()], now);
        assert!(life.may_look(now));
    }

    #[test]
    fn a_verification_serves_those_who_doubted_before_it() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.on_failure(1);
        assert!(!life.verified_since(now));
        life.on_incumbent_writable(later(now, 1));
        assert!(life.verified_since(now) && !life.verified_since(later(now, 2)));
    }

    #[test]
    fn a_name_that_dns_fell_silent_about_has_not_moved_steadily() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.on_answer(vec![address(2).ip()], now);
        assert!(!life.may_adopt(address(2), true, later(now, 20), SETTLE), "one answer, then none");
        life.on_no_answer(later(now, 15));
        life.on_answer(vec![address(2).ip()], later(now, 21));
        assert!(!life.may_adopt(address(2), true, later(now, 22), SETTLE), "a gap begins anew");
    }

    #[test]
    fn a_name_that_moved_while_nobody_asked_may_have_moved_as_soon_as_nobody_did() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.on_answer(vec![address(2).ip()], later(now, 14));
        assert!(life.is_watched(later(now, 14), SETTLE) && !life.name_has_moved(later(now, 14), SETTLE));
        assert!(life.name_has_moved(later(now, 15), SETTLE) && !life.is_watched(later(now, 15), SETTLE));
        assert!(life.asks_before_sending(later(now, 14)));
        life.on_answer(vec![address(1).ip()], later(now, 16));
        assert!(life.is_watched(later(now, 16), SETTLE), "and it has come back");
    }

    #[test]
    fn a_process_that_had_no_connection_for_long_believes_the_name() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.on_connect_elsewhere(address(2).ip(), later(now, 5), SETTLE);
        assert!(!life.may_adopt(address(2), true, later(now, 5), SETTLE), "DNS named the incumbent just now");
        life.on_connect_elsewhere(address(2).ip(), later(now, 3600), SETTLE);
        assert!(life.may_adopt(address(2), true, later(now, 3600), SETTLE));
    }

    #[test]
    fn an_incumbent_that_was_not_heard_of_is_not_replaced() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        life.on_answer(vec![address(2).ip()], now);
        life.on_failure(1);
        assert!(!life.may_adopt(address(2), false, now, SETTLE));
        life.on_incumbent_unfit(now);
        assert!(life.may_adopt(address(2), false, now, SETTLE));
    }

    #[test]
    fn a_green_that_is_writable_before_the_switchover_is_not_adopted() {
        let now = Instant::now();
        let mut life = steady_on(1, now);
        assert!(!life.may_adopt_green(true, false), "nothing is wrong with blue");
        life.on_failure(1);
        life.on_incumbent_unfit(now);
        assert!(!life.may_adopt_green(false, false), "AWS may still cancel");
        assert!(!life.may_adopt_green(true, true), "blue is back");
        assert!(life.may_adopt_green(true, false));
    }
}
