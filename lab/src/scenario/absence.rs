//! How long a story leaves the application without a writer: the least that it has to wait, whoever protects it.
//!
//! Pure: a function of the steps and of when each of them was over. Knows no lab and no history.

use super::Scenario;
use super::timeline::Timeline;
use super::world::World;
use crate::history::Audit;
use crate::lab::Side;
use std::fmt;
use std::time::Duration;

/// What a protection may take on top for noticing, logging in, and running the statement.
const MARGIN: Duration = Duration::from_millis(500);

/// The longest time in which no server that the endpoint means took the application's writes. Nothing, if there was
/// always one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    pub without_writer: Duration,
    /// From the writer's return until DNS named it; `None` if it never did.
    pub dns_lag: Option<Duration>,
    /// From the writer's return until it could be known: by DNS, by a topology table that was there before, or because
    /// it was the writer before. `None` if it never could.
    pub unknown: Option<Duration>,
}

/// A longest statement beside what the story leaves no way around.
#[derive(Debug, Clone, Copy)]
pub struct Stall {
    pub worst: Duration,
    pub absence: Absence,
}

impl Scenario {
    /// What `timeline`, which is of a run of this scenario, means for the application.
    pub fn absence(&self, timeline: &Timeline) -> Absence {
        let mut world = World::before(self);
        // Where nobody takes writes to begin with, as in a pool of readers, nobody misses a writer.
        let mut absences = Absences { since: None, incumbent: world.writer(), over: vec![] };
        let mut last = Duration::ZERO;
        for (step, event) in self.steps.iter().zip(&timeline.events) {
            // It may take away what it takes when it begins, and has given back what it gives when it is over.
            let (began, over) = (step.at.max(last), event.at);
            last = over;
            world.see(&step.what);
            absences.see(&world, began, over);
        }
        absences.worst(last)
    }

    /// A program's longest statement in that run.
    pub fn stall(&self, timeline: &Timeline, audit: &Audit) -> Stall {
        Stall { worst: audit.worst_stall, absence: self.absence(timeline) }
    }
}

impl Absence {
    /// The longest statement that is no fault of the protection; `None` where the new writer could not be known.
    pub fn bound(&self) -> Option<Duration> {
        self.unknown.map(|unknown| self.without_writer + unknown + MARGIN)
    }
}

impl Stall {
    /// By how many milliseconds the worst is over the bound; less than nothing is within it.
    pub fn excess_ms(&self) -> Option<i64> {
        let ms = |duration: Duration| duration.as_millis() as i64;
        self.absence.bound().map(|bound| ms(self.worst) - ms(bound))
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worst, absence } = self;
        write!(f, "worst stall {:.2} s; ", worst.as_secs_f64())?;
        if absence.without_writer.is_zero() {
            f.write_str("never without a writer; ")?;
        } else {
            write!(f, "no writer for {:.2} s; ", absence.without_writer.as_secs_f64())?;
            match absence.dns_lag {
                Some(lag) => write!(f, "DNS {:.2} s later; ", lag.as_secs_f64())?,
                None => f.write_str("DNS never; ")?,
            }
        }
        match self.excess_ms() {
            Some(ms) if ms > 0 => write!(f, "over the bound by {ms} ms"),
            Some(ms) => write!(f, "within the bound by {} ms", -ms),
            None => f.write_str("no bound: nothing says who the writer is"),
        }
    }
}

/// Absences as they come and go.
struct Absences {
    since: Option<Duration>,
    /// Who took writes last.
    incumbent: Option<Side>,
    over: Vec<(Returned, Absence)>,
}

/// A writer that is back.
struct Returned {
    side: Side,
    at: Duration,
}

impl Absences {
    /// Looks at the world after an action that took from `began` to `over`.
    fn see(&mut self, world: &World, began: Duration, over: Duration) {
        match (world.writer(), self.since) {
            (None, None) if self.incumbent.is_some() => self.since = Some(began),
            (Some(side), Some(since)) => {
                self.since = None;
                let unknown = (Some(side) == self.incumbent).then_some(Duration::ZERO);
                let absence = Absence { without_writer: over - since, dns_lag: None, unknown };
                self.over.push((Returned { side, at: over }, absence));
            }
            _ => {}
        }
        self.incumbent = world.writer().or(self.incumbent);
        for (returned, absence) in &mut self.over {
            let later = over - returned.at;
            if world.is_named(returned.side) {
                absence.dns_lag.get_or_insert(later);
            }
            if world.is_named(returned.side) || world.is_announced(returned.side) {
                absence.unknown.get_or_insert(later);
            }
        }
    }

