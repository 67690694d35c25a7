//! Is a server reachable at all? A plain TCP connect with a short limit, before a login is risked on it.
//!
//! A login without limit can hang for minutes on a host that drops packets. A bare connect counts as an aborted
//! handshake at the server (`max_connect_errors`), so it is always followed by a login, which clears that count.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A server in the same region answers within a few milliseconds; a retransmitted SYN takes 1 s.
const LIMIT: Duration = Duration::from_millis(500);

pub fn reachable(server: SocketAddr) -> Result<(), String> {
    TcpStream::connect_timeout(&server, LIMIT).map(drop).map_err(|error| error.to_string())
}
