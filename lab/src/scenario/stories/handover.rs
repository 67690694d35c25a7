//! Switchovers that may follow one another, there and back: the old writer follows the new one in the end.

use crate::lab::Side;
use crate::scenario::{Action, Scenario, TTL};
use std::time::Duration;

/// How the writer's part goes from one side to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// Writes are rejected; connections stay.
    ReadOnly,
    /// Writes are rejected, and then connections are cut and refused, as in a managed Blue/Green switchover.
    CutLater,
    /// The same in one moment: connections are cut in the middle of everything.
    CutAtOnce,
}

impl Handover {
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::CutLater, Self::CutAtOnce];

    /// From `from`, the writer until now, to the other side, which is writable `outage` later and named at once.
    pub fn scenario(self, from: Side, outage: Duration) -> Scenario {
        let to = from.other();
        let now = Duration::ZERO;
        let begin: &[Action] = match self {
            Self::ReadOnly => &[Action::ReadOnly(from)],
            Self::CutLater => &[Action::ReadOnly(from), Action::Refuse(from), Action::Refuse(to)],
            Self::CutAtOnce => &[Action::Seal(from), Action::Refuse(to)],
        };
        let scenario = Scenario::new(format!("{self:?} from {from} to {to}, outage {} ms", outage.as_millis()));
        let scenario = begin.iter().fold(scenario, |scenario, what| scenario.step(now, what.clone()));
        let scenario = scenario.step(now, Action::CatchUp(to)).step(now, Action::StopReplication(to));
        let scenario = match self {
            Self::ReadOnly => scenario,
            _ => scenario.step(outage, Action::Admit(from)).step(outage, Action::Admit(to)),
        };
        scenario
            .step(outage, Action::Writable(to))
            .step(outage, Action::PointDns { side: to, ttl: TTL })
            .step(outage, Action::Follow(from))
    }
}
