//! A runtime that wants its thread back out of a call.
//!
//! Ruby cannot end what a thread does in C. For Timeout, Thread#kill and the like it sends SIGVTALRM, whose handler does
//! nothing, again and again until the call returns: each interrupts one system call (`ubf_select` in thread_pthread.c;
//! to the thread itself, and every 100 ms to whoever takes it, which is the main thread). So where there is a handler of
//! SIGVTALRM, interruptions of our waits are counted. An interruption does not tell its signal: others wait meanwhile, for a
//! moment. Keeping back SIGVTALRM itself, to look for it, would lead it to another thread.
//!
//! No other signal means anything. A profiler's come as regularly (SIGPROF; or SIGVTALRM by the CPU time used, of which a
//! wait uses none), and what a single one is to end is for the application's handler to say.

use std::time::{Duration, Instant};

use super::news::{News, Woken};
use crate::control::raw;

/// How long other signals wait at most.
const MOMENT: Duration = Duration::from_millis(50);
/// Ruby comes back so often, each time within this of the last: a stray signal or two mean nothing.
const TIMES: u32 = 3;
const WITHIN: Duration = Duration::from_millis(400);
/// What comes together is one.
const TOGETHER: Duration = Duration::from_millis(4);

/// What one call of the application has noticed of it, through all its waits.
pub struct Recall {
    /// The application has a handler. Without one there is nothing to look for.
    handled: bool,
    seen: Option<(Instant, u32)>,
}

impl Recall {
    pub fn begins() -> Self {
        Recall { handled: raw::has_handler(libc::SIGVTALRM), seen: None }
    }

    /// The application wants this thread back: nothing is to be waited for any more.
    pub fn wanted(&self) -> bool {
        self.seen.is_some_and(|(_, times)| times >= TIMES)
    }

    /// Waits until there is more than was `known`, for `time` at most, or until the thread is wanted back.
    pub fn wait(&mut self, news: &News, known: u32, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = if self.handled {
                raw::with_others_kept_back(libc::SIGVTALRM, || news.wait(known, left.min(MOMENT)))
            } else {
                news.wait(known, left)
            };
            match woken {
                Woken::ByNews => return,
                Woken::BySignal if self.handled => self.saw(Instant::now()),
                Woken::BySignal | Woken::ByTime => {}
            }
            if self.wanted() {
                return;
            }
        }
    }

    fn saw(&mut self, now: Instant) {
        let since = self.seen.map(|(last, times)| (now.saturating_duration_since(last), times));
        self.seen = match since {
            Some((since, _)) if since < TOGETHER => return,
            Some((since, times)) if since <= WITHIN => Some((now, times + 1)),
            _ => Some((now, 1)),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;

    fn wanted_after(pauses_ms: &[u64]) -> bool {
        let mut recall = Recall { handled: true, seen: None };
        let mut now = Instant::now();
        for pause in pauses_ms {
            now += Duration::from_millis(*pause);
            recall.saw(now);
        }
        recall.wanted()
    }

    #[test]
    fn a_thread_is_wanted_back_by_whoever_repeats_himself_and_not_by_stray_signals() {
        assert!(!wanted_after(&[]) && !wanted_after(&[0]) && !wanted_after(&[0, 100]));
        assert!(wanted_after(&[0, 10, 10]) && wanted_after(&[0, 100, 100]) && wanted_after(&[900, 1, 100, 100]));
        assert!(!wanted_after(&[0, 100, 1000, 100, 1000, 100]), "now and then");
        assert!(!wanted_after(&[0, 1, 1, 1]), "together");
    }

    #[test]
    fn a_wait_that_nobody_calls_back_from_is_as_long_as_it_was_to_be_and_ends_with_its_news() {
        for handled in [false, true] {
            let mut recall = Recall { handled, seen: None };
            let (news, began) = (News::default(), Instant::now());
            recall.wait(&news, news.known(), 2 * MOMENT);
            assert!(began.elapsed() >= 2 * MOMENT && !recall.wanted());
            let known = news.known();
            news.tell_all();
            recall.wait(&news, known, Duration::from_secs(60));
            assert!(began.elapsed() < Duration::from_secs(30));
        }
    }

    extern "C" fn handler(signal: libc::c_int) {
        let count = if signal == libc::SIGVTALRM { &WANTED } else { &OTHERS };
        count.fetch_add(1, Relaxed);
    }
    static WANTED: AtomicU32 = AtomicU32::new(0);
    static OTHERS: AtomicU32 = AtomicU32::new(0);

    /// No other test uses these signals.
    #[test]
    fn only_a_signal_that_calls_back_ends_a_wait_and_all_reach_their_handlers() {
        for signal in [libc::SIGVTALRM, libc::SIGPROF] {
            // SAFETY: the handler only counts.
            unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
        }
        // SAFETY: no arguments.
        let waiter = unsafe { libc::pthread_self() };
        // Not pthread_t itself, which is a pointer elsewhere.
        let send = move |signal| {
            // SAFETY: the waiter joins whoever sends.
            unsafe { libc::pthread_kill(waiter, signal) };
        };
        let news = News::default();
        for (signal, time) in [(libc::SIGPROF, 10 * MOMENT), (libc::SIGVTALRM, Duration::from_secs(60))] {
            let mut recall = Recall::begins();
            let over = AtomicU32::new(0);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while over.load(Relaxed) == 0 {
                        send(signal);
                        std::thread::sleep(Duration::from_millis(10));
                    }
                });
                recall.wait(&news, news.known(), time);
                over.store(1, Relaxed);
            });
            assert_eq!(recall.wanted(), signal == libc::SIGVTALRM);
        }
        assert!(WANTED.load(Relaxed) >= TIMES && OTHERS.load(Relaxed) >= 5);
    }
}
