//! Servers beside the incumbent that still accept writes, as far as is known: the connections that are open there may stay,
//! for a while or for good.
//!
//! One kind are servers that the name means beside the incumbent (a load balancer, Galera). The other kind are former
//! incumbents.
//!
//! DNS left such a server out and named another one that was verified, so lost and new connections went there at once, as
//! they would without this library. An open connection would have stayed without this library, too, and DNS may flap: so it
//! stays until DNS has left its server out for `settle`. Pure: time is an argument.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// How often a server that DNS leaves out is asked whether it still accepts writes.
const RECHECK: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    /// Since when DNS has left it out; `None` while DNS names it.
    left_out_since: Option<Instant>,
    ask_at: Instant,
}

/// What an open connection to a server beside the incumbent does before its next statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It sends the statement where it is.
    Sends,
    /// It asks its server first whether it still accepts writes.
    Asks,
    /// DNS has left its server out for `settle`: it moves to the incumbent.
    Leaves,
}

#[derive(Debug, Default)]
pub struct Kept(Vec<Server>);

impl Kept {
    pub const fn new() -> Self {
        Kept(Vec::new())
    }

    /// `address` is not the incumbent, and has not said that it is read-only. It is asked before the next statement there: a
    /// new connection may have found the writer elsewhere before any other one was refused.
    pub fn keep(&mut self, address: SocketAddr, left_out_since: Option<Instant>, now: Instant) {
        self.forget(address);
        self.0.push(Server { address, left_out_since, ask_at: now });
    }

    pub fn has(&self, address: SocketAddr) -> bool {
        self.0.iter().any(|server| server.address == address)
    }

    /// `address` is the incumbent again, or is no writer any more.
    pub fn forget(&mut self, address: SocketAddr) {
        self.0.retain(|server| server.address != address);
    }

    /// The name means these addresses now.
    pub fn on_names(&mut self, named: &[IpAddr], now: Instant) {
        for server in &mut self.0 {
            let since = server.left_out_since.unwrap_or(now);
            server.left_out_since = (!named.contains(&server.address.ip())).then_some(since);
        }
    }

    /// Forgets the servers that were left out long ago: no connection to them asked whether it may stay.
    pub fn expire(&mut self, now: Instant, settle: Duration) {
        self.0.retain(|server| server.left_out_since.is_none_or(|since| now.duration_since(since) < 2 * settle));
    }

    /// What a connection that is open to `address` does; `None`: `address` is not kept.
    pub fn stay(&mut self, address: SocketAddr, now: Instant, settle: Duration) -> Option<Stay> {
        let server = self.0.iter_mut().find(|server| server.address == address)?;
        if server.left_out_since.is_some_and(|since| now.duration_since(since) >= settle) {
            return Some(Stay::Leaves);
        }
        if now < server.ask_at {
            return Some(Stay::Sends);
        }
        // One connection asks for all.
        server.ask_at = now + RECHECK;
        Some(Stay::Asks)
    }

    /// Connections to one of them have to look before each statement.
    pub fn is_watched(&self) -> bool {
        self.0.iter().any(|server| server.left_out_since.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(15);

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 3306))
    }

    #[test]
    fn an_open_connection_stays_until_dns_has_left_its_server_out_for_settle() {
        let now = Instant::now();
        let later = |millis| now + Duration::from_millis(millis);
        let mut kept = Kept::new();
        kept.keep(address(1), Some(now), now);
        for (millis, what) in [
            (0, Stay::Asks),
            (999, Stay::Sends),
            (1000, Stay::Asks),
            (1500, Stay::Sends),
            (2000, Stay::Asks),
            (14_999, Stay::Asks),
            (15_000, Stay::Leaves),
        ] {
            assert_eq!(kept.stay(address(1), later(millis), SETTLE), Some(what), "{millis} ms");
        }
        assert_eq!(kept.stay(address(2), now, SETTLE), None);
    }

    #[test]
    fn a_server_that_dns_names_again_begins_anew_and_one_that_says_read_only_is_left() {
        let now = Instant::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        let mut kept = Kept::new();
        kept.keep(address(1), Some(now), now);
        kept.on_names(&[address(1).ip(), address(2).ip()], later(14));
        assert!(!kept.is_watched() && kept.stay(address(1), later(60), SETTLE) == Some(Stay::Asks));
        assert_eq!(kept.stay(address(1), later(60), SETTLE), Some(Stay::Sends));
        kept.on_names(&[address(2).ip()], later(60));
        assert_eq!(kept.stay(address(1), later(74), SETTLE), Some(Stay::Asks));
        kept.forget(address(1));
        assert_eq!(kept.stay(address(1), later(74), SETTLE), None);
    }

    #[test]
    fn a_server_to_which_no_connection_is_open_any_more_is_forgotten() {
        let now = Instant::now();
        let mut kept = Kept::new();
        kept.keep(address(1), Some(now), now);
        kept.expire(now + 2 * SETTLE, SETTLE);
        assert!(!kept.is_watched());
    }
}
