//! Pages straight from the kernel, which stay for ever: a signal handler must not go to an allocator, and fork can be told what
//! to do with them.

use std::{ffi::c_void, ptr, ptr::NonNull, sync::atomic::AtomicU64};

/// Fresh, zero, and of this many bytes at least.
pub fn fresh(bytes: usize) -> Option<NonNull<c_void>> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a mapping of our own at an address of the kernel's choice, which no other code knows.
    let pages = unsafe { libc::mmap(ptr::null_mut(), bytes, access, kind, -1, 0) };
    if pages == libc::MAP_FAILED { None } else { NonNull::new(pages) }
}

/// Words that are zero.
pub fn words<const COUNT: usize>() -> Option<&'static [AtomicU64; COUNT]> {
    let pages = fresh(size_of::<[AtomicU64; COUNT]>())?;
    // SAFETY: large enough, aligned to a page and zero, which is a value; it is never unmapped.
    Some(unsafe { pages.cast().as_ref() })
}
