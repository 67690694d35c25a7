//! Functions that the Rust standard library names, and that glibc 2.28 has under another name or not at all: the dynamic
//! linker of an older glibc than the one of the build would not load a library that asks for them. Defined here, for this
//! library only. Called when it is awake.

use std::ffi::{c_char, c_int};

use crate::host::linker;

macro_rules! own {
    ($($name:ident => $function:path;)*) => {$(
        std::arch::global_asm!(
            concat!(".pushsection .text.pointsman_own, \"ax\", @progbits"),
            concat!(".weak ", stringify!($name)),
            concat!(".hidden ", stringify!($name)),
            concat!(".type ", stringify!($name), ", @function"),
            concat!(stringify!($name), ":"),
            jump!(),
            ".popsection",
            body = sym $function,
        );
    )*};
}

own! {
    // glibc 2.34 has these two in another library and under another version.
    dlopen => linker::dlopen;
    dlsym => linker::dlsym;
    // glibc 2.33 has these in libc.so.6, an older one in libc_nonshared.a.
    fstat => status_of_descriptor;
    fstat64 => status_of_descriptor;
    stat64 => status_of_path;
    // glibc 2.30 and newer.
    gettid => thread_id;
}

extern "C" fn status_of_descriptor(fd: c_int, status: *mut libc::stat) -> c_int {
    // SAFETY: the caller's own arguments; the kernel's structure is the C library's on 64-bit processors.
    unsafe { libc::syscall(libc::SYS_fstat, fd, status) as c_int }
}

extern "C" fn status_of_path(path: *const c_char, status: *mut libc::stat) -> c_int {
    // SAFETY: as in `status_of_descriptor`.
    unsafe { libc::syscall(libc::SYS_newfstatat, libc::AT_FDCWD, path, status, 0) as c_int }
}

extern "C" fn thread_id() -> libc::pid_t {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as libc::pid_t }
}
