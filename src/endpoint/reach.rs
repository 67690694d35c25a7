//! Is there a MySQL server that speaks at this address? A TCP connect and its first bytes, with a short limit, before
//! a login or a question is risked on it.
//!
//! A login without limit can hang for minutes on a host that drops packets, and a frozen server still accepts TCP. The
//! attempt counts as an aborted handshake at the server (`max_connect_errors`); a login follows, which clears that.

use std::{
    io::Read,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A server in the same region answers within a few milliseconds; a retransmitted SYN takes 1 s.
pub const LIMIT: Duration = Duration::from_millis(500);

/// One that has given no answer is asked again and again, while others wait for the outcome.
pub const AGAIN: Duration = Duration::from_millis(200);

/// Waits for the server's greeting, or an error packet in its place.
pub fn greets(server: SocketAddr, limit: Duration) -> Result<(), String> {
    let mut stream = TcpStream::connect_timeout(&server, limit).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(limit)).map_err(|error| error.to_string())?;
    match stream.read(&mut [0; 4]) {
        Ok(0) => Err("it closed the connection".to_owned()),
        Ok(_) => Ok(()),
        Err(_) => Err("no greeting".to_owned()),
    }
}
