//! Planned switchovers, and what becomes of the plan.

use crate::lab::Side::{Blue, Green};
use crate::scenario::{Action, Scenario, TTL, TopologyStatus};
use std::time::Duration;

impl Scenario {
    /// A planned switchover: blue turns read-only with its connections alive, green takes writes `outage` later, and DNS
    /// says so `dns_lag` after that.
    pub fn read_only(outage: Duration, dns_lag: Duration) -> Self {
        Self::new("read-only switchover")
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(Duration::ZERO, Action::CatchUp(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(outage, Action::Writable(Green))
            .step(outage + dns_lag, Action::PointDns { side: Green, ttl: TTL })
    }

    /// A switchover that is cancelled: blue turns read-only and is writable again `outage` later. DNS never moves.
    pub fn rollback(outage: Duration) -> Self {
        Self::new("rolled-back switchover")
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(outage, Action::Writable(Blue))
    }

    /// A switchover that takes longer than anybody waits: no writer at all for `outage`.
    pub fn never(outage: Duration) -> Self {
        Self { name: "switchover without an end".into(), ..Self::read_only(outage, Duration::ZERO) }
    }

    /// A managed Blue/Green switchover: as `read_only`, but both sides end the application's connections and refuse new
    /// ones until the names are swapped, and `mysql.rds_topology` tells how far it is.
    pub fn blue_green(outage: Duration, dns_lag: Duration) -> Self {
        use TopologyStatus::{Available, Completed, InPostProcessing, InProgress, Initiated};
        Self::new("Blue/Green switchover")
            .step(Duration::ZERO, Action::Topology(Available))
            .step(Duration::ZERO, Action::Topology(Initiated))
            .step(Duration::ZERO, Action::Topology(InProgress))
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(Duration::ZERO, Action::Refuse(Blue))
            .step(Duration::ZERO, Action::Refuse(Green))
            .step(Duration::ZERO, Action::CatchUp(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(outage, Action::Admit(Blue))
            .step(outage, Action::Admit(Green))
            .step(outage, Action::Writable(Green))
            .step(outage, Action::Topology(InPostProcessing))
            .step(outage + dns_lag, Action::PointDns { side: Green, ttl: TTL })
            .step(outage + dns_lag, Action::Topology(Completed))
    }

    /// A managed Blue/Green switchover that fails in the middle: after the connections were cut on both sides, everything
    /// goes back to blue. DNS never moves.
    pub fn blue_green_rollback(outage: Duration) -> Self {
        use TopologyStatus::{Available, InProgress, Initiated};
        Self::new("rolled-back Blue/Green switchover")
            .before(Action::Topology(Available))
            .step(Duration::ZERO, Action::Topology(Initiated))
            .step(Duration::ZERO, Action::Topology(InProgress))
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(Duration::ZERO, Action::Refuse(Blue))
            .step(Duration::ZERO, Action::Refuse(Green))
            .step(outage, Action::Admit(Green))
            .step(outage, Action::Admit(Blue))
            .step(outage, Action::Writable(Blue))
            .step(outage, Action::Topology(Available))
    }

    /// Green's owner made it writable long before the switchover, and blue goes away for a while and comes back, by
    /// `gone` and `back`. Green is not the writer: what is written there is lost.
    pub fn early_green(gone: Action, back: Action, outage: Duration) -> Self {
        Self::new("writable green before the switchover")
            .before(Action::Topology(TopologyStatus::Available))
            .before(Action::Writable(Green))
            .step(Duration::ZERO, gone)
            .step(outage, back)
    }
}
