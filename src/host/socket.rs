//! Raw questions to the kernel about the application's sockets, and about processes.

use std::{
    mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::errno;

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

/// The addresses in a list of getaddrinfo's, of families that endpoints can have.
///
/// # Safety
/// `list` is such a list, or null, and is not freed while it is read.
pub unsafe fn addresses(mut list: *const libc::addrinfo) -> impl Iterator<Item = SocketAddr> {
    let nodes = std::iter::from_fn(move || {
        // SAFETY: the caller vouches for the list.
        let node = unsafe { list.as_ref() }?;
        list = node.ai_next;
        Some(node)
    });
    // SAFETY: a node's address has the length that stands beside it.
    nodes.filter_map(|node| unsafe { address(node.ai_addr, node.ai_addrlen) })
}

/// Has the server ended this idle connection (FIN or RST received)? Costs one system call, without what glibc's `poll` does
/// for threads that may be cancelled in it.
pub fn hung_up(fd: i32) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLRDHUP, revents: 0 };
    let mut at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: one valid pollfd, a valid timeout of 0 that the kernel may write to, no signal mask.
    let ready = unsafe { libc::syscall(libc::SYS_ppoll, &raw mut poll, 1usize, &raw mut at_once, 0usize, 0usize) };
    ready == 1 && poll.revents & (libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0
}

/// Has a connection ended that this thread is about to write to? Takes two thirds of the time of `hung_up`, and the socket's
/// pending error, if it has one.
pub fn has_ended(fd: i32) -> bool {
    let mut byte = 0u8;
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    // SAFETY: room for one byte; no address is asked for.
    match unsafe { libc::syscall(libc::SYS_recvfrom, fd, &raw mut byte, 1usize, flags, 0usize, 0usize) } {
        0 => true,
        -1 => !matches!(errno::get(), libc::EAGAIN | libc::ENOTSOCK),
        // The server has said something before its end: last words, or a ticket of TLS.
        _ => hung_up(fd),
    }
}

/// Milliseconds on a clock that never goes back; cheap, and good to a few milliseconds.
pub fn about_now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the time of a clock that every Linux has.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) };
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

/// The beginning of `struct tcp_info` (linux/tcp.h, since 4.6; it only ever grows at its end).
#[repr(C)]
struct Info {
    state: u8,
    _congestion: u8,
    /// Retransmissions in a row without an acknowledgement.
    resent: u8,
    _between: [u8; 49],
    /// In milliseconds; before anything came, since the handshake.
    since_data: u32,
    _further: [u8; 72],
    received: u64,
    _segments: [u8; 8],
    not_sent: u32,
}

fn info(fd: i32) -> Option<Info> {
    // SAFETY: plain numbers, for which zero is a value.
    let mut info: Info = unsafe { mem::zeroed() };
    let mut length = mem::offset_of!(Info, not_sent) as libc::socklen_t + size_of::<u32>() as libc::socklen_t;
    let whole = length;
    // SAFETY: the kernel writes at most `length` bytes into `info`, in which every bit pattern is valid.
    let failed =
        unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &mut length) } != 0;
    (!failed && length == whole).then_some(info)
}

/// What the kernel knows of what passes over a TCP connection (tcp(7), `TCP_INFO`).
pub struct Signs {
    /// How long ago something came from the peer, if ever.
    pub heard: Option<Duration>,
    /// How often in a row the same bytes were sent without an acknowledgement.
    pub resent: u8,
}

/// Has the other end's kernel accepted the connection, or is this no TCP connection that waits for that?
pub fn is_accepted(fd: i32) -> bool {
    const TCP_SYN_SENT: u8 = 2;
    info(fd).is_none_or(|info| info.state != TCP_SYN_SENT)
}

pub fn signs(fd: i32) -> Option<Signs> {
    let info = info(fd)?;
    let heard = (info.received > 0).then(|| Duration::from_millis(info.since_data.into()));
    Some(Signs { heard, resent: info.resent })
}

/// A socket option that is an integer.
pub fn option(fd: i32, level: libc::c_int, name: libc::c_int) -> Option<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `value`; any descriptor is allowed.
    let failed = unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &mut length) } != 0;
    (!failed && length as usize == size_of::<libc::c_int>()).then_some(value)
}

