//! Writers that go away unasked.

use crate::lab::Side::{Blue, Green};
use crate::scenario::{Action, Scenario, TTL};
use std::time::Duration;

impl Scenario {
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
            .step(settled + flap * 4, Action::PointDns { side: Green, ttl: TTL })
    }

    /// The writer dies in the middle of everything and comes back on its data `outage` later. DNS never moves.
    pub fn crash(outage: Duration) -> Self {
        Self::new("crash and restart").step(Duration::ZERO, Action::Crash(Blue)).step(outage, Action::Start(Blue))
    }

    /// The writer dies in the middle of everything and green is promoted. Blue acknowledged only what green has, so what
    /// the application was told is stored is on green. Blue comes back read-only before DNS says green.
    pub fn crash_promoted(outage: Duration, dns_lag: Duration) -> Self {
        Self::new("crash and promotion")
            .before(Action::SemiSync(Green))
            .step(Duration::ZERO, Action::Crash(Blue))
            .step(Duration::ZERO, Action::ApplyReceived(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(outage, Action::Writable(Green))
            .step(outage, Action::StartReadOnly(Blue))
            .step(outage + dns_lag, Action::PointDns { side: Green, ttl: TTL })
    }

    /// The writer's host goes silent: connections stay open and nothing answers. It had handed over everything before;
    /// green takes writes `outage` later, and DNS says so `dns_lag` after that. Blue stays silent.
    pub fn black_hole(outage: Duration, dns_lag: Duration) -> Self {
        Self::new("black hole")
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(Duration::ZERO, Action::CatchUp(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(Duration::ZERO, Action::CutOff(Blue))
            .step(outage, Action::Writable(Green))
            .step(outage + dns_lag, Action::PointDns { side: Green, ttl: TTL })
    }

    /// A black hole out of the blue: the writer is swallowed in the middle of everything, writable, and green is
    /// promoted. Blue acknowledged only what green has.
    pub fn partition(outage: Duration, dns_lag: Duration) -> Self {
        Self::new("sudden black hole")
            .before(Action::SemiSync(Green))
            .step(Duration::ZERO, Action::CutOff(Blue))
            .step(Duration::ZERO, Action::ApplyReceived(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(outage, Action::Writable(Green))
            .step(outage + dns_lag, Action::PointDns { side: Green, ttl: TTL })
    }
}
