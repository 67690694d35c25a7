//! Doors of libc: the name lookup that is steered, what keeps tags true, and how an answer is waited for. None of them wakes the library: while it
//! sleeps nothing is steered and there are no tags.
//!
//! All but that lookup are called by signal handlers as well, in the middle of our own work: they take no lock there, and
//! get no memory from an allocator.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_uint, c_void},
    ptr,
};

use super::reals::REALS;
use crate::{
    guard::decide,
    host::{errno, exchange, socket, steer},
    process::tags::Removed,
    process::{connecting, current},
};

libc_doors! {
    /// Steered while a handle is reconnected: the answer is the one server that it has to reach.
    fn getaddrinfo(node: *const c_char, service: *const c_char, hints: *const libc::addrinfo,
        result: *mut *mut libc::addrinfo) -> c_int, |real|
    {
        // An address to bind to is looked up without a service.
        if let Some(library) = steer::learns().filter(|_| !node.is_null() && !service.is_null()) {
            // SAFETY: C strings by getaddrinfo's contract.
            let (node, service) = unsafe { (CStr::from_ptr(node), CStr::from_ptr(service)) };
            decide(|| connecting::learns(library, node, service));
        }
        // SAFETY: a C string by getaddrinfo's contract, if it is not null.
        if steer::connecting().is_none() || node.is_null() || !steer::is_the_endpoint(unsafe { CStr::from_ptr(node) }) {
            return real();
        }
        let Some(target) = steer::target() else {
            let failed = real();
            if failed == 0 && !result.is_null() {
                // SAFETY: getaddrinfo has succeeded, so this is its list.
                steer::led_to(unsafe { socket::addresses(*result) });
            }
            return failed;
        };
        // Scope ids are of no use here: endpoints' addresses come from DNS.
        let Ok(address) = CString::new(target.ip().to_string()) else { return real() };
        // SAFETY: addrinfo is plain data; zero is its documented default.
        let mut numeric: libc::addrinfo = unsafe { std::mem::zeroed() };
        if !hints.is_null() {
            // SAFETY: the caller's hints are valid by getaddrinfo's contract; only scalars are taken.
            let theirs = unsafe { &*hints };
            numeric.ai_socktype = theirs.ai_socktype;
            numeric.ai_protocol = theirs.ai_protocol;
        }
        numeric.ai_flags = libc::AI_NUMERICHOST;
        // SAFETY: the next getaddrinfo has this signature; all pointers are valid or null as the contract allows.
        let next: unsafe extern "C" fn(*const c_char, *const c_char, *const libc::addrinfo,
            *mut *mut libc::addrinfo) -> c_int = unsafe { std::mem::transmute(REALS.address(&REALS.getaddrinfo, c"getaddrinfo")) };
        // SAFETY: as above.
        unsafe { next(address.as_ptr(), service, &numeric, result) }
    }

    /// Tags the sockets that a client library opens for an endpoint, and puts a floor under them.
    fn connect(fd: c_int, address: *const libc::sockaddr, length: libc::socklen_t) -> c_int, |real| {
        exchange::forget();
        let outcome = real();
        if outcome != 0 && errno::get() != libc::EINPROGRESS {
            return outcome;
        }
        let leads_to = || {
            // SAFETY: the kernel has just read the same bytes.
            let peer = unsafe { socket::address(address, length) }?;
            Some((steer::connecting_to(peer)?, peer))
        };
        if steer::connecting().is_some()
            && let Some((endpoint, peer)) = leads_to()
        {
            steer::undisturbed(|| decide(|| connecting::begins(fd, endpoint, peer)));
        } else {
            // It connects only now: the tag is of one that was closed unseen.
            untag(fd);
        }
        outcome
    }

    /// Takes the tag away first: the number can be reused at once.
    fn close(fd: c_int) -> c_int, |real| {
        untag(fd);
        real()
    }

    fn dup(fd: c_int) -> c_int, |real| {
        copied(fd, real())
    }

    fn dup2(fd: c_int, new: c_int) -> c_int, |real| {
        duplicated_over(fd, new, real)
    }

    fn dup3(fd: c_int, new: c_int, flags: c_int) -> c_int, |real| {
        duplicated_over(fd, new, real)
    }
}

