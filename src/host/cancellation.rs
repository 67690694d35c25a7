//! Cancellation of threads (pthreads(7)), kept off for a while.

use std::ptr;

unsafe extern "C" {
    fn pthread_setcancelstate(state: libc::c_int, before: *mut libc::c_int) -> libc::c_int;
}

/// As long as it lives, this thread cannot be cancelled.
pub struct KeptOff {
    before: libc::c_int,
}

pub fn keep_off() -> KeptOff {
    const PTHREAD_CANCEL_DISABLE: libc::c_int = 1;
    let mut before = 0;
    // SAFETY: a valid state and a valid place for the old one.
    unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &mut before) };
    KeptOff { before }
}

impl Drop for KeptOff {
    fn drop(&mut self) {
        // SAFETY: the state that it had before; the one in between is not asked for.
        unsafe { pthread_setcancelstate(self.before, ptr::null_mut()) };
    }
}
