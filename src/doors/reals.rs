//! The C library's functions behind the doors of libc.
//!
//! All of them are looked up when the first is called, which nearly every program does while it starts. To look one up takes the
//! loader's lock. `fork` frees that in the child, but `_Fork` and a raw `clone` do not: a child that calls `close` or `dup2` for
//! the first time would wait for ever if another thread of its parent was in `dlopen` when the child was made.

use std::{
    ffi::{CStr, c_void},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::host::objects::Next;

/// The fields' names are those of the functions.
pub struct Reals {
    pub getaddrinfo: Next,
    pub connect: Next,
    pub close: Next,
    pub dup: Next,
    pub dup2: Next,
    pub dup3: Next,
    pub fcntl: Next,
    pub fcntl64: Next,
    pub recv: Next,
    pub close_range: Next,
    pub closefrom: Next,
    looked_up: AtomicBool,
}

pub static REALS: Reals = Reals {
    getaddrinfo: Next::new(),
    connect: Next::new(),
    close: Next::new(),
    dup: Next::new(),
    dup2: Next::new(),
    dup3: Next::new(),
    fcntl: Next::new(),
    fcntl64: Next::new(),
    recv: Next::new(),
    close_range: Next::new(),
    closefrom: Next::new(),
    looked_up: AtomicBool::new(false),
};

impl Reals {
    /// The function that `which` is for. Null only if no object after this library defines it.
    #[inline]
    pub fn address(&self, which: &Next, name: &CStr) -> *mut c_void {
        let known = which.known();
        if known.is_null() { self.look_up(which, name) } else { known }
    }

    /// Called one by one: a list of names would be a list of pointers that are relocated only when the library wakes up. (A
    /// process that calls `getaddrinfo` for the first time between fork and exec waits for locks of its own.)
    #[cold]
    #[inline(never)]
    fn look_up(&self, which: &Next, name: &CStr) -> *mut c_void {
        if !self.looked_up.swap(true, Relaxed) {
            self.close.address(c"close");
            self.dup.address(c"dup");
            self.dup2.address(c"dup2");
            self.dup3.address(c"dup3");
            self.fcntl.address(c"fcntl");
            self.fcntl64.address(c"fcntl64");
            self.connect.address(c"connect");
            self.recv.address(c"recv");
            self.close_range.address(c"close_range");
            self.closefrom.address(c"closefrom");
        }
        which.address(name)
    }
}
