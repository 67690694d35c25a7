//! The guard round our decisions: a panic of ours goes no further, `errno` stays as it was, and the libc calls that a decision
//! makes pass through our own doors.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::{
    control::{
        config,
        log::{Level::*, say},
    },
    host::{cancellation, errno, handlers, stack, thread},
};

/// Is this thread inside one of our own decisions? Calls of our own threads and of our own decisions pass straight through.
pub fn ourselves() -> bool {
    thread::with(|thread| thread.decisions.get() > 0 && !was_left()).unwrap_or(true)
}

/// A handler of the application has left our decision by a jump (longjmp, `die` in Perl's POSIX::sigaction), so that the
/// decision never came to its end. This thread is the application's again, and is protected again.
#[cold]
#[inline(never)]
fn was_left() -> bool {
    let left = stack::was_left();
    if left {
        forget_what_this_thread_did();
        say!(Info, "a signal handler has left a call by a jump: this thread is protected again");
    }
    left
}

/// Everything that this thread calls from now on is our own (the watcher's thread).
pub fn this_thread_is_ours() {
    thread::with(|thread| thread.decisions.set(thread.decisions.get() + 1));
}

/// In a forked child: the thread that forked is the only one, and may have done so in a signal handler that came in the
/// middle of one of our decisions. What the child does from there is its own.
pub fn forget_in_child() {
    handlers::forget_all();
    forget_what_this_thread_did();
}

fn forget_what_this_thread_did() {
    thread::forget();
    handlers::forget_this_thread();
}

/// A panic of ours must not print into the host's stderr: std's default hook would. Ours is our own copy of std.
/// (In a test it belongs to the test.)
fn silence_panics() {
    static SILENCED: AtomicBool = AtomicBool::new(cfg!(test));
    #[cold]
    #[inline(never)]
    fn silence() {
        if !SILENCED.swap(true, Relaxed) {
            std::panic::set_hook(Box::new(|_| {}));
        }
    }
    if !SILENCED.load(Relaxed) {
        silence();
    }
}

/// Runs one of our decisions: `errno` is left as it was, a panic becomes `None`, and libc calls made inside pass
/// through. The real call of the application must not be made inside (thread cancellation unwinds through it).
pub fn decide<T>(decision: impl FnOnce() -> T) -> Option<T> {
    glance(|| {
        // A cancellation would unwind through catch_unwind, which aborts. It waits until the decision is made.
        let _kept_off = cancellation::keep_off();
        stack::on(decision)
    })
}

/// Runs a decision in which there is no cancellation point (pthreads(7)): it looks into memory, takes a lock, asks
/// the kernel by `host::socket`. To keep a cancellation off costs more than most of these.
pub fn glance<T>(decision: impl FnOnce() -> T) -> Option<T> {
    guarded(|_| true, || Some(decision()))
}

/// Glances, unless this thread is inside one of our own decisions already.
pub fn first_glance<T>(decision: impl FnOnce() -> Option<T>) -> Option<T> {
    guarded(|depth| depth == 0 || was_left(), decision)
}

#[inline]
fn guarded<T>(wanted: impl FnOnce(u32) -> bool, decision: impl FnOnce() -> Option<T>) -> Option<T> {
    // `errno` stays at one place as long as the thread lives.
    let errno = errno::place();
    let kept = errno.get();
    silence_panics();
    // Written in place: what is decided on the way of every statement is large.
    let mut outcome = None;
    // A thread that is being torn down: no decisions any more.
    thread::with(|thread| {
        let depth = &thread.decisions;
        if !wanted(depth.get()) {
            return;
        }
        depth.set(depth.get() + 1);
        let ended = catch_unwind(AssertUnwindSafe(|| outcome = decision()));
        // It may be 0 already: in a child that was forked meanwhile, in a signal handler that returned.
        depth.set(depth.get().saturating_sub(1));
        if let Err(panic) = ended {
            report(panic);
        }
    });
    errno.set(kept);
    outcome
}

#[cold]
fn report(panic: Box<dyn Any + Send>) {
    if cfg!(test) {
        // A unit test drives this decision, and has to fail with these words.
        resume_unwind(panic);
    }
    let _ = catch_unwind(|| say!(Error, "internal error: passing this call through"));
}

/// Switched off by the configuration.
pub fn off() -> bool {
    config().off
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "what a story says")]
    fn a_panic_in_a_decision_fails_the_test_that_drives_it() {
        decide(|| panic!("what a story says"));
    }
}
