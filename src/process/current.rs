//! Which state is this process's own.
//!
//! After fork the child forgets it (leaks it, untouched: another thread may have held its locks) and makes its own
//! when it needs one. A vfork child shares our memory without being us: it is told apart by its process id. Children of
//! `_Fork` and of a raw `clone`, which run no handlers, have neither our id nor our mark.

use std::{
    ptr,
    sync::atomic::{AtomicBool, AtomicPtr, Ordering::*},
};

use super::Process;
use crate::{control::counters::COUNTERS, guard::forget_in_child, host::socket};

static CURRENT: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());
/// The state of the process that forked this one, or of one before that: to read of, where that takes no lock.
static PARENTS: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

/// The state, if there is one, for the doors of `close` and the like. A vfork child gets it too.
pub fn existing() -> Option<&'static Process> {
    // SAFETY: the pointer is null or comes from Box::leak in `started` and is never freed.
    unsafe { CURRENT.load(Acquire).as_ref() }
}

/// The state, if there is one and it is this process's own.
pub fn current() -> Option<&'static Process> {
    existing().filter(|process| process.is_ours_by_id())
}

/// The state of the process that forked this one, if that had any: locks in there may be held for ever.
pub fn parents() -> Option<&'static Process> {
    match existing() {
        // Of a vfork child it is the very state that it has.
        Some(process) if !process.has_a_mark_here() => Some(process),
        // SAFETY: as in `existing`.
        _ => unsafe { PARENTS.load(Acquire).as_ref() },
    }
}

/// The state, made now if need be. `None` in a vfork child.
pub fn started() -> Option<&'static Process> {
    match existing() {
        Some(process) if process.is_ours_by_id() => return Some(process),
        Some(process) if process.has_a_mark_here() => return None,
        // A child of `_Fork` or a raw `clone`, after which no handler has run.
        Some(process) => forget(process),
        None => {}
    }
    forget_after_fork();
    let fresh = Box::into_raw(Box::new(Process::new(socket::pid(), parents())));
    if CURRENT.compare_exchange(ptr::null_mut(), fresh, AcqRel, Acquire).is_err() {
        // SAFETY: lost the race; no other thread has seen `fresh`.
        drop(unsafe { Box::from_raw(fresh) });
    }
    current()
}

/// Changes when the process forks. A thread compares it before and after a wait: if it differs, a signal handler forked during
/// the wait, and this is the child.
pub fn identity() -> usize {
    CURRENT.load(Acquire).addr()
}

/// Leaves the parent's state where it is. Atomics and this thread's own cells only.
fn forget(parents: *const Process) {
    if CURRENT.compare_exchange(parents.cast_mut(), ptr::null_mut(), AcqRel, Acquire).is_ok() {
        if !parents.is_null() {
            PARENTS.store(parents.cast_mut(), Release);
        }
        COUNTERS.reset_in_child();
        forget_in_child();
    }
}

fn forget_after_fork() {
    extern "C" fn in_child() {
        forget(CURRENT.load(Acquire));
    }
    // Not std's Once: a child forked in the middle of it would wait for ever.
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.swap(true, AcqRel) {
        // SAFETY: the handler is async-signal-safe (atomics only) and the library is never unloaded (nodelete).
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    }
}
