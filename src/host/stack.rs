//! Where on its stack this thread is in a piece of our work, so that it is known when that work was left by a jump.
//!
//! A signal handler may leave our work by longjmp (Perl's `die` in a handler of POSIX::sigaction). No destructor runs then,
//! and no return tells. A stack grows downwards, so everything that the work calls runs below it: code of the same stack
//! that runs at the work's place or above it runs after the work.

use std::hint::black_box;

use super::{handlers, thread};

/// The work's place is so far below the code that begins it, so that the same code is known to run above it the next time.
const ROOM: usize = 256;

/// Runs a piece of work, and knows its place meanwhile. While it waits, a deeper place is known.
#[inline(never)]
pub fn on<T>(work: impl FnOnce() -> T) -> T {
    let room = [0u8; ROOM];
    black_box(&room);
    let before = thread::with(|thread| thread.work.replace(here())).unwrap_or(0);
    let done = work();
    thread::with(|thread| thread.work.set(before));
    done
}

/// A jump has left the work: this thread runs above it. A handler on an alternate stack may run above the work that it
/// interrupts.
#[cold]
#[inline(never)]
pub fn was_left() -> bool {
    let at = thread::with(|thread| thread.work.get()).unwrap_or(0);
    at != 0 && here() >= at && !handlers::on_alternate_stack()
}

/// There is no work in this thread.
pub fn forget() {
    thread::with(|thread| thread.work.set(0));
}

/// An address on the stack, just below its caller's frame.
#[inline(never)]
fn here() -> usize {
    let mark = 0u8;
    std::ptr::from_ref(black_box(&mark)).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `work` some frames deeper.
    #[inline(never)]
    fn deeper(frames: u32, work: &dyn Fn()) {
        let room = [0u8; 256];
        black_box(&room);
        if frames == 0 {
            work()
        } else {
            deeper(frames - 1, work)
        }
        black_box(&room);
    }

    #[test]
    fn what_the_work_calls_runs_inside_it_and_what_runs_above_it_comes_after_a_jump() {
        assert!(!was_left(), "there was no work");
        on(|| deeper(3, &|| assert!(!was_left())));
        assert!(!was_left(), "it came to its end");
        // As if a jump had left it.
        deeper(8, &|| {
            thread::with(|thread| thread.work.set(here()));
        });
        assert!(was_left());
        deeper(30, &|| assert!(!was_left(), "deeper than the work was: it may be its own call"));
        forget();
        assert!(!was_left());
    }
}
