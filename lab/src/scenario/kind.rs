//! Every story by its kind, told with timings that a seed chooses and the scenario's name repeats.

use super::{Action, Scenario};
use crate::Side::{Blue, Green};
use crate::{Dice, DnsMood, ENDPOINT, READERS, Side};
use std::time::Duration;

/// Which story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScenarioKind {
    ReadOnly,
    Rollback,
    Never,
    BlueGreen,
    BlueGreenRollback,
    Failover,
    Crash,
    CrashPromoted,
    BlackHole,
    Partition,
    DnsFlap,
    LateDns,
    DnsOut,
    MovedForGood,
    EarlyGreen,
    ReaderPool,
}

impl ScenarioKind {
    pub const ALL: [Self; 16] = [
        Self::ReadOnly,
        Self::Rollback,
        Self::Never,
        Self::BlueGreen,
        Self::BlueGreenRollback,
        Self::Failover,
        Self::Crash,
        Self::CrashPromoted,
        Self::BlackHole,
        Self::Partition,
        Self::DnsFlap,
        Self::LateDns,
        Self::DnsOut,
        Self::MovedForGood,
        Self::EarlyGreen,
        Self::ReaderPool,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Rollback => "rollback",
            Self::Never => "never",
            Self::BlueGreen => "blue-green",
            Self::BlueGreenRollback => "blue-green-rollback",
            Self::Failover => "failover",
            Self::Crash => "crash",
            Self::CrashPromoted => "crash-promoted",
            Self::BlackHole => "black-hole",
            Self::Partition => "partition",
            Self::DnsFlap => "dns-flap",
            Self::LateDns => "late-dns",
            Self::DnsOut => "dns-out",
            Self::MovedForGood => "moved-for-good",
            Self::EarlyGreen => "early-green",
            Self::ReaderPool => "reader-pool",
        }
    }

    /// The server that has every acknowledged write in the end.
    pub fn writer(self) -> Side {
        match self {
            Self::Rollback
            | Self::BlueGreenRollback
            | Self::Crash
            | Self::DnsFlap
            | Self::EarlyGreen
            | Self::ReaderPool => Blue,
            _ => Green,
        }
    }

    /// The name that the application uses.
    pub fn endpoint(self) -> &'static str {
        if self == Self::ReaderPool { READERS } else { ENDPOINT }
    }
}

impl std::fmt::Display for ScenarioKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Scenario {
    /// The kind's story, a few seconds long: the same seed tells the same.
    pub fn random(seed: u64, kind: ScenarioKind) -> Self {
        let mut dice = Dice::new(seed);
        let outage = dice.time(100..=1500);
        let lag = dice.time(0..=1200);
        let only = |scenario: Self| scenario.noting(&[("outage", outage)]);
        let with_lag = |scenario: Self| scenario.noting(&[("outage", outage), ("DNS lag", lag)]);
        match kind {
            ScenarioKind::ReadOnly => with_lag(Self::read_only(outage, lag)),
            ScenarioKind::Rollback => only(Self::rollback(outage)),
            ScenarioKind::Never => {
                let outage = outage + Duration::from_millis(1500);
                Self::never(outage).noting(&[("outage", outage)])
            }
            ScenarioKind::BlueGreen => with_lag(Self::blue_green(outage, lag)),
            ScenarioKind::BlueGreenRollback => only(Self::blue_green_rollback(outage)),
            ScenarioKind::Failover => with_lag(Self::failover(outage, lag)),
            ScenarioKind::Crash => only(Self::crash(outage)),
            ScenarioKind::CrashPromoted => with_lag(Self::crash_promoted(outage, lag)),
            ScenarioKind::BlackHole => with_lag(Self::black_hole(outage, lag)),
            ScenarioKind::Partition => with_lag(Self::partition(outage, lag)),
            ScenarioKind::DnsFlap => {
                let (times, every) = (dice.number(2..=8) as u32, dice.time(50..=400));
                Self::dns_flap(times, every).noting(&[("every", every)])
            }
            ScenarioKind::LateDns => {
                let late = dice.time(1500..=3500);
                Self::late_dns(outage, late).noting(&[("outage", outage), ("DNS lag", late)])
            }
            ScenarioKind::DnsOut => {
                let mood = dice.pick(&[DnsMood::Silent, DnsMood::ServFail, DnsMood::NxDomain]);
                let dark = dice.time(200..=2500);
                Self::dns_out(mood, outage, dark).noting(&[("outage", outage), ("dark for", dark)])
            }
            ScenarioKind::MovedForGood => {
                let watched = dice.time(3000..=4000);
                Self::moved_for_good(watched).noting(&[("watched for", watched)])
            }
            ScenarioKind::EarlyGreen => {
                let (how, gone, back) = dice.pick(&[
                    ("restart", Action::Stop as fn(Side) -> Action, Action::Start as fn(Side) -> Action),
                    ("crash", Action::Crash, Action::Start),
                    ("cut off", Action::CutOff, Action::Rejoin),
                ]);
                let mut scenario = Self::early_green(gone(Blue), back(Blue), outage);
                scenario.name += &format!(", {how}");
                only(scenario)
            }
            ScenarioKind::ReaderPool => {
                let (times, every) = (dice.number(4..=10) as u32, dice.time(100..=400));
                let dying = dice.pick(&[None, Some(Blue), Some(Green)]);
                Self::reader_pool(times, every, dying).noting(&[("every", every)])
            }
        }
    }

    fn noting(mut self, timings: &[(&str, Duration)]) -> Self {
        let timings: Vec<_> = timings.iter().map(|(name, time)| format!("{name} {} ms", time.as_millis())).collect();
        self.name += &format!(" ({})", timings.join(", "));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_scenario_and_another_seed_another() {
        for kind in ScenarioKind::ALL {
            assert_eq!(Scenario::random(7, kind), Scenario::random(7, kind), "{kind}");
            let distinct: std::collections::BTreeSet<_> =
                (0..20).map(|seed| Scenario::random(seed, kind).name).collect();
            assert!(distinct.len() > 10, "{kind}: {distinct:?}");
        }
    }

    #[test]
    fn the_last_word_of_dns_is_the_final_writer() {
        for (kind, seed) in ScenarioKind::ALL.into_iter().flat_map(|kind| (0..20).map(move |seed| (kind, seed))) {
            let steps = Scenario::random(seed, kind).steps;
            let last = steps.iter().rev().find_map(|step| match step.what {
                Action::PointDns { side, .. } => Some(side),
                _ => None,
            });
            assert_eq!(last.unwrap_or(Blue), kind.writer(), "{kind} {seed}");
            assert!(steps.is_sorted_by_key(|step| step.at), "{kind} {seed}");
            assert!(steps.iter().all(|step| step.at < Duration::from_secs(6)), "{kind} {seed}");
        }
    }
}
