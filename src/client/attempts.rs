//! What has been tried for one call of the application, and how long that call may still take.

use std::time::{Duration, Instant};

use super::handle::Guest;
use crate::control::config;

/// A call that has taken so long was held.
const HELD: Duration = Duration::from_secs(1);
/// How often one statement may be rescued: a server that says writable and refuses all the same ends it. One that is made
/// read-only for a moment again and again, while a switchover is prepared, refuses a statement that waits for locks a few times.
const MOST: u32 = 8;

#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    made: u32,
    /// When the call first failed, or first had to wait.
    since: Option<Instant>,
}

impl Attempts {
    /// The call goes on with what an earlier one has waited for, for so long.
    pub fn after(time: Duration) -> Self {
        let since = (!time.is_zero()).then(|| Instant::now().checked_sub(time)).flatten();
        Attempts { made: 0, since }
    }

    /// Since the call first failed, or first had to wait.
    pub fn time(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// One more is begun; the first of them is number 1. False: the call has had its share.
    pub fn begin(&mut self) -> bool {
        self.begins();
        self.made += 1;
        self.made <= MOST
    }

    pub fn made(&self) -> u32 {
        self.made
    }

    /// Was the call held before? What is done for it from now on ends when its first hold would have ended.
    pub fn have_waited(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= HELD)
    }

    /// The call has to wait from here on, if it did not before.
    pub fn begins(&mut self) -> Instant {
        *self.since.get_or_insert_with(Instant::now)
    }
}

impl Guest {
    /// When the application itself stops waiting for this call, unless the operator said otherwise.
    pub(super) fn deadline(&self, attempts: &mut Attempts) -> Option<Instant> {
        let since = attempts.begins();
        if config().hold_max_configured { None } else { self.native.read_timeout().map(|time| since + time) }
    }

    /// When everything that is done for this call has to be over.
    pub(super) fn end(&self, attempts: &mut Attempts) -> Instant {
        let longest = attempts.begins() + config().hold_max;
        self.deadline(attempts).map_or(longest, |deadline| deadline.min(longest))
    }

    pub(super) fn time_left(&self, attempts: &mut Attempts) -> Duration {
        self.end(attempts).saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_call_runs_from_its_first_failure_and_its_attempts_are_counted() {
        let mut attempts = Attempts::default();
        let since = attempts.begins();
        let begun = (0..10).take_while(|_| attempts.begin()).count();
        assert_eq!(begun, MOST as usize);
        assert_eq!(attempts.begins(), since);
    }

    #[test]
    fn a_call_that_goes_on_with_an_earlier_one_has_what_that_one_has_left() {
        assert!(!Attempts::after(Duration::ZERO).have_waited() && Attempts::default().time().is_zero());
        let attempts = Attempts::after(2 * HELD);
        assert!(attempts.have_waited() && attempts.time() >= 2 * HELD);
    }
}
