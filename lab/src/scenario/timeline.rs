//! What happened when: the record of a scenario's run.

use crate::process::wait::monotonic_us;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// What an event means for the application, so that a picture can colour it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Nothing that the application notices.
    Note,
    /// A server stopped taking writes, or died.
    WriterGone,
    /// A server takes writes from now on.
    WriterBack,
    /// DNS says something new.
    Dns,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Since the scenario began.
    pub at: Duration,
    pub kind: EventKind,
    pub text: String,
}

/// All events of a run. `started_us` is on the clock of the statements in a history.
#[derive(Debug, Clone, Serialize)]
pub struct Timeline {
    pub scenario: String,
    pub started_us: u64,
    pub events: Vec<Event>,
}

impl Timeline {
    pub(crate) fn begin(scenario: &str) -> Self {
        Self { scenario: scenario.to_owned(), started_us: monotonic_us(), events: vec![] }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_micros(monotonic_us() - self.started_us)
    }

    pub(crate) fn record(&mut self, kind: EventKind, text: String) -> &Event {
        self.events.push(Event { at: self.elapsed(), kind, text });
        self.events.last().expect("an event was pushed")
    }

    /// When the first event of a kind happened.
    pub fn first(&self, kind: EventKind) -> Option<Duration> {
        self.events.iter().find(|event| event.kind == kind).map(|event| event.at)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8.3} s  {}", self.at.as_secs_f64(), self.text)
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.scenario)?;
        self.events.iter().try_for_each(|event| write!(f, "\n  {event}"))
    }
}
