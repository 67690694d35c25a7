//! The loader's locks, which `dl_iterate_phdr`, `dlopen` and `dlsym` take: glibc does not free them in a forked child, so
//! no thread may fork while one of ours has them. A fork waits for that, and not for long: a thread that holds them may
//! wait for something that the forking thread has.
//!
//! The first question is asked on the way to waking (`wake`), so this must work while the library sleeps: it calls
//! `sched_yield` and `__register_atfork`, which are no imports of `imports` therefore, and else uses atomics, a thread's
//! cell and the processor's counter (`ticks`).

use std::{
    ffi::{c_int, c_void},
    sync::atomic::{AtomicBool, AtomicU32, Ordering::*},
};

use super::{thread, ticks};

/// Threads that ask the loader.
static ASKING: AtomicU32 = AtomicU32::new(0);
/// Threads that fork.
static FORKING: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" {
    /// What `pthread_atfork` calls, which is linked statically, and so reached by a pointer of ours that is not relocated
    /// while the library sleeps. (glibc 2.3.2 and newer.)
    fn __register_atfork(
        prepare: extern "C" fn(),
        parent: extern "C" fn(),
        child: extern "C" fn(),
        object: *mut c_void,
    ) -> c_int;
}

/// How many questions this thread is inside of.
fn depth() -> u32 {
    thread::with(|thread| thread.loader_questions.get()).unwrap_or(0)
}

fn set_depth(depth: u32) {
    thread::with(|thread| thread.loader_questions.set(depth));
}

fn pause() {
    // SAFETY: no arguments.
    unsafe { libc::sched_yield() };
}

/// Asks the loader something.
pub fn ask<T>(question: impl FnOnce() -> T) -> T {
    let _asking = Asking::new();
    question()
}

struct Asking;

impl Asking {
    fn new() -> Self {
        wait_before_forks();
        let depth = depth();
        set_depth(depth + 1);
        if depth == 0 {
            enter();
        }
        Asking
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let depth = depth() - 1;
        set_depth(depth);
        if depth == 0 {
            ASKING.fetch_sub(1, SeqCst);
        }
    }
}

fn enter() {
    let began = ticks::now();
    loop {
        ASKING.fetch_add(1, SeqCst);
        if FORKING.load(SeqCst) == 0 || !ticks::are_less_than_a_second_since(began) {
            return;
        }
        ASKING.fetch_sub(1, SeqCst);
        pause();
    }
}

fn wait_before_forks() {
    extern "C" fn before() {
        FORKING.fetch_add(1, SeqCst);
        // The loader answers within microseconds, unless a busy machine takes its core away from the thread that asks, or a
        // `dlopen` of the application keeps it waiting. A signal handler that forks in the middle of a question cannot wait for its
        // end.
        let began = ticks::now();
        while ASKING.load(SeqCst) > 0 && depth() == 0 && ticks::are_less_than_a_second_since(began) {
            pause();
        }
    }
    extern "C" fn in_parent() {
        FORKING.fetch_sub(1, SeqCst);
    }
    extern "C" fn in_child() {
        FORKING.store(0, SeqCst);
        ASKING.store(depth().min(1), SeqCst);
    }
    // Not std's Once: a child forked in the middle of it would wait for ever.
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.swap(true, AcqRel) {
        // SAFETY: the handlers use atomics, a cell without Drop and sched_yield; the library is never unloaded (nodelete).
        unsafe { __register_atfork(before, in_parent, in_child, std::ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    #[test]
    fn questions_inside_a_question_count_once_and_a_fork_waits_for_the_end_of_all() {
        ask(|| {
            ask(|| assert!(ASKING.load(SeqCst) >= 1));
            assert_eq!(depth(), 1);
        });
        assert_eq!(depth(), 0);
        let asking = thread::spawn(|| {
            ask(|| thread::sleep(Duration::from_millis(20)));
        });
        while ASKING.load(SeqCst) == 0 {
            thread::yield_now();
        }
        assert!(crate::host::files::succeeds_in_child(|| ASKING.load(SeqCst) == 0));
        asking.join().unwrap();
    }
}
