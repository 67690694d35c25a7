//! An application that wants its thread back out of a call that holds it.
//!
//! A program asks for that by a signal for which it has a handler (`handlers`). A handler for SIGTERM or SIGINT ends the
//! holds of all threads, since the main thread may wait for the others; some seconds after a SIGTERM nothing is held any more
//! for a while, since the program is about to end. One for SIGQUIT or SIGHUP ends the hold of its own thread. What
//! the handler decides (an exception of Python, a flag of a C program) takes effect when the call returns. So does SIGALRM,
//! unless the alarm clock rings again: a timer that ticks asks for nothing. Ruby sends SIGVTALRM to a thread
//! that shall return from C, again and again until it does (`ubf_select` in thread_pthread.c), for Timeout, Thread#kill and
//! its own trapped signals: one alone is a stray one. No other signal ends a hold.

use std::time::{Duration, Instant};

use super::{
    event::{News, Woken},
    handlers::{self, Handled, Watch},
    stack,
};

/// A handler may run in another thread, which does not interrupt this one: this thread looks so often.
const MOMENT: Duration = Duration::from_millis(50);
/// Ruby comes back so often, each time within this of the last.
const TIMES: u32 = 3;
const WITHIN: Duration = Duration::from_millis(400);
/// What comes together is one.
const TOGETHER: Duration = Duration::from_millis(4);

/// Is the process about to end, so that no call waits for a writer any more? (It still waits for its turn among others.)
pub fn process_is_ending() -> bool {
    handlers::is_ending()
}

/// What one call of the application has noticed of such handlers, since it began.
pub struct Recall {
    watch: Option<Watch>,
    known: Handled,
    /// When SIGVTALRM was seen last, and how often in a row.
    seen: Option<(Instant, u32)>,
    wanted: bool,
}

impl Recall {
    pub fn begins() -> Self {
        let watch = Watch::begin();
        let known = watch.as_ref().map(Watch::handled).unwrap_or_default();
        Recall { watch, known, seen: None, wanted: false }
    }

    /// The application wants this thread back: nothing is to be waited for any more.
    pub fn wanted(&mut self) -> bool {
        if let Some(watch) = &self.watch {
            let handled = watch.handled();
            self.learn(handled, Instant::now(), handlers::alarm_is_set);
        }
        self.wanted
    }

    /// Waits until there is more than was `known`, for `time` at most, or until the thread is wanted back.
    pub fn wait(&mut self, news: &News, known: u32, time: Duration) {
        let until = Instant::now() + time;
        // Handlers run in here, and may leave by a jump.
        stack::on(|| {
            while !self.wanted() {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() || news.wait(known, left.min(MOMENT)) == Woken::ByNews {
                    return;
                }
            }
        });
    }

    fn learn(&mut self, handled: Handled, now: Instant, alarm_is_set: impl Fn() -> bool) {
        let known = std::mem::replace(&mut self.known, handled);
        self.wanted |= handled.ends != known.ends || handled.alarms != known.alarms && !alarm_is_set();
        if handled.returns != known.returns {
            self.saw_return(now);
        }
    }

    fn saw_return(&mut self, now: Instant) {
        let since = self.seen.map(|(last, times)| (now.saturating_duration_since(last), times));
        let times = match since {
            Some((since, _)) if since < TOGETHER => return,
            Some((since, times)) if since <= WITHIN => times + 1,
            _ => 1,
        };
        self.seen = Some((now, times));
        self.wanted |= times >= TIMES;
    }
}

#[cfg(test)]
impl Recall {
    /// No handler of this process is looked at: only `call_back` makes it wanted.
    pub fn of_no_signal() -> Self {
        Recall { watch: None, known: Handled::default(), seen: None, wanted: false }
    }

    /// As if a handler had asked for the thread.
    pub fn call_back(&mut self) {
        self.wanted = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted_after(pauses_ms: &[u64]) -> bool {
        let (mut recall, mut now) = (Recall::of_no_signal(), Instant::now());
        for (returns, pause) in (1..).zip(pauses_ms) {
            now += Duration::from_millis(*pause);
            recall.learn(Handled { returns, ..Handled::default() }, now, || false);
        }
        recall.wanted()
    }

    #[test]
    fn a_thread_is_wanted_back_by_a_signal_that_is_repeated_and_not_by_stray_ones() {
        assert!(!wanted_after(&[]) && !wanted_after(&[0]) && !wanted_after(&[0, 100]));
        assert!(wanted_after(&[0, 10, 10]) && wanted_after(&[0, 100, 100]) && wanted_after(&[900, 1, 100, 100]));
        assert!(!wanted_after(&[0, 100, 1000, 100, 1000, 100]), "now and then");
        assert!(!wanted_after(&[0, 1, 1, 1]), "together");
    }

    #[test]
    fn an_end_or_an_alarm_that_does_not_ring_again_is_a_wish_at_once() {
        let wanted = |handled, alarm_is_set: bool| {
            let mut recall = Recall::of_no_signal();
            recall.learn(handled, Instant::now(), || alarm_is_set);
            recall.wanted()
        };
        let (end, alarm) = (Handled { ends: 1, ..Handled::default() }, Handled { alarms: 1, ..Handled::default() });
        assert!(wanted(end, true) && wanted(end, false) && wanted(alarm, false));
        assert!(!wanted(alarm, true) && !wanted(Handled::default(), false));
    }

    #[test]
    fn a_wait_without_a_signal_is_as_long_as_it_was_to_be_and_ends_with_its_news() {
        let mut recall = Recall::begins();
        let (news, began) = (News::default(), Instant::now());
        recall.wait(&news, news.known(), 2 * MOMENT);
        assert!(began.elapsed() >= 2 * MOMENT && !recall.wanted());
        let known = news.known();
        news.tell_all();
        recall.wait(&news, known, Duration::from_secs(60));
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
