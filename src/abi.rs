//! The C interface, `pointsman_*`. `include/pointsman.h` is generated from this file.
//!
//! Nothing here has to be called: the library protects by being loaded. These functions let a binding or a health
//! check see what it did. All of them may be called from any thread, at any time, also after fork.

use std::ffi::{c_char, c_int};

use crate::{control::counters::COUNTERS, doors, guard};

/// What the library did in this process, counted since it was loaded (or since the process was forked).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct pointsman_counters {
    /// Connections opened to endpoints.
    pub protected_connections: u64,
    /// Times an incumbent was found unfit.
    pub suspects: u64,
    /// Statements and connects that waited for a writer.
    pub holds: u64,
    /// Milliseconds that they waited, in sum.
    pub held_ms: u64,
    /// Connections replaced in place.
    pub moves: u64,
    /// Statements run again.
    pub reruns: u64,
    /// Transactions replayed.
    pub replays: u64,
    /// Transactions reported as victims (1213).
    pub victims: u64,
    /// Errors that reached the application after all.
    pub surfaced: u64,
    /// Times an endpoint failed open.
    pub failed_open: u64,
}

/// The version of the library, `major.minor.patch` (SemVer). Static, NUL-terminated, never NULL; not to be freed.
#[cfg_attr(all(feature = "doors", not(test)), unsafe(no_mangle))]
pub extern "C" fn pointsman_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// 1 if connections of this process are protected, 0 if the configuration switches the library off or if it cannot work
/// here, which it said.
#[cfg_attr(all(feature = "doors", not(test)), unsafe(no_mangle))]
pub extern "C" fn pointsman_enabled() -> c_int {
    /// Not inlined: nothing of it may be done before the library is awake.
    #[inline(never)]
    fn enabled() -> c_int {
        guard::decide(|| c_int::from(!guard::off())).unwrap_or(0)
    }
    if doors::awake() { enabled() } else { 0 }
}

/// Fills `counters` with this process's counters.
///
/// `size` is `sizeof(struct pointsman_counters)` as the caller was compiled: a caller with a shorter structure gets as
/// much as fits, a longer one is filled up with zeros. Returns 0, or -1 if `counters` is NULL.
///
/// # Safety
/// `counters` is NULL or points to `size` writable bytes.
#[cfg_attr(all(feature = "doors", not(test)), unsafe(no_mangle))]
pub unsafe extern "C" fn pointsman_read_counters(counters: *mut pointsman_counters, size: usize) -> c_int {
    if counters.is_null() {
        return -1;
    }
    let now = if doors::awake() { COUNTERS.snapshot() } else { Default::default() };
    let full = pointsman_counters {
        protected_connections: now.protected_connections,
        suspects: now.suspects,
        holds: now.holds,
        held_ms: now.held_ms,
        moves: now.moves,
        reruns: now.reruns,
        replays: now.replays,
        victims: now.victims,
        surfaced: now.surfaced,
        failed_open: now.failed_open,
    };
    // SAFETY: `size` writable bytes as the caller vouches; no more than our own structure is read.
    unsafe {
        counters.cast::<u8>().write_bytes(0, size);
        let known = size.min(size_of::<pointsman_counters>());
        counters.cast::<u8>().copy_from_nonoverlapping((&raw const full).cast(), known);
    }
    0
}
