//! What a story has made of the servers and the names so far: who takes the application's writes, and who says so.

use super::{Action, Scenario, TopologyStatus};
use crate::dns::DnsMood;
use crate::lab::Side::{self, Blue, Green};

/// What the story has made of the servers and the names so far.
pub(super) struct World {
    blue: Condition,
    green: Condition,
    named: Side,
    dns_answers: bool,
    /// The topology table was there before the story, so that the application can have read where green is.
    deployment: bool,
    /// The table says that green is the writer.
    announced: bool,
    /// Green becomes the writer at some time. A green that only accepts writes is nobody's writer.
    green_is_meant: bool,
}

struct Condition {
    running: bool,
    silent: bool,
    refusing: bool,
    read_only: bool,
}

impl World {
    pub(super) fn before(scenario: &Scenario) -> Self {
        let well = |read_only| Condition { running: true, silent: false, refusing: false, read_only };
        let means_green = |what: &Action| match what {
            Action::PointDns { side, .. } | Action::Balance(side) => *side == Green,
            Action::Topology(status) => announces(*status),
            _ => false,
        };
        let mut world = Self {
            blue: well(false),
            green: well(true),
            named: Blue,
            dns_answers: true,
            deployment: scenario.before.iter().any(|what| matches!(what, Action::Topology(_))),
            announced: false,
            green_is_meant: scenario.steps.iter().any(|step| means_green(&step.what)),
        };
        scenario.before.iter().for_each(|what| world.see(what));
        world
    }

    pub(super) fn see(&mut self, what: &Action) {
        match what {
            Action::ReadOnly(side) => self.condition(*side).read_only = true,
            Action::Writable(side) => self.condition(*side).read_only = false,
            Action::Seal(side) => {
                let condition = self.condition(*side);
                (condition.read_only, condition.refusing) = (true, true);
            }
            Action::Refuse(side) => self.condition(*side).refusing = true,
            Action::Admit(side) => self.condition(*side).refusing = false,
            Action::Crash(side) | Action::Stop(side) => self.condition(*side).running = false,
            Action::Start(side) => *self.condition(*side) = Condition::started(false),
            Action::StartReadOnly(side) => *self.condition(*side) = Condition::started(true),
            Action::Freeze(side) | Action::CutOff(side) => self.condition(*side).silent = true,
            Action::Thaw(side) | Action::Rejoin(side) => self.condition(*side).silent = false,
            Action::PointDns { side, .. } | Action::Balance(side) => self.named = *side,
            Action::DnsMood(mood) => self.dns_answers = *mood == DnsMood::Answering,
            Action::Topology(status) => self.announced = announces(*status),
            Action::CatchUp(_)
            | Action::ApplyReceived(_)
            | Action::SemiSync(_)
            | Action::SplitIds
            | Action::StopReplication(_)
            | Action::Follow(_)
            | Action::PointReaders(_)
            | Action::DropConnections(_)
            | Action::CutBalanced
            | Action::Delay(_)
            | Action::DropOne(_)
            | Action::Password(_)
            | Action::LockAfterWrongLogins
            | Action::Sql { .. }
            | Action::Note(_) => {}
        }
    }

    fn condition(&mut self, side: Side) -> &mut Condition {
        match side {
            Blue => &mut self.blue,
            Green => &mut self.green,
        }
    }

    /// Who takes the application's writes; the one that DNS names, if both do.
    pub(super) fn writer(&self) -> Option<Side> {
        let [blue, green] = [self.blue.takes_writes(), self.green.takes_writes() && self.green_is_meant];
        match (blue, green) {
            (true, true) => Some(self.named),
            (true, false) => Some(Blue),
            (false, true) => Some(Green),
            (false, false) => None,
        }
    }

    pub(super) fn is_named(&self, side: Side) -> bool {
        self.dns_answers && self.named == side
    }

    pub(super) fn is_announced(&self, side: Side) -> bool {
        self.deployment && self.announced && side == Green
    }
}

impl Condition {
    fn started(read_only: bool) -> Self {
        Self { running: true, silent: false, refusing: false, read_only }
    }

    fn takes_writes(&self) -> bool {
        self.running && !self.silent && !self.refusing && !self.read_only
    }
}

fn announces(status: TopologyStatus) -> bool {
    matches!(status, TopologyStatus::InPostProcessing | TopologyStatus::Completed)
}
