//! Is there a MySQL server that speaks at this address? A TCP connect and its first bytes, with a short limit.
//!
//! For servers that have given no answer: a frozen one still accepts TCP. A server that does answer counts the attempt
//! as an aborted handshake (`max_connect_errors`), until the next login from this host clears that.

use std::{
    io::Read,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A server in the same region answers within a few milliseconds; a retransmitted SYN takes 1 s.
const LIMIT: Duration = Duration::from_millis(500);
/// For one that did not even accept: others wait for the outcome, and the kernel of a living host is quick.
const ACCEPTS_WITHIN: Duration = Duration::from_millis(300);
/// A slow one (its own name lookups, a thread pool) is given up to this.
const LONGEST: Duration = Duration::from_secs(2);

/// Waits for the server's greeting, or an error packet in its place. The more often it has missed, the longer.
pub fn greets(server: SocketAddr, misses: u32) -> Result<(), String> {
    let accepts = if misses == 0 { LIMIT } else { ACCEPTS_WITHIN };
    let mut stream = TcpStream::connect_timeout(&server, accepts).map_err(|error| error.to_string())?;
    let limit = (LIMIT * (1 << misses.min(2))).min(LONGEST);
    stream.set_read_timeout(Some(limit)).map_err(|error| error.to_string())?;
    match stream.read(&mut [0; 4]) {
        Ok(0) => Err("it closed the connection".to_owned()),
        Ok(_) => Ok(()),
        Err(_) => Err("no greeting".to_owned()),
    }
}
