//! `errno` of this thread.

/// The thread's `errno`.
pub fn get() -> i32 {
    // SAFETY: __errno_location always returns this thread's valid errno.
    unsafe { *libc::__errno_location() }
}

/// Sets the thread's `errno`.
pub fn set(value: i32) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = value }
}
