//! Is there a MySQL server that speaks at this address? A TCP connect and its first bytes, with a short limit.
//!
//! For servers that have given no answer: a frozen one still accepts TCP. A server that does answer counts the attempt
//! as an aborted handshake (`max_connect_errors`), until the next login from this host clears that.

use std::{
    io::Read,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::prober::Undialled;

/// A server in the same region answers within a few milliseconds; a retransmitted SYN takes 1 s.
const LIMIT: Duration = Duration::from_millis(500);
/// For one that did not even accept: others wait for the outcome, and the kernel of a living host is quick.
const ACCEPTS_WITHIN: Duration = Duration::from_millis(300);
/// A slow one (its own name lookups, a thread pool) is given up to this.
const LONGEST: Duration = Duration::from_secs(2);

/// Waits for the server's greeting, or an error packet in its place. The more often it has missed, the longer.
pub fn greets(server: SocketAddr, misses: u32) -> Result<(), Undialled> {
    let accepts = if misses == 0 { LIMIT } else { ACCEPTS_WITHIN };
    let mut stream = TcpStream::connect_timeout(&server, accepts).map_err(|error| match error.raw_os_error() {
        Some(number) if is_own_lack(number) => Undialled::NotTried(error.to_string()),
        _ => Undialled::Unreachable(error.to_string()),
    })?;
    let limit = (LIMIT * (1 << misses.min(2))).min(LONGEST);
    let none = |why: &str| Err(Undialled::Unreachable(why.to_owned()));
    match stream.set_read_timeout(Some(limit)).and_then(|()| stream.read(&mut [0; 4])) {
        Ok(0) => none("it closed the connection"),
        Ok(_) => Ok(()),
        Err(_) => none("no greeting"),
    }
}

/// Was it asked, and gave no greeting?
pub fn is_mute(server: SocketAddr) -> bool {
    matches!(greets(server, 0), Err(Undialled::Unreachable(_) | Undialled::Refused(_)))
}

/// Errors of socket(2) and connect(2) that speak of this process or this host, and not of the other end.
pub fn is_own_lack(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EADDRNOTAVAIL)
}
