//! A futex that is waited on for news. As std's condition variable, but one that says whether a signal handler ran
//! meanwhile, which std hides.

use std::{
    sync::atomic::{AtomicU32, Ordering::*},
    time::Duration,
};

/// Counts what there was to tell.
#[derive(Debug, Default)]
pub struct News(AtomicU32);

/// Why a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    ByNews,
    ByTime,
    /// A handler of the application ran in this thread.
    BySignal,
}

impl News {
    /// What is known now; asked for while that which the news are about is locked.
    pub fn known(&self) -> u32 {
        self.0.load(Acquire)
    }

    /// Waits until there is more than was `known`.
    pub fn wait(&self, known: u32, time: Duration) -> Woken {
        let time = libc::timespec {
            tv_sec: time.as_secs().min(i64::MAX as u64) as libc::time_t,
            tv_nsec: time.subsec_nanos().into(),
        };
        let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: a futex of this process that lives during the call, and a valid time. It is not started again after a
        // handler, since it has a time (signal(7)).
        let woken = unsafe { libc::syscall(libc::SYS_futex, self.0.as_ptr(), wait, known, &raw const time) };
        match std::io::Error::last_os_error().raw_os_error().filter(|_| woken != 0) {
            Some(libc::EINTR) => Woken::BySignal,
            Some(libc::ETIMEDOUT) => Woken::ByTime,
            _ => Woken::ByNews,
        }
    }

    pub fn tell_all(&self) {
        self.tell(i32::MAX);
    }

    pub fn tell_one(&self) {
        self.tell(1);
    }

    fn tell(&self, waiters: i32) {
        self.0.fetch_add(1, AcqRel);
        let wake = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: a futex of this process that lives during the call.
        unsafe { libc::syscall(libc::SYS_futex, self.0.as_ptr(), wake, waiters) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_before_the_wait_is_not_waited_for() {
        let news = News::default();
        let known = news.known();
        assert_eq!(news.wait(known, Duration::from_millis(1)), Woken::ByTime);
        news.tell_one();
        assert_eq!(news.wait(known, Duration::from_secs(60)), Woken::ByNews);
    }

    #[test]
    fn all_who_wait_are_told() {
        let news = News::default();
        let known = news.known();
        std::thread::scope(|scope| {
            let waiters = [(); 3].map(|()| scope.spawn(|| news.wait(known, Duration::from_secs(60))));
            news.tell_all();
            assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap() == Woken::ByNews));
        });
    }
}
