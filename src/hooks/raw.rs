//! Raw questions to the kernel about somebody else's socket, and our own process id.

use std::{
    mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

/// The process id, asked from the kernel each time: a vfork child shares our memory, not our id.
pub fn pid() -> i32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::getpid() }
}

/// The peer of a connected TCP socket. IPv4-mapped addresses come as IPv4.
pub fn peer(fd: i32) -> Option<SocketAddr> {
    // SAFETY: sockaddr_storage is plain data; the kernel writes at most `length` bytes into it.
    unsafe {
        let mut storage: libc::sockaddr_storage = mem::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        if libc::getpeername(fd, (&raw mut storage).cast(), &mut length) != 0 {
            return None;
        }
        address((&raw const storage).cast(), length)
    }
}

/// Reads a socket address of a family that endpoints can have.
///
/// # Safety
/// `raw` points to `length` readable bytes.
pub unsafe fn address(raw: *const libc::sockaddr, length: libc::socklen_t) -> Option<SocketAddr> {
    if raw.is_null() || (length as usize) < size_of::<libc::sa_family_t>() {
        return None;
    }
    // SAFETY: the caller vouches for `length` bytes; each branch checks that its structure fits. Unaligned reads,
    // since a sockaddr may lie anywhere.
    unsafe {
        match libc::c_int::from((&raw const (*raw).sa_family).read_unaligned()) {
            libc::AF_INET if length as usize >= size_of::<libc::sockaddr_in>() => {
                let v4 = raw.cast::<libc::sockaddr_in>().read_unaligned();
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
            }
            libc::AF_INET6 if length as usize >= size_of::<libc::sockaddr_in6>() => {
                let v6 = raw.cast::<libc::sockaddr_in6>().read_unaligned();
                let ip = IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr)).to_canonical();
                Some(SocketAddr::new(ip, u16::from_be(v6.sin6_port)))
            }
            _ => None,
        }
    }
}

/// Has the server ended this idle connection (FIN or RST received)? Costs one system call.
pub fn hung_up(fd: i32) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one valid pollfd, timeout 0.
    let ready = unsafe { libc::poll(&mut poll, 1, 0) };
    ready == 1 && poll.revents & (libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0
}

/// What the kernel knows of a TCP connection (tcp(7), `TCP_INFO`).
pub struct Traffic {
    /// How long ago something came from the peer.
    pub heard: Duration,
    /// How often in a row the same bytes were sent without an acknowledgement.
    pub resent: u8,
}

pub fn traffic(fd: i32) -> Option<Traffic> {
    // SAFETY: tcp_info is plain data; the kernel writes at most `length` bytes into it.
    let info = unsafe {
        let mut info: libc::tcp_info = mem::zeroed();
        let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
        let failed = libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &mut length);
        (failed == 0).then_some(info)?
    };
    Some(Traffic { heard: Duration::from_millis(info.tcpi_last_data_recv.into()), resent: info.tcpi_retransmits })
}

/// Ends a connection without closing its descriptor, which belongs to the application.
pub fn shutdown(fd: i32) {
    // SAFETY: any integer is allowed; errors are of no interest.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// Allows or forbids the cancellation of this thread (pthread_setcancelstate(3)). Returns what it was before.
pub fn set_cancellable(cancellable: bool) -> bool {
    const PTHREAD_CANCEL_ENABLE: libc::c_int = 0;
    const PTHREAD_CANCEL_DISABLE: libc::c_int = 1;
    unsafe extern "C" {
        fn pthread_setcancelstate(state: libc::c_int, before: *mut libc::c_int) -> libc::c_int;
    }
    let state = if cancellable { PTHREAD_CANCEL_ENABLE } else { PTHREAD_CANCEL_DISABLE };
    let mut before = PTHREAD_CANCEL_ENABLE;
    // SAFETY: a valid state and a valid place for the old one.
    unsafe { pthread_setcancelstate(state, &mut before) };
    before == PTHREAD_CANCEL_ENABLE
}
