//! The scenarios with a name: each is a story that happens to real databases.

use super::{Action, Scenario};
use crate::Side::{Blue, Green};
use std::time::Duration;

/// The TTL of DNS answers during a scenario, in seconds.
const TTL: u32 = 1;

impl Scenario {
    /// A planned switchover: blue turns read-only with its connections alive, green takes writes `outage` later, and DNS
    /// says so `dns_lag` after that.
    pub fn read_only(outage: Duration, dns_lag: Duration) -> Self {
        Self::new("read-only switchover")
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(Duration::ZERO, Action::CatchUp(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(outage, Action::Writable(Green))
            .step(
                outage + dns_lag,
                Action::PointDns {
                    side: Green,
                    ttl: TTL,
                },
            )
    }

    /// A switchover that is cancelled: blue turns read-only and is writable again `outage` later. DNS never moves.
    pub fn rollback(outage: Duration) -> Self {
        Self::new("rolled-back switchover")
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(outage, Action::Writable(Blue))
    }

    /// A switchover that takes longer than anybody waits: no writer at all for `outage`.
    pub fn never(outage: Duration) -> Self {
        Self {
            name: "switchover without an end".into(),
            ..Self::read_only(outage, Duration::ZERO)
        }
    }
}
