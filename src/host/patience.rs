//! A floor against black holes: the kernel gives up a server of which nothing has been heard for half a minute, also
//! where no thread of ours looks. Left to itself it waits for a quarter of an hour, or for ever on an idle connection.
//!
//! A long query on a healthy server is never cut by this: its kernel acknowledges what it gets, probes included, however
//! long the server takes for the answer. What others have set on the socket stays.

use std::{ffi::c_int, net::SocketAddr};

use super::{socket, thread};

/// For data that is under way: what has not been acknowledged for so long never will be. It also ends a wait for a
/// server that acknowledges, but does not read (see [`clear_user_timeout`]).
const PATIENCE_MS: c_int = 30_000;
/// For a connection that waits: asked after a silence of this, again and again. With a user timeout set, the kernel goes
/// by that instead of the count (tcp(7)); both end after about 30 s.
const IDLE_S: c_int = 10;
const INTERVAL_S: c_int = 5;
const PROBES: c_int = 4;

/// A socket begins to connect to `peer`: its floor is complete only when it is connected. Returns the one that began before it in
/// this thread, if its connect is not over: the client library has given it up.
pub fn connect_begins(fd: c_int, peer: SocketAddr) -> Option<c_int> {
    keep_alive(fd);
    thread::with(|thread| thread.connect.replace(Some((fd, peer)))).flatten().map(|(before, _)| before)
}

/// The library's connect has come to an end: if its socket was not closed again, it is connected. Returns that socket.
pub fn connect_is_over() -> Option<c_int> {
    let (fd, peer) = thread::with(|thread| thread.connect.take()).flatten()?;
    if socket::peer(fd) == Some(peer) {
        set_user_timeout(fd);
    }
    Some(fd)
}

/// On a socket that begins to connect, before its library has touched it: keepalive that is on already is the
/// application's. The libraries switch it on as well, later, and leave its times alone.
fn keep_alive(fd: c_int) {
    if socket::is_tcp(fd)
        && socket::option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE) == Some(0)
        && socket::option(fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) == Some(0)
    {
        socket::set_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, IDLE_S);
        socket::set_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, INTERVAL_S);
        socket::set_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, PROBES);
        socket::set_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
    }
}

/// On a socket that is connected. Not before: it would cut short a connect whose patience is the application's.
fn set_user_timeout(fd: c_int) {
    if socket::is_tcp(fd) && socket::option(fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) == Some(0) {
        socket::set_option(fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, PATIENCE_MS);
    }
}

/// For a connection over which a file is streamed: a healthy server that waits for a lock in the middle of LOAD DATA
/// LOCAL reads nothing meanwhile, and a window that is closed for too long looks like a black hole to the user timeout.
/// Keepalive stays, which takes the answers to its probes for what they are.
pub fn clear_user_timeout(fd: c_int) {
    if socket::option(fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) == Some(PATIENCE_MS) {
        socket::set_option(fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        os::{
            fd::AsRawFd,
            unix::net::{UnixListener, UnixStream},
        },
    };

    use super::*;

    fn connected() -> (TcpStream, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        (TcpStream::connect(listener.local_addr().unwrap()).unwrap(), listener)
    }

    /// User timeout, keepalive, its idle time, interval and count.
    fn values(fd: c_int) -> [c_int; 5] {
        [
            (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
            (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
            (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
            (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
            (libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
        ]
        .map(|(level, name)| socket::option(fd, level, name).unwrap())
    }

    fn lay(fd: c_int) {
        keep_alive(fd);
        set_user_timeout(fd);
    }

    #[test]
    fn a_plain_socket_gets_the_floor() {
        let (socket, _listener) = connected();
        lay(socket.as_raw_fd());
        assert_eq!(values(socket.as_raw_fd()), [30_000, 1, 10, 5, 4]);
    }

    #[test]
    fn a_user_timeout_of_the_applications_own_stays_and_keepalive_with_it() {
        let (socket, _listener) = connected();
        let fd = socket.as_raw_fd();
        socket::set_option(fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 120_000);
        let before = values(fd);
        lay(fd);
        clear_user_timeout(fd);
        assert_eq!(values(fd), before);
    }

    #[test]
    fn keepalive_of_the_applications_own_stays() {
        let (socket, _listener) = connected();
        let fd = socket.as_raw_fd();
        socket::set_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
        socket::set_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 600);
        let mut before = values(fd);
        lay(fd);
        before[0] = 30_000;
        assert_eq!(values(fd), before);
    }

    #[test]
    fn where_a_file_is_streamed_only_keepalive_stays() {
        let (socket, _listener) = connected();
        lay(socket.as_raw_fd());
        clear_user_timeout(socket.as_raw_fd());
        assert_eq!(values(socket.as_raw_fd()), [0, 1, 10, 5, 4]);
    }

    #[test]
    fn a_unix_socket_is_left_alone() {
        let path = std::env::temp_dir().join(format!("pointsman-floor-{}", std::process::id()));
        let _listener = UnixListener::bind(&path).unwrap();
        let socket = UnixStream::connect(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        lay(socket.as_raw_fd());
        assert_eq!(socket::option(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_KEEPALIVE), Some(0));
    }
}
