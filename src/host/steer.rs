//! Steering: while this thread reconnects a handle, its `getaddrinfo` and `connect` are led to one server.
//!
//! The name stays the application's, so TLS still checks what the application asked for.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    mem,
    net::SocketAddr,
};

use super::{stack, thread};

/// A name by which an application connects, and its number in this process.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    pub number: u16,
    pub host: &'static str,
}

/// A client library that connects to a host which only it knows.
pub trait ClientLibrary {
    /// Can its connections be protected?
    fn can_be_protected(&self) -> bool;
}

/// If getaddrinfo gave more, it is not known which are the endpoint's: every address counts as one of them.
pub(super) const LOOKED_AT: usize = 8;

/// Where this thread's name lookups lead just now.
pub fn target() -> Option<SocketAddr> {
    thread::with(|thread| thread.steered.get()).flatten()
}

/// The endpoint whose connection this thread opens just now.
pub fn connecting() -> Option<u16> {
    connects_to().map(|endpoint| endpoint.number)
}

fn connects_to() -> Option<Endpoint> {
    thread::with(|thread| thread.connecting.get()).flatten()
}

/// Is a connect of the library under way in this thread? Not if a signal handler has left that connect by a jump: then it is
/// forgotten.
pub fn is_connecting() -> bool {
    if (connecting().is_some() || learning().is_some()) && stack::was_left() {
        forget();
        stack::forget();
    }
    connecting().is_some() || learning().is_some()
}

fn learning() -> Option<&'static dyn ClientLibrary> {
    thread::with(|thread| thread.learns.get()).flatten()
}

/// The client library that is just connecting to a host which only it knows.
pub fn learns() -> Option<&'static dyn ClientLibrary> {
    learning().filter(|_| is_connecting())
}

/// The client library looks up a host's name: this thread connects to that endpoint now, or to none.
pub fn learnt(endpoint: Option<Endpoint>) {
    thread::with(|thread| {
        thread.connecting.set(endpoint);
        thread.led_to.set([None; LOOKED_AT]);
    });
}

/// The endpoint whose connection this thread opens to `peer` just now. A signal handler may connect, too, and elsewhere.
pub fn connecting_to(peer: SocketAddr) -> Option<u16> {
    let meant = match target() {
        Some(target) => target == peer,
        None => {
            let led_to = thread::with(|thread| thread.led_to.get()).unwrap_or_default();
            led_to[LOOKED_AT - 1].is_some() || led_to.contains(&Some(peer))
        }
    };
    connecting().filter(|_| meant)
}

/// The lookup of the endpoint's name has led to these.
pub fn led_to(mut addresses: impl Iterator<Item = SocketAddr>) {
    thread::with(|thread| thread.led_to.set(std::array::from_fn(|_| addresses.next())));
}

/// Where the lookup of the endpoint's name led the connect that this thread has just made; nowhere if it was steered, or if
/// the name was looked up past our door.
pub fn where_led() -> impl Iterator<Item = SocketAddr> {
    thread::with(|thread| thread.led_to.get()).unwrap_or_default().into_iter().flatten()
}

/// Meanwhile this thread connects to no endpoint: a signal handler that interrupts `work` may connect, too, and has to be
/// left alone then, since locks are held.
pub fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
    let kept = thread::with(|thread| thread.connecting.take()).flatten();
    let done = work();
    thread::with(|thread| thread.connecting.set(kept));
    done
}

/// Does this thread connect to this name and port? Its other lookups (an address to bind to, a plugin's) are not ours.
/// libmariadb 3.4 (`mariadb_reconnect`) looks up the option file's host where it connects anew, although the application named
/// another one: of a reconnect the port tells.
pub fn is_the_endpoint(name: &CStr, port: Option<&CStr>) -> bool {
    let name = name.to_bytes();
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_port = |target: &SocketAddr| {
        port.and_then(|port| port.to_str().ok()).and_then(|port| port.parse().ok()) == Some(target.port())
    };
    connects_to().is_some_and(|endpoint| endpoint.host.as_bytes().eq_ignore_ascii_case(name))
        || reconnecting() && target().is_some_and(|target| is_port(&target))
}

/// getaddrinfo's.
pub type LookUp =
    unsafe extern "C" fn(*const c_char, *const c_char, *const libc::addrinfo, *mut *mut libc::addrinfo) -> c_int;

/// The answer of `real` for the address of `target` instead of a name. `None`: it was not asked.
///
/// # Safety
/// `real` is getaddrinfo, and the others are arguments of a call of it.
pub unsafe fn look_up(
    target: SocketAddr,
    service: *const c_char,
    hints: *const libc::addrinfo,
    result: *mut *mut libc::addrinfo,
    real: LookUp,
) -> Option<c_int> {
    // Scope ids are of no use here: endpoints' addresses come from DNS.
    let address = CString::new(target.ip().to_string()).ok()?;
    // SAFETY: addrinfo is plain data; zero is its documented default.
    let mut numeric: libc::addrinfo = unsafe { mem::zeroed() };
    if !hints.is_null() {
        // SAFETY: the caller's hints are valid by getaddrinfo's contract; only scalars are taken.
        let theirs = unsafe { &*hints };
        numeric.ai_socktype = theirs.ai_socktype;
        numeric.ai_protocol = theirs.ai_protocol;
    }
    numeric.ai_flags = libc::AI_NUMERICHOST;
    // SAFETY: all pointers are valid or null as getaddrinfo's contract allows.
    Some(unsafe { real(address.as_ptr(), service, &numeric, result) })
}

/// Does this thread connect a handle anew, and not for the first time?
pub fn reconnecting() -> bool {
    target().is_some() && question().is_some()
}

/// The question that this thread's connect belongs to.
pub fn question() -> Option<u64> {
    thread::with(|thread| thread.question.get()).flatten()
}

/// Until dropped, this thread connects to `endpoint`, led to `to` if given.
pub struct Steered {
    before: (Option<SocketAddr>, Option<Endpoint>, Option<u64>),
}

pub fn towards(endpoint: Endpoint, to: Option<SocketAddr>, asked: Option<u64>) -> Steered {
    begins(Some(endpoint), to, asked)
}

/// Until dropped, this thread connects to a host that only its client library knows.
pub fn by(library: &'static dyn ClientLibrary) -> Steered {
    let steered = begins(None, None, None);
    thread::with(|thread| thread.learns.set(Some(library)));
    steered
}

fn begins(endpoint: Option<Endpoint>, to: Option<SocketAddr>, asked: Option<u64>) -> Steered {
    let before = (target(), connects_to(), question());
    thread::with(|thread| {
        thread.question.set(asked);
        thread.steered.set(to);
    });
    learnt(endpoint);
    Steered { before }
}

/// This thread connects to no endpoint any more.
fn forget() {
    thread::with(|thread| {
        thread.question.set(None);
        thread.steered.set(None);
        thread.connecting.set(None);
        thread.learns.set(None);
    });
}

impl Drop for Steered {
    fn drop(&mut self) {
        thread::with(|thread| {
            thread.steered.set(self.before.0);
            thread.connecting.set(self.before.1);
            thread.question.set(self.before.2);
            thread.learns.set(None);
        });
    }
}
