//! `errno` of this thread.

use std::cell::Cell;

/// Where this thread has its `errno`, as long as it lives.
#[inline]
pub fn place() -> &'static Cell<i32> {
    // SAFETY: __errno_location always returns this thread's valid errno. A Cell does not leave its thread.
    unsafe { Cell::from_mut(&mut *libc::__errno_location()) }
}

/// The thread's `errno`.
pub fn get() -> i32 {
    place().get()
}

/// Sets the thread's `errno`.
pub fn set(value: i32) {
    place().set(value);
}

/// Runs `work`, and leaves `errno` as it was before: the application may look at it after the library returns.
pub fn kept<R>(work: impl FnOnce() -> R) -> R {
    let before = get();
    let result = work();
    set(before);
    result
}
