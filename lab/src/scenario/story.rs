//! The scenarios with a name: each is a story that happens to real databases.

use super::{Action, Scenario, Step, TopologyStatus};
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

    /// A cluster's failover: blue has handed everything over and dies, green takes writes, blue comes back as a reader,
    /// and DNS lags and flaps before it settles on green.
    pub fn failover(outage: Duration, dns_lag: Duration) -> Self {
        let flap = Duration::from_millis(300);
        let settled = outage + dns_lag;
        Self::new("failover")
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(Duration::ZERO, Action::CatchUp(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(Duration::ZERO, Action::Crash(Blue))
            .step(outage, Action::Writable(Green))
            .step(outage, Action::StartReadOnly(Blue))
            .step(settled, Action::PointDns { side: Green, ttl: TTL })
            .step(settled + flap, Action::PointDns { side: Blue, ttl: TTL })
            .step(settled + flap * 2, Action::PointDns { side: Green, ttl: TTL })
            .step(settled + flap * 3, Action::PointDns { side: Blue, ttl: TTL })
            .step(settled + flap * 4, Action::PointDns { side: Green, ttl: TTL })
    }

    /// The writer dies in the middle of everything and comes back on its data `outage` later. DNS never moves.
    pub fn crash(outage: Duration) -> Self {
        Self::new("crash and restart").step(Duration::ZERO, Action::Crash(Blue)).step(outage, Action::Start(Blue))
    }

    /// The writer's host goes silent: connections stay open and nothing answers. It had handed over everything before;
    /// green takes writes `outage` later, and DNS says so `dns_lag` after that. Blue stays silent.
    pub fn black_hole(outage: Duration, dns_lag: Duration) -> Self {
        Self::new("black hole")
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(Duration::ZERO, Action::CatchUp(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(Duration::ZERO, Action::Freeze(Blue))
            .step(outage, Action::Writable(Green))
            .step(outage + dns_lag, Action::PointDns { side: Green, ttl: TTL })
    }

    /// The endpoint's DNS answer flaps although nothing happened to the servers.
    pub fn dns_flap(times: u32, every: Duration) -> Self {
        let flaps = (1..=times).map(|n| {
            let side = if n % 2 == 1 { Green } else { Blue };
            Step { at: every * n, what: Action::PointDns { side, ttl: TTL } }
        });
        let home = Step { at: every * (times + 1), what: Action::PointDns { side: Blue, ttl: TTL } };
        Self { name: "DNS flaps".into(), steps: flaps.chain([home]).collect() }
    }
}