/// Sets such an option. A kernel that refuses leaves the socket as it was, which is no loss.
pub fn set_option(fd: i32, level: libc::c_int, name: libc::c_int, value: libc::c_int) {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` has `length` readable bytes; any descriptor is allowed.
    unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), length) };
}

/// TCP itself, and not something that answers in its place (Unix sockets, MPTCP, SMC).
pub fn is_tcp(fd: i32) -> bool {
    option(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL) == Some(libc::IPPROTO_TCP)
}

/// The connection has ended, and a tail of what was written to it has never left this host, nor ever will.
///
/// It takes both. What was sent without being acknowledged may have arrived all the same; what waits on a connection
/// that lives may be sent yet, even after its close. But when the kernel has given the connection up (RST, or nothing
/// was acknowledged for too long), it has thrown away what it had not sent, and still knows how much that was.
pub fn never_left(fd: i32) -> bool {
    const TCP_CLOSE: u8 = 7;
    // A FIN that was not sent counts as a byte.
    const FIN: u32 = 1;
    // Of an MPTCP socket this would speak of one of its paths only.
    is_tcp(fd) && info(fd).is_some_and(|info| info.state == TCP_CLOSE && info.not_sent > FIN)
}

/// Is there a process with this id?
pub fn is_alive(pid: i32) -> bool {
    // SAFETY: 0 is no signal: it is only asked whether one could be sent.
    unsafe { libc::syscall(libc::SYS_kill, pid, 0) == 0 || *libc::__errno_location() == libc::EPERM }
}

#[cfg(test)]
pub mod tests {
    use std::{
        io::{ErrorKind, Read, Write},
        net::{Shutdown, TcpListener, TcpStream},
        os::fd::AsRawFd,
        thread,
    };

    use super::*;

    /// Both ends of a connection; the server's end never reads.
    pub struct Ends {
        pub client: TcpStream,
        pub server: Option<TcpStream>,
    }

    impl Ends {
        pub fn connected() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            Ends { client, server: Some(listener.accept().unwrap().0) }
        }

        /// More is written than the server's window takes.
        fn with_unsent() -> Self {
            let ends = Ends::connected();
            ends.client.set_nonblocking(true).unwrap();
            let error = loop {
                if let Err(error) = (&ends.client).write(&[0; 65536]) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            ends
        }

        /// All that is written arrives, and the window is full then.
        fn with_full_window() -> Self {
            let ends = Ends::connected();
            ends.client.set_nodelay(true).unwrap();
            let began = std::time::Instant::now();
            loop {
                let [unacked, window] = ends.info();
                assert!(began.elapsed().as_secs() < 20, "{unacked} segments are never acknowledged");
                if unacked > 0 {
                    thread::yield_now();
                } else if window > 0 {
                    // Small enough to be taken whole.
                    (&ends.client).write_all(&vec![0; window.min(8000) as usize]).unwrap();
                } else {
                    return ends;
                }
            }
        }

        /// Segments on their way, and the window of the other end (linux/tcp.h).
        fn info(&self) -> [u32; 2] {
            let mut info = [0u32; 58];
            let mut length = size_of_val(&info) as libc::socklen_t;
            // SAFETY: the kernel writes at most `length` bytes into `info`.
            let failed = unsafe {
                let fd = self.client.as_raw_fd();
                libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &mut length)
            };
            assert_eq!((failed, length), (0, 232), "tcpi_snd_wnd is there since 5.4");
            [info[6], info[57]]
        }

        /// The server resets the connection, and the client's kernel knows it.
        fn reset(&mut self) {
            let server = self.server.take().unwrap();
            let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
            // SAFETY: a valid structure of this option.
            let failed = unsafe {
                let length = size_of::<libc::linger>() as libc::socklen_t;
                let value = (&raw const at_once).cast();
                libc::setsockopt(server.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, value, length)
            };
            assert_eq!(failed, 0);
            drop(server);
            self.wait_until_hung_up();
        }

        fn wait_until_hung_up(&self) {
            while !hung_up(self.client.as_raw_fd()) {
                thread::yield_now();
            }
        }

        pub fn reset_with_unsent() -> Self {
            let mut ends = Ends::with_unsent();
            ends.reset();
            ends
        }

        pub fn reset_with_all_delivered() -> Self {
            let mut ends = Ends::connected();
            (&ends.client).write_all(b"all of it").unwrap();
            ends.server.as_ref().unwrap().peek(&mut [0; 9]).unwrap();
            ends.reset();
            ends
        }

        fn never_left(&self) -> bool {
            never_left(self.client.as_raw_fd())
        }
    }

    /// dup2(2).
    pub fn duplicate_over(old: i32, new: i32) {
        // SAFETY: any integers are allowed.
        assert_eq!(unsafe { libc::dup2(old, new) }, new);
    }

    #[test]
    fn nothing_was_heard_on_a_connection_that_has_brought_no_byte() {
        let ends = Ends::connected();
        let heard = || signs(ends.client.as_raw_fd()).unwrap().heard;
        assert_eq!(heard(), None);
        ends.server.as_ref().unwrap().write_all(b"x").unwrap();
        (&ends.client).read_exact(&mut [0]).unwrap();
        assert!(heard().is_some());
    }

    #[test]
    fn what_waited_to_be_sent_when_the_connection_was_reset_never_left() {
        let ends = Ends::reset_with_unsent();
        assert!(ends.never_left());
        // Nor does it change by what a library does with such a socket.
        assert!((&ends.client).write(b"more").is_err());
        let _ = (&ends.client).read(&mut [0]);
        let _ = ends.client.shutdown(Shutdown::Both);
        assert!(ends.never_left());
    }

    #[test]
    fn what_was_delivered_and_not_read_before_a_reset_did_leave() {
        assert!(!Ends::reset_with_all_delivered().never_left());
    }

    #[test]
    fn what_waits_on_a_living_connection_may_leave_yet() {
        let ends = Ends::with_unsent();
        assert!(!ends.never_left());
        // Also behind a FIN, and after that of the server.
        ends.client.shutdown(Shutdown::Write).unwrap();
        assert!(!ends.never_left());
        ends.server.as_ref().unwrap().shutdown(Shutdown::Write).unwrap();
        ends.wait_until_hung_up();
        assert!(!ends.never_left());
    }

    #[test]
    fn a_connection_has_ended_once_its_server_said_so_whatever_it_said_before() {
        for (words, ending) in [(&b""[..], "fin"), (b"", "reset"), (b"goodbye", "fin"), (b"hello", "")] {
            let mut ends = Ends::connected();
            let fd = ends.client.as_raw_fd();
            assert!(!has_ended(fd), "nothing happened yet");
            let mut server = ends.server.as_ref().unwrap();
            server.write_all(words).unwrap();
            match ending {
                "fin" => server.shutdown(Shutdown::Write).unwrap(),
                "reset" => ends.reset(),
                _ => drop(ends.client.peek(&mut [0; 9]).unwrap()),
            }
            if !ending.is_empty() {
                ends.wait_until_hung_up();
            }
            for _ in 0..2 {
                assert_eq!(has_ended(fd), !ending.is_empty(), "{words:?} {ending:?}");
            }
        }
    }

    #[test]
    fn a_fin_that_never_left_is_none_of_what_was_written() {
        let mut ends = Ends::with_full_window();
        ends.client.shutdown(Shutdown::Write).unwrap();
        ends.reset();
        assert!(!ends.never_left());
    }

    #[test]
    fn of_a_connection_that_ended_in_order_everything_left() {
        let ends = Ends::connected();
        (&ends.client).write_all(b"goodbye").unwrap();
        let server = ends.server.as_ref().unwrap();
        server.shutdown(Shutdown::Both).unwrap();
        ends.client.shutdown(Shutdown::Both).unwrap();
        assert!(!ends.never_left());
    }

    #[test]
    fn what_is_no_tcp_socket_tells_nothing() {
        let null = std::fs::File::open("/dev/null").unwrap();
        assert!(!never_left(-1) && !never_left(null.as_raw_fd()));
        // SAFETY: any integers are allowed; -1 where the kernel has no MPTCP.
        let several_paths = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP) };
        assert!(!is_tcp(several_paths));
        // SAFETY: ours, if it is one.
        unsafe { libc::close(several_paths) };
    }
}
