//! A descriptor of the library's own.

use std::{
    ffi::{c_int, c_long},
    io,
};

/// Close-on-exec, above 2, and closed by system call: it has no tag, and the door of `close` would look for one.
pub(super) struct Descriptor(pub(super) c_int);

impl Descriptor {
    /// Takes over a fresh descriptor. In a host that closed its standard ones ours could have become one of them,
    /// and the next `printf` of the host would land in it: such a number is exchanged for a higher one.
    pub(super) fn new(number: c_long) -> io::Result<Self> {
        let fresh = Self::as_it_is(number)?;
        if fresh.0 > 2 { Ok(fresh) } else { Self::duplicate_of(fresh.0) }
    }

    /// Takes over a fresh descriptor under any number.
    pub(super) fn as_it_is(number: c_long) -> io::Result<Self> {
        Ok(Descriptor(checked(number)? as c_int))
    }

    /// Another number for what `fd` leads to, above the standard three, which a host that closed them may be about to open.
    pub(super) fn duplicate_of(fd: c_int) -> io::Result<Self> {
        // SAFETY: F_DUPFD_CLOEXEC with plain integers touches no memory.
        Self::as_it_is(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, 3) })
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the number is ours alone, and not used again.
        unsafe { libc::syscall(libc::SYS_close, self.0) };
    }
}

/// What a raw system call has returned.
pub(super) fn checked(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