/// Takes the tag of `fd` away, once the kernel was asked for the last time, unless this is a vfork child whose descriptors
/// are not the parent's.
fn untag(fd: c_int) -> Option<Removed> {
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

/// `new` is closed by the call, unless it fails.
fn duplicated_over(old: c_int, new: c_int, real: impl FnOnce() -> c_int) -> c_int {
    if old == new {
        return real();
    }
    let removed = untag(new);
    let outcome = real();
    if let (true, Some(removed), Some(process)) = (outcome < 0, removed, current::existing()) {
        decide(|| {
            if process.tags.put_back(new, removed) {
                process.tagged_again(removed.endpoint());
            }
        });
    }
    copied(old, outcome)
}

fn copied(old: c_int, new: c_int) -> c_int {
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

/// Stable Rust cannot define variadic functions; one pointer-sized argument is ABI-compatible on Linux x86-64 and
/// aarch64, whatever the command's argument is.
fn fcntl_door(address: *mut c_void, fd: c_int, command: c_int, argument: usize) -> c_int {
    if address.is_null() {
        errno::set(libc::ENOSYS);
        return -1;
    }
    // SAFETY: the next fcntl reads at most one variadic argument, which is in the third integer register.
    let function: unsafe extern "C" fn(c_int, c_int, usize) -> c_int = unsafe { std::mem::transmute(address) };
    // SAFETY: the caller's own arguments.
    let outcome = unsafe { function(fd, command, argument) };
    if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) { copied(fd, outcome) } else { outcome }
}

/// `F_DUPFD` and `F_DUPFD_CLOEXEC` make duplicates.
#[unsafe(no_mangle)]
pub extern "C" fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int {
    fcntl_door(REALS.address(&REALS.fcntl, c"fcntl"), fd, command, argument)
}

/// The name that programs built with 64-bit file offsets call.
#[unsafe(no_mangle)]
pub extern "C" fn fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int {
    fcntl_door(REALS.address(&REALS.fcntl64, c"fcntl64"), fd, command, argument)
}

/// libmariadb asks for what is there, and waits for the rest by `poll`. In an exchange it waits here (see `exchange`).
#[unsafe(no_mangle)]
pub extern "C" fn recv(fd: c_int, buffer: *mut c_void, length: usize, flags: c_int) -> isize {
    let address = REALS.address(&REALS.recv, c"recv");
    if address.is_null() {
        errno::set(libc::ENOSYS);
        return -1;
    }
    // SAFETY: the next recv has this signature.
    let function: unsafe extern "C" fn(c_int, *mut c_void, usize, c_int) -> isize =
        unsafe { std::mem::transmute(address) };
    let flags = exchange::recv_flags(fd, flags);
    // SAFETY: the caller's own arguments, of which only the willingness to wait was changed.
    unsafe { function(fd, buffer, length, flags) }
}

fn untag_range(first: c_uint, last: c_uint) {
    if let Some(process) = current::existing() {
        decide(|| {
            if process.is_ours_by_id() {
                process.tags.clear_range(first, last, |endpoint| process.untagged(endpoint));
            }
        });
    }
}

/// glibc 2.34 and newer.
#[unsafe(no_mangle)]
pub extern "C" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    // With CLOSE_RANGE_UNSHARE the thread leaves: what the others of the process have stays open. CLOSE_RANGE_CLOEXEC
    // closes nothing now, and what is unknown to the kernel fails.
    if flags == 0 && first <= last {
        untag_range(first, last);
    }
    let address = REALS.address(&REALS.close_range, c"close_range");
    if address.is_null() {
        errno::set(libc::ENOSYS);
        return -1;
    }
    // SAFETY: the next close_range has this signature.
    let function: unsafe extern "C" fn(c_uint, c_uint, c_int) -> c_int = unsafe { std::mem::transmute(address) };
    // SAFETY: the caller's own arguments.
    unsafe { function(first, last, flags) }
}

/// glibc 2.34 and newer.
#[unsafe(no_mangle)]
pub extern "C" fn closefrom(first: c_int) {
    untag_range(first.max(0) as c_uint, c_uint::MAX);
    let address = REALS.address(&REALS.closefrom, c"closefrom");
    if !ptr::eq(address, ptr::null_mut()) {
        // SAFETY: the next closefrom has this signature.
        let function: unsafe extern "C" fn(c_int) = unsafe { std::mem::transmute(address) };
        // SAFETY: the caller's own argument.
        unsafe { function(first) }
    }
}
