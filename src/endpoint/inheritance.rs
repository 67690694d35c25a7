//! What a forked child takes over from its parent: where the writer was. It counts only if the child finds no writer where
//! DNS leads.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::*},
};

use super::{Endpoint, Role};
use crate::control::log::{Level::*, say};

/// Where the writer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer {
    pub address: SocketAddr,
    /// It was adopted although DNS named others: by the topology table, or as a configured candidate.
    pub against_dns: bool,
}

impl Endpoint {
    /// The process that forked this one knew where its writer was.
    pub fn inheriting(self, writer: Option<Writer>) -> Self {
        let inherited = writer.filter(|_| self.role() == Role::Unknown);
        Endpoint { inherited, ..self }
    }

    /// Worth waiting for: there is a writer, or there was one when this process was forked.
    pub fn has_a_writer(&self) -> bool {
        self.role() == Role::Writer || self.inherited.is_some()
    }

    /// This process found no writer where DNS led, but was forked from one that knew one: then a switchover is under way,
    /// or the one before is not over in DNS.
    pub fn fall_back_on_inheritance(&self) {
        let Some(inherited) = self.inherited.filter(|_| self.role() == Role::Unknown) else { return };
        let mut state = self.lock();
        if state.life.incumbent().is_none() {
            state.life.inherit(inherited.address, inherited.against_dns);
            self.role.store(Role::Writer as u8, Release);
            self.publish(&state);
            say!(Info, "{}: protected, writer was {} when this process was forked", self.name, inherited.address);
        }
    }

    /// Read in a child, of its parent's: a lock that was held at that moment will never be free.
    pub fn writer_at_fork(&self) -> Option<Writer> {
        self.known.get().or(self.inherited)
    }
}

/// A server, readable at any moment, also in the copy that a fork makes in the middle of a change: the new one is written
/// beside the old one before it counts.
#[derive(Debug, Default)]
pub(super) struct Known {
    slots: [Slot; 2],
    current: AtomicUsize,
}

/// An address as IPv6, in two halves, and its port above two bits: DNS named others, and there is one.
#[derive(Debug, Default)]
struct Slot {
    high: AtomicU64,
    low: AtomicU64,
    port: AtomicU32,
}

impl Known {
    /// By one thread at a time.
    pub fn set(&self, server: Option<SocketAddr>, against_dns: bool) {
        let writer = server.map(|address| Writer { address, against_dns });
        if self.get() == writer {
            return;
        }
        let other = 1 - self.current.load(Acquire);
        let slot = &self.slots[other];
        if let Some(server) = server {
            let bits = match server.ip() {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
                IpAddr::V6(ip) => ip.to_bits(),
            };
            slot.high.store((bits >> 64) as u64, Relaxed);
            slot.low.store(bits as u64, Relaxed);
        }
        let port = server.map_or(0, |server| u32::from(server.port()) << 2 | u32::from(against_dns) << 1 | 1);
        slot.port.store(port, Relaxed);
        self.current.store(other, Release);
    }

    pub fn get(&self) -> Option<Writer> {
        let slot = &self.slots[self.current.load(Acquire)];
        let port = slot.port.load(Relaxed);
        let bits = u128::from(slot.high.load(Relaxed)) << 64 | u128::from(slot.low.load(Relaxed));
        (port & 1 == 1).then(|| Writer {
            address: SocketAddr::new(Ipv6Addr::from_bits(bits).to_canonical(), (port >> 2) as u16),
            against_dns: port & 2 != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_that_is_known_is_the_last_one_that_was_set() {
        let known = Known::default();
        assert_eq!(known.get(), None);
        for server in ["10.0.0.1:3306", "[2001:db8::1]:3307", "255.255.255.255:65535", "[::1]:1"] {
            let address = server.parse().unwrap();
            for against_dns in [false, true] {
                known.set(Some(address), against_dns);
                assert_eq!(known.get(), Some(Writer { address, against_dns }));
            }
        }
        known.set(None, false);
        assert_eq!(known.get(), None);
    }

    #[test]
    fn a_child_is_told_the_writer_also_while_somebody_has_the_endpoints_lock() {
        let endpoint = Endpoint::alone();
        let writer = "10.0.0.1:3306".parse().unwrap();
        endpoint.seen_writable(writer);
        let _held = endpoint.lock();
        assert_eq!(endpoint.writer_at_fork().map(|known| known.address), Some(writer));
    }
}