    fn worst(self, end: Duration) -> Absence {
        let endless = self.since.map(|since| Absence { without_writer: end - since, dns_lag: None, unknown: None });
        let none = Absence { without_writer: Duration::ZERO, dns_lag: None, unknown: Some(Duration::ZERO) };
        let known = self.over.into_iter().map(|(_, absence)| absence);
        let longest = |absence: &Absence| absence.without_writer + absence.unknown.unwrap_or(Duration::MAX / 2);
        known.chain(endless).max_by_key(longest).unwrap_or(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::DnsMood;
    use crate::lab::Side::Blue;
    use crate::scenario::timeline::{Event, EventKind};
    use crate::scenario::{Action, TopologyStatus};

    const SECOND: Duration = Duration::from_secs(1);

    /// The absence of a story whose every step takes no time.
    fn of(scenario: &Scenario) -> Absence {
        let event = |at| Event { at, kind: EventKind::Note, text: String::new() };
        let events = scenario.steps.iter().map(|step| event(step.at)).collect();
        scenario.absence(&Timeline { scenario: scenario.name.clone(), started_us: 0, events })
    }

    fn bound(scenario: &Scenario) -> Duration {
        of(scenario).bound().unwrap()
    }

    #[test]
    fn a_switchover_that_only_dns_tells_is_bounded_by_outage_and_dns_lag() {
        let expected = Absence { without_writer: SECOND, dns_lag: Some(SECOND * 2), unknown: Some(SECOND * 2) };
        for story in [Scenario::read_only, Scenario::blue_green, Scenario::failover, Scenario::partition] {
            let story = story(SECOND, SECOND * 2);
            assert_eq!(of(&story), expected, "{}", story.name);
            assert_eq!(bound(&story), SECOND * 3 + MARGIN);
        }
    }

    #[test]
    fn a_topology_table_that_was_there_before_takes_the_dns_lag_out_of_the_bound() {
        let story = Scenario::late_dns(SECOND, SECOND * 60);
        assert_eq!(of(&story).dns_lag, Some(SECOND * 60));
        assert_eq!(bound(&story), SECOND + MARGIN);
    }

    #[test]
    fn the_old_writer_coming_back_needs_no_dns() {
        for story in [Scenario::rollback(SECOND), Scenario::blue_green_rollback(SECOND), Scenario::crash(SECOND)] {
            assert_eq!(bound(&story), SECOND + MARGIN, "{}", story.name);
        }
    }

    #[test]
    fn dns_that_does_not_answer_names_nobody() {
        let story = Scenario::dns_out(DnsMood::Silent, SECOND, SECOND * 3);
        assert_eq!(of(&story).dns_lag, Some(SECOND * 3));
    }

    #[test]
    fn names_that_flap_or_move_leave_nobody_without_a_writer() {
        let pool = Scenario::reader_pool(4, SECOND, Some(Blue));
        for story in [Scenario::dns_flap(3, SECOND), Scenario::moved_for_good(SECOND), pool] {
            assert_eq!(of(&story).without_writer, Duration::ZERO, "{}", story.name);
        }
    }

    #[test]
    fn a_green_that_accepts_writes_and_is_never_named_is_no_writer() {
        let story = Scenario::early_green(Action::Crash(Blue), Action::Start(Blue), SECOND);
        assert_eq!(of(&story).without_writer, SECOND);
    }

    #[test]
    fn a_writer_that_nothing_names_has_no_bound() {
        let mut story = Scenario::read_only(SECOND, SECOND);
        story.steps.pop();
        let story = story.step(SECOND, Action::Topology(TopologyStatus::InPostProcessing));
        assert_eq!(of(&story), Absence { without_writer: SECOND, dns_lag: None, unknown: None });
    }

    #[test]
    fn a_stall_is_told_beside_what_it_may_be() {
        let absence = of(&Scenario::read_only(SECOND, SECOND));
        let told = |ms| Stall { worst: Duration::from_millis(ms), absence }.to_string();
        assert_eq!(told(2600), "worst stall 2.60 s; no writer for 1.00 s; DNS 1.00 s later; over the bound by 100 ms");
        assert_eq!(
            told(2100),
            "worst stall 2.10 s; no writer for 1.00 s; DNS 1.00 s later; within the bound by 400 ms"
        );
    }
}
