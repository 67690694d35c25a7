//! What a drill does, from the options: the program, the servers, the scenario, and who writes at the end.

use std::time::Duration;

use clap::ValueEnum;
use pointsman_lab::{Flavor, Scenario, Side, Workload};
use serde::Serialize;

use crate::duration::spelled;
use crate::options::{DrillAsk, Story};

#[derive(Debug, Clone)]
pub struct Plan {
    pub workload: Workload,
    pub server: Flavor,
    pub threads: u32,
    pub story: Story,
    pub outage: Duration,
    dns_lag: Duration,
}

/// The options as the report repeats them.
#[derive(Debug, Serialize)]
pub struct Spelled {
    workload: &'static str,
    server: String,
    threads: u32,
    scenario: String,
    outage_seconds: f64,
    dns_lag_seconds: Option<f64>,
}

impl Plan {
    pub fn new(ask: &DrillAsk) -> Self {
        Self {
            workload: ask.workload,
            server: ask.server,
            threads: ask.threads,
            story: ask.scenario,
            outage: ask.outage.unwrap_or(ask.scenario.outage()),
            dns_lag: ask.dns_lag,
        }
    }

    pub fn scenario(&self) -> Scenario {
        match self.story {
            Story::ReadOnly => Scenario::read_only(self.outage, self.dns_lag),
            Story::Rollback => Scenario::rollback(self.outage),
            Story::Never => Scenario::never(self.outage),
        }
    }

    /// The server that has everything at the end.
    pub fn writer(&self) -> Side {
        match self.story {
            Story::ReadOnly | Story::Never => Side::Green,
            Story::Rollback => Side::Blue,
        }
    }

    /// The servers of `mysql` want TLS for their default authentication.
    pub fn tls(&self) -> bool {
        self.server == Flavor::MySql
    }

    /// One line that says it all.
    pub fn title(&self) -> String {
        let connections = if self.threads == 1 { "connection" } else { "connections" };
        let tls = if self.tls() { " (TLS, verified)" } else { "" };
        let lag = self.lag().map(|lag| format!(", DNS lag {}", spelled(lag))).unwrap_or_default();
        format!(
            "{} on {}{tls}, {} {connections}: {}, outage {}{lag}",
            self.workload,
            self.server,
            self.threads,
            self.scenario().name,
            spelled(self.outage),
        )
    }

    /// Drills with other programs, servers or stories do not overwrite it.
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}", self.workload, self.server.to_string().to_lowercase(), self.story_name())
    }

    pub fn spelled(&self) -> Spelled {
        Spelled {
            workload: self.workload.name(),
            server: self.server.to_string(),
            threads: self.threads,
            scenario: self.story_name(),
            outage_seconds: self.outage.as_secs_f64(),
            dns_lag_seconds: self.lag().map(|lag| lag.as_secs_f64()),
        }
    }

    /// Only where DNS moves later than the servers.
    fn lag(&self) -> Option<Duration> {
        (self.story == Story::ReadOnly).then_some(self.dns_lag)
    }

    fn story_name(&self) -> String {
        let value = self.story.to_possible_value().expect("no story is hidden");
        value.get_name().to_owned()
    }
}
