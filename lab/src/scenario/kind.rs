//! Every story by its kind, told with timings that a seed chooses and the scenario's name repeats.

use super::stories::Blip;
use super::{Action, Scenario};
use crate::dns::DnsMood;
use crate::lab::Side::{self, Blue, Green};
use crate::lab::{ENDPOINT, READERS};
use crate::server::front::Delays;
use pointsman_dice::Dice;
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
    Blips,
    BlipsAfterHandover,
    LongReadOnly,
    Zombie,
    TwoWriters,
    Shutdown,
    Increments,
    Balancer,
    SlowServer,
    Password,
    PasswordSwitchover,
    SlowDns,
    OtherNames,
    Clocks,
    Galera,
}

impl ScenarioKind {
    pub const ALL: [Self; 31] = [
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
        Self::Blips,
        Self::BlipsAfterHandover,
        Self::LongReadOnly,
        Self::Zombie,
        Self::TwoWriters,
        Self::Shutdown,
        Self::Increments,
        Self::Balancer,
        Self::SlowServer,
        Self::Password,
        Self::PasswordSwitchover,
        Self::SlowDns,
        Self::OtherNames,
        Self::Clocks,
        Self::Galera,
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
            Self::Blips => "blips",
            Self::BlipsAfterHandover => "blips-after-handover",
            Self::LongReadOnly => "long-read-only",
            Self::Zombie => "zombie",
            Self::TwoWriters => "two-writers",
            Self::Shutdown => "shutdown",
            Self::Increments => "increments",
            Self::Balancer => "balancer",
            Self::SlowServer => "slow-server",
            Self::Password => "password",
            Self::PasswordSwitchover => "password-switchover",
            Self::SlowDns => "slow-dns",
            Self::OtherNames => "other-names",
            Self::Clocks => "clocks",
            Self::Galera => "galera",
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
            | Self::ReaderPool
            | Self::Blips
            | Self::LongReadOnly
            | Self::Shutdown
            | Self::Galera
            | Self::SlowServer
            | Self::Password
            | Self::OtherNames => Blue,
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
            ScenarioKind::Blips => {
                let blips = Self::some_blips(&mut dice);
                Self::blips(&blips).telling(&blips)
            }
            ScenarioKind::BlipsAfterHandover => {
                let blips = Self::some_blips(&mut dice);
                only(Self::blips_after_handover(outage, &blips).telling(&blips))
            }
            ScenarioKind::LongReadOnly => {
                let outage = outage + Duration::from_millis(6000);
                Self::long_read_only(outage).noting(&[("outage", outage)])
            }
            ScenarioKind::Zombie => {
                let (back, promoted) = (dice.time(100..=2000), dice.time(200..=2500));
                if dice.pick(&[true, false]) {
                    Self::zombie(outage, back).noting(&[("promoted after", outage), ("blue back", back)])
                } else {
                    let timings = [("named after", outage), ("blue back", back), ("promoted", promoted)];
                    Self::zombie_first(outage, back, promoted).noting(&timings)
                }
            }
            ScenarioKind::TwoWriters => {
                let later = dice.time(100..=1500);
                Self::two_writers(later).noting(&[("connections end after", later)])
            }
            ScenarioKind::Shutdown => {
                let shutdown = Self::new("orderly shutdown").step(Duration::ZERO, Action::Stop(Blue));
                only(shutdown.step(outage, Action::Start(Blue)))
            }
            ScenarioKind::Increments => {
                let increment = dice.number(2..=5);
                let statements =
                    format!("SET GLOBAL auto_increment_increment = {increment}, auto_increment_offset = 2");
                let mut scenario = Self::read_only(outage, lag).before(Action::Sql { side: Green, statements });
                scenario.name += &format!(", ids of green {increment} apart");
                with_lag(scenario)
            }
            ScenarioKind::Balancer => with_lag(Self::balancer(outage, lag, dice.pick(&[true, false]))),
            ScenarioKind::SlowServer => {
                let (late, lasting) = (dice.time(1000..=6000), dice.time(6500..=9000));
                let greeting = Delays { greeting: late, ..Delays::default() };
                let login = Delays { login: late, ..Delays::default() };
                let (what, delays) = dice.pick(&[("greeting", greeting), ("login", login)]);
                Self::slow_server(delays, lasting).noting(&[(what, late), ("lasting", lasting)])
            }
            ScenarioKind::Password => {
                let later = dice.time(100..=1000);
                Self::password(later, dice.pick(&[true, false])).noting(&[("connections end after", later)])
            }
            ScenarioKind::PasswordSwitchover => with_lag(Self::password_switchover(dice.time(100..=1000), outage, lag)),
            ScenarioKind::SlowDns => match dice.number(0..=2) {
                0 => with_lag(Self::read_only(outage, lag)),
                1 => with_lag(Self::crash_promoted(outage, lag)),
                _ => Self::zombie(outage, lag).noting(&[("promoted after", outage), ("blue back", lag)]),
            },
            ScenarioKind::OtherNames => {
                let watched = dice.time(3000..=4500);
                let story = Self::new("another environment's server is writable");
                let note = Action::Note("the program's own resolver says blue throughout".into());
                story.before(Action::Writable(Green)).step(watched, note).noting(&[("watched for", watched)])
            }
            ScenarioKind::Galera => {
                let (isolates, stops) = dice.pick(&[(true, false), (false, true), (true, true)]);
                let mut later = dice.time(2500..=4000);
                if isolates && stops {
                    // Half of a cluster takes no writes: the others have to have missed the isolated node first.
                    later += Duration::from_millis(2500);
                }
                let mut scenario = Self::galera(isolates, stops, later);
                scenario.name += match (isolates, stops) {
                    (true, false) => ", a node cut off from the others",
                    (false, _) => ", a node shut down",
                    (true, true) => ", a node cut off from the others, then another one shut down",
                };
                scenario.noting(&[("later", later)])
            }
            ScenarioKind::Clocks => with_lag(match dice.number(0..=2) {
                0 => Self::blue_green(outage, lag),
                1 => Self::failover(outage, lag),
                _ => Self::read_only(outage, lag),
            }),
        }
    }

    fn some_blips(dice: &mut Dice) -> Vec<Blip> {
        let count = dice.number(3..=8);
        (0..count).map(|_| Blip { after: dice.time(30..=350), lasting: dice.time(50..=300) }).collect()
    }

    fn telling(mut self, blips: &[Blip]) -> Self {
        let times: Vec<_> =
            blips.iter().map(|b| format!("{}+{}", b.after.as_millis(), b.lasting.as_millis())).collect();
        self.name += &format!(", after and for {} ms", times.join(" "));
        self
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
                Action::PointDns { side, .. } | Action::Balance(side) => Some(side),
                _ => None,
            });
            assert_eq!(last.unwrap_or(Blue), kind.writer(), "{kind} {seed}");
            assert!(steps.is_sorted_by_key(|step| step.at), "{kind} {seed}");
            assert!(steps.iter().all(|step| step.at < Duration::from_secs(10)), "{kind} {seed}");
        }
    }
}
