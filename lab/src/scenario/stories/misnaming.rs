//! Names that say too little, too late, or something new for no reason.

use crate::dns::DnsMood;
use crate::lab::Side::{self, Blue, Green};
use crate::scenario::{Action, Scenario, Step, TTL, TopologyStatus};
use std::time::Duration;

impl Scenario {
    /// As late as DNS has been seen to be after a switchover.
    pub const LATE: Duration = Duration::from_secs(60);

    /// The endpoint's DNS answer flaps although nothing happened to the servers.
    pub fn dns_flap(times: u32, every: Duration) -> Self {
        let flaps = (1..=times).map(|n| {
            let side = if n % 2 == 1 { Green } else { Blue };
            Step { at: every * n, what: Action::PointDns { side, ttl: TTL } }
        });
        let home = Step { at: every * (times + 1), what: Action::PointDns { side: Blue, ttl: TTL } };
        Self { steps: flaps.chain([home]).collect(), ..Self::new("DNS flaps") }
    }

    /// A switchover whose DNS comes `late` (see [`Scenario::LATE`]), while `mysql.rds_topology` tells at once.
    pub fn late_dns(outage: Duration, late: Duration) -> Self {
        use TopologyStatus::{Available, Completed, InPostProcessing, InProgress};
        Self::new("late DNS")
            .before(Action::Topology(Available))
            .step(Duration::ZERO, Action::Topology(InProgress))
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(Duration::ZERO, Action::CatchUp(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(outage, Action::Writable(Green))
            .step(outage, Action::Topology(InPostProcessing))
            .step(outage + late, Action::PointDns { side: Green, ttl: TTL })
            .step(outage + late, Action::Topology(Completed))
    }

    /// A planned switchover during which DNS is in a `mood`, and for `dark` after it.
    pub fn dns_out(mood: DnsMood, outage: Duration, dark: Duration) -> Self {
        Self::new(format!("DNS out ({mood:?})"))
            .step(Duration::ZERO, Action::DnsMood(mood))
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(Duration::ZERO, Action::CatchUp(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(outage, Action::Writable(Green))
            .step(outage, Action::PointDns { side: Green, ttl: TTL })
            .step(outage + dark, Action::DnsMood(DnsMood::Answering))
    }

    /// The name moves to green and stays there, although blue keeps taking writes for `watched`. Green follows blue
    /// throughout, so it has everything in the end, whoever wrote where.
    pub fn moved_for_good(watched: Duration) -> Self {
        Self::new("name moved for good")
            .before(Action::SplitIds)
            .before(Action::Writable(Green))
            .step(Duration::ZERO, Action::PointDns { side: Green, ttl: TTL })
            .step(watched, Action::Note("the name means green for good".into()))
    }

    /// A pool of readers: the answer for its name changes all the time, and means nothing. Both are read-only. `dying` is
    /// killed in the middle, and named no more.
    pub fn reader_pool(times: u32, every: Duration, dying: Option<Side>) -> Self {
        let name = if dying.is_some() { "pool of readers, one dying" } else { "pool of readers" };
        let row = Action::Sql { side: Blue, statements: "INSERT INTO shop.orders (worker, seq) VALUES (0, 0)".into() };
        let mut scenario = Self::new(name)
            .before(row)
            .before(Action::CatchUp(Green))
            .before(Action::ReadOnly(Blue))
            .before(Action::PointReaders(vec![Blue, Green]));
        for n in 1..=times {
            let side = if n % 2 == 1 { Green } else { Blue };
            let named = match dying {
                Some(dead) if n > times / 2 => dead.other(),
                _ => side,
            };
            if let Some(dead) = dying.filter(|_| n == times / 2 + 1) {
                scenario = scenario.step(every * n, Action::Crash(dead));
            }
            scenario = scenario.step(every * n, Action::PointReaders(vec![named]));
        }
        scenario
    }
}
