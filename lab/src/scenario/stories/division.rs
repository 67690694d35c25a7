//! Two servers that take writes at the same time, of which DNS names one.

use crate::lab::Side::{Blue, Green};
use crate::scenario::{Action, Scenario, TTL};
use std::time::Duration;

/// For how long the two are watched side by side.
const WATCHED: Duration = Duration::from_millis(2500);

impl Scenario {
    /// Blue dies, green is promoted and named, and then blue is started by itself, writable. Blue acknowledged only what
    /// green has; what it acknowledges afterwards is lost. Each time counts from the one before.
    pub fn zombie(promoted: Duration, back: Duration) -> Self {
        Self::crashed("zombie after a promotion")
            .step(promoted, Action::Writable(Green))
            .step(promoted, Action::PointDns { side: Green, ttl: TTL })
            .step(promoted + back, Action::Start(Blue))
            .step(promoted + back + WATCHED, Action::Note("two servers take writes; DNS names green".into()))
    }

    /// As `zombie`, but DNS moves first, blue is back before green takes writes, and green only then.
    pub fn zombie_first(named: Duration, back: Duration, promoted: Duration) -> Self {
        Self::crashed("zombie before a promotion")
            .step(named, Action::PointDns { side: Green, ttl: TTL })
            .step(named + back, Action::Start(Blue))
            .step(named + back + promoted, Action::Writable(Green))
            .step(named + back + promoted + WATCHED, Action::Note("two servers take writes; DNS names green".into()))
    }

    /// A move without read_only: both take writes, DNS says green, and `later` the administrator ends the connections to
    /// blue so that clients connect anew. What blue acknowledges after that never reaches green.
    pub fn two_writers(later: Duration) -> Self {
        let settled = later + Duration::from_millis(400);
        Self::new("move without read_only")
            .before(Action::SplitIds)
            .before(Action::Writable(Green))
            .step(Duration::ZERO, Action::PointDns { side: Green, ttl: TTL })
            .step(later, Action::DropConnections(Blue))
            .step(settled, Action::CatchUp(Green))
            .step(settled, Action::StopReplication(Green))
            .step(settled + WATCHED, Action::Note("two servers take writes; DNS names green".into()))
    }

    /// Blue has acknowledged nothing that green does not have, and is dead.
    fn crashed(name: &str) -> Self {
        Self::new(name)
            .before(Action::SemiSync(Green))
            .step(Duration::ZERO, Action::Crash(Blue))
            .step(Duration::ZERO, Action::ApplyReceived(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
    }
}
