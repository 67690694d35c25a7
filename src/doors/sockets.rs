//! Doors of libc: the name lookup that is steered, what keeps tags true, and how an answer is waited for. None of them wakes the library: while it
//! sleeps nothing is steered and there are no tags.
//!
//! All but that lookup are called by signal handlers as well, in the middle of our own work: they take no lock there, and
//! get no memory from an allocator.

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    mem,
};

use super::reals::REALS;
use crate::{
    guard::decide,
    host::{errno, exchange, socket, steer},
    process::{connecting, descriptors},
};

/// The function that a door is for, if it has its own signature written out. `None`: no object after this library defines it.
macro_rules! next_door {
    ($name:ident: $signature:ty) => {{
        const NAME: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
            Ok(name) => name,
            Err(_) => panic!(),
        };
        let address = REALS.address(&REALS.$name, NAME);
        // SAFETY: the next function of this name has this signature.
        (!address.is_null()).then(|| unsafe { mem::transmute::<*mut c_void, $signature>(address) })
    }};
}

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
        let text = |string: *const c_char| {
            // SAFETY: a C string by getaddrinfo's contract, if it is not null.
            (!string.is_null()).then(|| unsafe { CStr::from_ptr(string) })
        };
        if steer::connecting().is_none() || !text(node).is_some_and(|node| steer::is_the_endpoint(node, text(service))) {
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
        let Some(next) = next_door!(getaddrinfo: steer::LookUp) else { return real() };
        // SAFETY: the caller's own arguments, and the next function of that name.
        unsafe { steer::look_up(target, service, hints, result, next) }.unwrap_or_else(real)
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
            descriptors::closes(fd);
        }
        outcome
    }

    /// Takes the tag away first: the number can be reused at once.
    fn close(fd: c_int) -> c_int, |real| {
        descriptors::closes(fd);
        real()
    }

    fn dup(fd: c_int) -> c_int, |real| {
        descriptors::duplicated(fd, real())
    }

    fn dup2(fd: c_int, new: c_int) -> c_int, |real| {
        descriptors::duplicated_over(fd, new, real)
    }

    fn dup3(fd: c_int, new: c_int, flags: c_int) -> c_int, |real| {
        descriptors::duplicated_over(fd, new, real)
    }
}

/// The C library does not have the function.
#[cold]
fn missing<T: From<i8>>() -> T {
    errno::set(libc::ENOSYS);
    T::from(-1)
}

/// Stable Rust cannot define variadic functions; one pointer-sized argument is ABI-compatible on Linux x86-64 and
/// aarch64, whatever the command's argument is.
type Fcntl = unsafe extern "C" fn(c_int, c_int, usize) -> c_int;

fn fcntl_door(next: Option<Fcntl>, fd: c_int, command: c_int, argument: usize) -> c_int {
    let Some(next) = next else { return missing() };
    // SAFETY: the next fcntl reads at most one variadic argument, which is in the third integer register: the caller's own.
    let outcome = unsafe { next(fd, command, argument) };
    match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => descriptors::duplicated(fd, outcome),
        _ => outcome,
    }
}

/// `F_DUPFD` and `F_DUPFD_CLOEXEC` make duplicates.
#[unsafe(no_mangle)]
pub extern "C" fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int {
    fcntl_door(next_door!(fcntl: Fcntl), fd, command, argument)
}

/// The name that programs built with 64-bit file offsets call.
#[unsafe(no_mangle)]
pub extern "C" fn fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int {
    fcntl_door(next_door!(fcntl64: Fcntl), fd, command, argument)
}

/// libmariadb asks for what is there, and waits for the rest by `poll`. In an exchange it waits here (see `exchange`).
#[unsafe(no_mangle)]
pub extern "C" fn recv(fd: c_int, buffer: *mut c_void, length: usize, flags: c_int) -> isize {
    type Recv = unsafe extern "C" fn(c_int, *mut c_void, usize, c_int) -> isize;
    let Some(next) = next_door!(recv: Recv) else { return missing() };
    let flags = exchange::recv_flags(fd, flags);
    // SAFETY: the caller's own arguments, of which only the willingness to wait was changed.
    unsafe { next(fd, buffer, length, flags) }
}

/// glibc 2.34 and newer.
#[unsafe(no_mangle)]
pub extern "C" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    // With CLOSE_RANGE_UNSHARE the thread leaves: what the others of the process have stays open. CLOSE_RANGE_CLOEXEC
    // closes nothing now, and what is unknown to the kernel fails.
    if flags == 0 && first <= last {
        descriptors::closes_all(first, last);
    }
    let Some(next) = next_door!(close_range: unsafe extern "C" fn(c_uint, c_uint, c_int) -> c_int) else {
        return missing();
    };
    // SAFETY: the caller's own arguments.
    unsafe { next(first, last, flags) }
}

/// glibc 2.34 and newer.
#[unsafe(no_mangle)]
pub extern "C" fn closefrom(first: c_int) {
    descriptors::closes_all(first.max(0) as c_uint, c_uint::MAX);
    if let Some(next) = next_door!(closefrom: unsafe extern "C" fn(c_int)) {
        // SAFETY: the caller's own argument.
        unsafe { next(first) }
    }
}
