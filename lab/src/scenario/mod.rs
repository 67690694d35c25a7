//! What happens to the servers and to DNS, when: a list of timed steps, and the engine that runs them.

mod absence;
mod action;
mod kind;
mod stories;
pub(crate) mod timeline;
mod topology;
mod world;

pub use absence::{Absence, Stall};
pub use action::{Action, Loss};
pub use kind::ScenarioKind;
pub use stories::{Blip, Handover};
pub use topology::TopologyStatus;

use crate::error::{Error, Result};
use crate::lab::Lab;
use std::thread::JoinHandle;
use std::time::Duration;
use timeline::{Event, Timeline};

/// The TTL of DNS answers during a scenario, in seconds.
const TTL: u32 = 1;

/// A named list of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    pub name: String,
    /// What has to be so before the application starts; see `prepare`.
    pub before: Vec<Action>,
    pub steps: Vec<Step>,
}

/// One action and its time, counted from the scenario's start. A step that is late delays those after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub at: Duration,
    pub what: Action,
}

/// A scenario on a thread of its own.
#[derive(Debug)]
pub struct RunningScenario(JoinHandle<Result<Timeline>>);

impl Scenario {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), before: vec![], steps: vec![] }
    }

    /// Adds what has to be so before the application starts.
    pub fn before(mut self, what: Action) -> Self {
        self.before.push(what);
        self
    }

    /// Adds a step.
    pub fn step(mut self, at: Duration, what: Action) -> Self {
        self.steps.push(Step { at, what });
        self
    }

    /// Makes the lab what the story begins with. Before the application starts.
    pub fn prepare(&self, lab: &Lab) -> Result<()> {
        self.before.iter().try_for_each(|what| what.perform(lab))
    }

    /// Runs every step in order and tells each event as it happens.
    pub fn run(&self, lab: &Lab, tell: &mut dyn FnMut(&Event)) -> Result<Timeline> {
        let mut timeline = Timeline::begin(&self.name);
        for Step { at, what } in &self.steps {
            std::thread::sleep(at.saturating_sub(timeline.elapsed()));
            what.perform(lab)?;
            tell(timeline.record(what.kind(), what.describe(lab)));
        }
        Ok(timeline)
    }

    /// As `run`, on a thread of its own.
    pub fn start(&self, lab: &Lab, mut tell: impl FnMut(&Event) + Send + 'static) -> RunningScenario {
        let (scenario, lab) = (self.clone(), lab.clone());
        RunningScenario(std::thread::spawn(move || scenario.run(&lab, &mut tell)))
    }
}

impl RunningScenario {
    /// Waits for the last step.
    pub fn join(self) -> Result<Timeline> {
        self.0.join().map_err(|_| Error::ScenarioPanicked)?
    }

    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}
