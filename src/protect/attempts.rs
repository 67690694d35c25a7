//! What has been tried for one call of the application, and how long that call may still take.

use std::time::{Duration, Instant};

use super::line::Protected;
use crate::control::config;

/// A call that has taken so long was held.
const HELD: Duration = Duration::from_secs(1);
/// How often one statement may be rescued: a server that says writable and refuses all the same ends it. `SET GLOBAL read_only` of
/// MySQL refuses writes at once, and says so only when the transactions that are open have come to their end: with the pauses
/// between attempts (`rescue`) that may take nearly three seconds.
const MOST: u32 = 16;

#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    made: u32,
    /// When the call first failed, or first had to wait.
    since: Option<Instant>,
}

impl Attempts {
    /// The call goes on with what an earlier one has waited for, for so long.
    pub fn after(time: Duration, now: Instant) -> Self {
        let since = (!time.is_zero()).then(|| now.checked_sub(time)).flatten();
        Attempts { made: 0, since }
    }

    /// Since the call first failed, or first had to wait.
    pub fn time(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// One more is begun; the first of them is number 1. False: the call has had its share.
    pub fn begin(&mut self, now: Instant) -> bool {
        self.begins(now);
        self.made += 1;
        self.made <= MOST
    }

    pub fn made(&self) -> u32 {
        self.made
    }

    /// Was the call held before? What is done for it from now on ends when its first hold would have ended.
    pub fn have_waited(&self, now: Instant) -> bool {
        self.time(now) >= HELD
    }

    /// The call has to wait from here on, if it did not before.
    pub fn begins(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now)
    }
}

impl dyn Protected + '_ {
    /// When the application itself stops waiting for this call, unless the operator said otherwise.
    pub(super) fn deadline(&self, attempts: &mut Attempts) -> Option<Instant> {
        let since = attempts.begins(self.now());
        if config().hold_max_configured { None } else { self.read_timeout().map(|time| since + time) }
    }

    /// When everything that is done for this call has to be over.
    pub(super) fn end(&self, attempts: &mut Attempts) -> Instant {
        let longest = attempts.begins(self.now()) + config().hold_max;
        self.deadline(attempts).map_or(longest, |deadline| deadline.min(longest))
    }

    pub(super) fn time_left(&self, attempts: &mut Attempts) -> Duration {
        self.end(attempts).saturating_duration_since(self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_call_runs_from_its_first_failure_and_its_attempts_are_counted() {
        let mut attempts = Attempts::default();
        let began = Instant::now();
        let since = attempts.begins(began);
        let later = began + HELD;
        let begun = (0..20).take_while(|_| attempts.begin(later)).count();
        assert_eq!(begun, MOST as usize);
        assert_eq!((attempts.begins(later), attempts.time(later)), (since, HELD));
    }

    #[test]
    fn a_call_that_goes_on_with_an_earlier_one_has_what_that_one_has_left() {
        let now = Instant::now();
        assert!(!Attempts::after(Duration::ZERO, now).have_waited(now) && Attempts::default().time(now).is_zero());
        let attempts = Attempts::after(2 * HELD, now);
        assert!(attempts.have_waited(now) && attempts.time(now) == 2 * HELD);
    }
}
