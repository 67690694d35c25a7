//! What a lookup brings: addresses with their time to live, or the reason why there are none.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_resolver::proto::rr::Record;

use super::families::Families;

/// What a name means now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// IPv4 before IPv6, each in the order of the answer (sorted if several servers gave it), none twice, at least one.
    pub addresses: Vec<IpAddr>,
    /// How long it holds: the least over every record, the CNAMEs on the way included. 5 s for `/etc/hosts`.
    pub ttl: Duration,
    /// When it came.
    pub received: Instant,
    /// Grows with every answer of this watcher, whatever the name.
    pub serial: u64,
}

impl Answer {
    /// Whether both name the same addresses, in whatever order: servers like to rotate them.
    pub(super) fn agrees_with(&self, other: &Answer) -> bool {
        self.addresses.len() == other.addresses.len() && self.addresses.iter().all(|ip| other.addresses.contains(ip))
    }
}

/// Addresses and their time to live, not yet part of a watcher's sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub addresses: Vec<IpAddr>,
    pub ttl: Duration,
    /// Those that the name has as far as is known. A family whose question was lost stays among them: only a server
    /// that denies it may end the asking, or a host that has no other would never hear of its writer again.
    pub families: Families,
}

impl Found {
    /// From the answer sections of the replies; none if they hold no address. hickory's `valid_until` leaves the TTL
    /// of a CNAME out, and it is just that record which a switchover changes: so all records count here.
    pub fn from_records<'a>(records: impl Iterator<Item = &'a Record>, families: Families) -> Option<Self> {
        let mut addresses = Vec::new();
        let mut least = u32::MAX;
        for record in records {
            least = least.min(record.ttl);
            if let Some(address) = record.data.ip_addr().filter(|address| !addresses.contains(address)) {
                addresses.push(address);
            }
        }
        let ttl = Duration::from_secs(least.into());
        (!addresses.is_empty()).then_some(Self { addresses, ttl, families })
    }

    /// Two servers' answers about one name. The lesser TTL: what they say together holds as long as each part of it.
    pub fn and(mut self, other: Self) -> Self {
        self.addresses.extend(other.addresses);
        self.addresses.sort_unstable();
        self.addresses.dedup();
        Self { ttl: self.ttl.min(other.ttl), families: self.families.and(other.families), ..self }
    }
}

/// Why a lookup brought no address. Says nothing about what to do: an incumbent is not left because DNS failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The name does not exist.
    NxDomain,
    /// The name exists without an address.
    NoAddress,
    /// A server answered SERVFAIL.
    ServFail,
    /// A server answered REFUSED.
    Refused,
    /// No server answered in time.
    Timeout,
    /// There is no name server to ask: see the log for `resolv.conf`.
    NoNameServer,
    /// This cannot be asked: not a domain name.
    BadName,
    /// Anything else, in words.
    Other(String),
}

impl Failure {
    /// Whether a server said for sure that there is no address under this name.
    pub fn is_definite(&self) -> bool {
        matches!(self, Failure::NxDomain | Failure::NoAddress | Failure::BadName)
    }

    /// What two failures say together: trouble outranks a denial, "exists without an address" outranks "does not
    /// exist".
    pub(super) fn and(self, other: Self) -> Self {
        let weight = |failure: &Failure| match failure {
            Failure::BadName => 0,
            Failure::NxDomain => 1,
            Failure::NoAddress => 2,
            _ => 3,
        };
        if weight(&self) >= weight(&other) { self } else { other }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::NxDomain => "the name does not exist",
            Failure::NoAddress => "the name has no address",
            Failure::ServFail => "the name server failed (SERVFAIL)",
            Failure::Refused => "the name server refused",
            Failure::Timeout => "no name server answered in time",
            Failure::NoNameServer => "no name server is known",
            Failure::BadName => "not a domain name",
            Failure::Other(reason) => reason,
        })
    }
}
