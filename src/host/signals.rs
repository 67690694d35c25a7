//! This thread's mask of signals, and signals that a failed write brings along.

use std::{
    ffi::{c_int, c_long},
    io::{self, Error},
    mem::MaybeUninit,
    ptr,
};

/// Runs a write, and takes back the signal with which the kernel accompanies its failure, before the application can see it:
/// SIGPIPE (the reader has left), SIGXFSZ (a file has come to the process's limit of size, RLIMIT_FSIZE).
pub(super) fn without_its_signal(write: impl FnOnce() -> c_long) -> io::Result<c_long> {
    let mut signals = Signals::none();
    signals.add(libc::SIGPIPE);
    signals.add(libc::SIGXFSZ);
    let pending = Signals::pending();
    let before = signals.block();
    let written = succeeded(write());
    let its_own = match written.as_ref().err().and_then(Error::raw_os_error) {
        Some(libc::EPIPE) => Some(libc::SIGPIPE),
        Some(libc::EFBIG) => Some(libc::SIGXFSZ),
        _ => None,
    };
    if let Some(signal) = its_own.filter(|signal| !pending.has(*signal)) {
        let mut taken = Signals::none();
        taken.add(signal);
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: set and timespec are alive; a null siginfo is allowed.
        unsafe { libc::sigtimedwait(&taken.0, ptr::null_mut(), &at_once) };
    }
    before.restore();
    written
}

/// Spawns through `spawn` with every signal blocked, so that the new thread never runs a handler of the host.
pub fn with_signals_blocked<R>(spawn: impl FnOnce() -> R) -> R {
    let before = Signals::all().block();
    let result = spawn();
    before.restore();
    result
}

fn succeeded(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

/// A set of signals.
struct Signals(libc::sigset_t);

impl Signals {
    fn none() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the whole set.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            Self(set.assume_init())
        }
    }

    fn all() -> Self {
        let mut set = Self::none();
        // SAFETY: the set is alive.
        unsafe { libc::sigfillset(&mut set.0) };
        set
    }

    fn add(&mut self, signal: c_int) {
        // SAFETY: the set is alive and initialised.
        unsafe { libc::sigaddset(&mut self.0, signal) };
    }

    fn has(&self, signal: c_int) -> bool {
        // SAFETY: the set is alive and initialised.
        unsafe { libc::sigismember(&self.0, signal) == 1 }
    }

    /// Those that wait for this thread, also among others.
    fn pending() -> Self {
        let mut pending = Self::none();
        // SAFETY: the set is alive and initialised.
        unsafe { libc::sigpending(&mut pending.0) };
        pending
    }

    /// Blocks the set in this thread; gives back the mask from before.
    fn block(&self) -> Self {
        let mut before = Self::none();
        // SAFETY: both sets are alive; only this thread's mask changes.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &self.0, &mut before.0) };
        before
    }

    /// Makes this set the thread's mask.
    fn restore(&self) {
        // SAFETY: the set is alive; a null old set is allowed.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_spawned_with_signals_blocked_runs_no_handler_and_the_starter_keeps_its_mask() {
        let mask = |signal| Signals::none().block().has(signal);
        let blocked = with_signals_blocked(|| std::thread::spawn(move || mask(libc::SIGTERM))).join().unwrap();
        assert!(blocked);
        assert!(!mask(libc::SIGTERM));
    }
}
