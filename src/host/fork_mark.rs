//! A mark in memory that no forked child has, however it was forked: asked for in every call of a client library, where
//! the process id would cost a system call each time.

use std::{
    ptr::NonNull,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use super::pages;

/// Lives for ever, like the process that it marks.
pub struct Mark(NonNull<AtomicBool>);

// SAFETY: it points to an atomic that is never unmapped.
unsafe impl Send for Mark {}
// SAFETY: as above.
unsafe impl Sync for Mark {}

impl Mark {
    /// `None` on a kernel before 4.14, which has no MADV_WIPEONFORK.
    pub fn new() -> Option<Self> {
        // One page at least, whatever its size.
        const LENGTH: usize = 1;
        let page = pages::fresh(LENGTH)?;
        // SAFETY: a mapping of our own; it is unmapped only before anybody could know it.
        unsafe {
            if libc::madvise(page.as_ptr(), LENGTH, libc::MADV_WIPEONFORK) != 0 {
                libc::munmap(page.as_ptr(), LENGTH);
                return None;
            }
        }
        let mark = Mark(page.cast());
        mark.bit().store(true, Relaxed);
        Some(mark)
    }

    pub fn is_there(&self) -> bool {
        self.bit().load(Relaxed)
    }

    fn bit(&self) -> &AtomicBool {
        // SAFETY: the page is mapped for ever, zeroed or written by us, and used as this one atomic only.
        unsafe { self.0.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_does_not_have_the_mark_even_if_no_handler_ran_at_its_fork() {
        let mark = Mark::new().expect("a kernel since 4.14");
        assert!(mark.is_there());
        // SAFETY: a fork without handlers; the child does nothing but look and end.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } as libc::pid_t;
        if child == 0 {
            // SAFETY: ends at once.
            unsafe { libc::_exit(i32::from(mark.is_there())) };
        }
        let mut status = -1;
        // SAFETY: our own child.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!((libc::WIFEXITED(status), libc::WEXITSTATUS(status)), (true, 0));
        assert!(mark.is_there());
    }
}
