//! What becomes of tags when the application closes or duplicates descriptors.
//!
//! Called by signal handlers as well, in the middle of the library's own work: takes no lock there, and gets no memory from an
//! allocator.

use std::ffi::{c_int, c_uint};

use super::{current, tags::Removed};
use crate::{guard::decide, host::exchange};

/// `fd` is about to be closed: takes its tag away, once the kernel was asked for the last time, unless this is a vfork child
/// whose descriptors are not the parent's.
pub fn closes(fd: c_int) -> Option<Removed> {
    let process = current::existing().filter(|process| process.tags.is_tagged(fd))?;
    decide(|| {
        if !process.is_ours_by_id() {
            return None;
        }
        exchange::closing(fd);
        let removed = process.tags.clear(fd)?;
        process.untagged(removed.endpoint());
        Some(removed)
    })
    .flatten()
}

/// `first` to `last` are about to be closed.
pub fn closes_all(first: c_uint, last: c_uint) {
    if let Some(process) = current::existing() {
        decide(|| {
            if process.is_ours_by_id() {
                process.tags.clear_range(first, last, |endpoint| process.untagged(endpoint));
            }
        });
    }
}

/// `new` was made a duplicate of `old`; negative: that has failed. Returns `new`.
pub fn duplicated(old: c_int, new: c_int) -> c_int {
    if new >= 0
        && new != old
        && let Some(process) = current::existing()
        && (process.tags.is_tagged(old) || process.tags.is_tagged(new))
    {
        decide(|| {
            if process.is_ours_by_id() {
                let (endpoint, stale) = process.tags.copy(old, new);
                endpoint.into_iter().for_each(|endpoint| process.tagged_again(endpoint));
                stale.into_iter().for_each(|stale| process.untagged(stale.endpoint()));
            }
        });
    }
    new
}

/// `real` makes `new` a duplicate of `old`, and closes what `new` was, unless it fails.
pub fn duplicated_over(old: c_int, new: c_int, real: impl FnOnce() -> c_int) -> c_int {
    if old == new {
        return real();
    }
    let removed = closes(new);
    let outcome = real();
    if let (true, Some(removed), Some(process)) = (outcome < 0, removed, current::existing()) {
        decide(|| {
            if process.tags.put_back(new, removed) {
                process.tagged_again(removed.endpoint());
            }
        });
    }
    duplicated(old, outcome)
}
