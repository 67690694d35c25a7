//! Which state is this process's own.
//!
//! After fork the child forgets it (leaks it, untouched: another thread may have held its locks) and makes its own
//! when it needs one. A vfork child shares our memory without being us: it is told apart by its process id.

use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering::*};

use super::raw;
use crate::{control::counters::COUNTERS, process::Process};

static CURRENT: AtomicPtr<Process> = AtomicPtr::new(std::ptr::null_mut());

/// The state, if there is one, for the doors of `close` and the like. A vfork child gets it too.
pub fn existing() -> Option<&'static Process> {
    // SAFETY: the pointer is null or comes from Box::leak in `started` and is never freed.
    unsafe { CURRENT.load(Acquire).as_ref() }
}

/// The state, if there is one and it is this process's own.
pub fn current() -> Option<&'static Process> {
    existing().filter(|process| process.is_ours_by_id())
}

/// The state, made now if need be. `None` in a vfork child.
pub fn started() -> Option<&'static Process> {
    if let Some(process) = existing() {
        return process.is_ours_by_id().then_some(process);
    }
    forget_after_fork();
    let fresh = Box::into_raw(Box::new(Process::new(raw::pid())));
    if CURRENT.compare_exchange(std::ptr::null_mut(), fresh, AcqRel, Acquire).is_err() {
        // SAFETY: lost the race; nobody else has seen `fresh`.
        drop(unsafe { Box::from_raw(fresh) });
    }
    current()
}

fn forget_after_fork() {
    extern "C" fn in_child() {
        CURRENT.store(std::ptr::null_mut(), Release);
        COUNTERS.reset_in_child();
    }
    // Not std's Once: a child forked in the middle of it would wait for ever.
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.swap(true, AcqRel) {
        // SAFETY: the handler is async-signal-safe (atomics only) and the library is never unloaded (nodelete).
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    }
}
