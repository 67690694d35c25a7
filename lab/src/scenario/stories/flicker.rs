//! A writer that refuses writes for moments, again and again: what refuses a transaction, and then its replay too.

use crate::lab::Side::{self, Blue, Green};
use crate::scenario::{Action, Scenario, TTL};
use std::time::Duration;

/// One moment of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blip {
    /// Since the end of the last one.
    pub after: Duration,
    pub lasting: Duration,
}

impl Scenario {
    /// Blue is read-only for moments. DNS never moves.
    pub fn blips(blips: &[Blip]) -> Self {
        Self::new("moments of read_only").flicker(Blue, Duration::ZERO, blips)
    }

    /// A planned switchover whose new writer refuses for moments as soon as it has taken over.
    pub fn blips_after_handover(outage: Duration, blips: &[Blip]) -> Self {
        Self::new("switchover to a writer with moments of read_only")
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(Duration::ZERO, Action::CatchUp(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(outage, Action::Writable(Green))
            .step(outage, Action::PointDns { side: Green, ttl: TTL })
            .flicker(Green, outage, blips)
    }

    /// Blue refuses writes for `outage`, and nobody takes its place: planned work on it. Reads are served throughout.
    pub fn long_read_only(outage: Duration) -> Self {
        Self { name: "long read_only without a switchover".into(), ..Self::rollback(outage) }
    }

    /// Adds moments in which a side refuses writes, the first one counted from `from`.
    pub fn flicker(mut self, side: Side, from: Duration, blips: &[Blip]) -> Self {
        let mut at = from;
        for blip in blips {
            at += blip.after;
            self = self.step(at, Action::ReadOnly(side));
            at += blip.lasting;
            self = self.step(at, Action::Writable(side));
        }
        self
    }
}
