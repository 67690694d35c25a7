//! The application's own resolver, asked by the library: where a connect of this process would be led now.
//!
//! Only on a thread of the application that is in the middle of a reconnect, where the client library calls getaddrinfo as
//! well; no lock of ours is held. Cancellation is kept off, since glibc's lookup is a cancellation point (pthreads(7)).

use std::{
    ffi::{CString, c_char, c_int},
    net::IpAddr,
    ptr,
};

use crate::{
    guard::decide,
    host::{objects::Next, socket},
};

/// The addresses that getaddrinfo has for `host`; none if it fails.
pub fn ask(host: &str) -> Vec<IpAddr> {
    static GET: Next = Next::new();
    static FREE: Next = Next::new();
    let (get, free) = (GET.address(c"getaddrinfo"), FREE.address(c"freeaddrinfo"));
    let Ok(host) = CString::new(host) else { return Vec::new() };
    if get.is_null() || free.is_null() {
        return Vec::new();
    }
    decide(|| {
        // SAFETY: the next getaddrinfo and freeaddrinfo have these signatures.
        let (get, free) = unsafe {
            (
                std::mem::transmute::<
                    *mut std::ffi::c_void,
                    unsafe extern "C" fn(
                        *const c_char,
                        *const c_char,
                        *const libc::addrinfo,
                        *mut *mut libc::addrinfo,
                    ) -> c_int,
                >(get),
                std::mem::transmute::<*mut std::ffi::c_void, unsafe extern "C" fn(*mut libc::addrinfo)>(free),
            )
        };
        // SAFETY: addrinfo is plain data; zero is its documented default.
        let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
        // What both client libraries ask for.
        (hints.ai_family, hints.ai_socktype) = (libc::AF_UNSPEC, libc::SOCK_STREAM);
        let mut list = ptr::null_mut();
        // SAFETY: valid pointers, as the contract allows.
        if unsafe { get(host.as_ptr(), ptr::null(), &hints, &mut list) } != 0 {
            return Vec::new();
        }
        // SAFETY: getaddrinfo has succeeded, so this is its list, which is read before it is freed, and freed once.
        unsafe {
            let addresses = socket::addresses(list).map(|address| address.ip()).collect();
            free(list);
            addresses
        }
    })
    .unwrap_or_default()
}
