//! Which name is asked when: the watched names with their pace, and what became of the last question. No thread, no
//! clock and no I/O: every call is told what time it is.

use std::collections::BTreeMap;
use std::time::Instant;

use super::answer::{Answer, Failure, Found};
use super::cadence::{Pace, next_query};
use super::jitter::Jitter;

/// A name that is to be asked now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub name: String,
    pub pace: Pace,
    /// Tells the latest question about a name from an older one that is still on its way.
    id: u64,
}

/// The watched names.
#[derive(Debug)]
pub(super) struct Schedule {
    watched: BTreeMap<String, Watched>,
    jitter: Jitter,
    questions: u64,
    answers: u64,
}

#[derive(Debug)]
struct Watched {
    pace: Pace,
    due: Instant,
    /// The question on its way: its id and the pace at which it was asked.
    asked: Option<(u64, Pace)>,
    last: Option<Answer>,
    /// Lookups failed since `last`.
    failures: u32,
}

impl Watched {
    /// None while idle, or while a question is on its way that was asked in no less of a hurry.
    fn due(&self) -> Option<Instant> {
        let waits = self.asked.is_some_and(|(_, pace)| pace >= self.pace);
        (self.pace != Pace::Idle && !waits).then_some(self.due)
    }
}

impl Schedule {
    pub fn new(jitter: Jitter) -> Self {
        Self { watched: BTreeMap::new(), jitter, questions: 0, answers: 0 }
    }

    /// Watches `name` at `pace`; a quicker pace than before asks at once. True if anything changed.
    pub fn set_pace(&mut self, name: &str, pace: Pace, now: Instant) -> bool {
        match self.watched.get_mut(name) {
            Some(watched) if watched.pace == pace => false,
            Some(watched) => {
                if pace > watched.pace {
                    watched.due = now;
                }
                watched.pace = pace;
                true
            }
            None => {
                let watched = Watched { pace, due: now, asked: None, last: None, failures: 0 };
                self.watched.insert(name.to_owned(), watched);
                true
            }
        }
    }

    /// Stops watching `name`; an answer still on its way is dropped.
    pub fn forget(&mut self, name: &str) {
        self.watched.remove(name);
    }

    /// When the next name is due; none if all are idle or asked.
    pub fn next_due(&self) -> Option<Instant> {
        self.watched.values().filter_map(Watched::due).min()
    }

    /// The names due by `now`; each counts as asked from here on.
    pub fn take_due(&mut self, now: Instant) -> Vec<Question> {
        let mut due = Vec::new();
        for (name, watched) in &mut self.watched {
            if watched.due().is_some_and(|at| at <= now) {
                self.questions += 1;
                watched.asked = Some((self.questions, watched.pace));
                due.push(Question { name: name.clone(), pace: watched.pace, id: self.questions });
            }
        }
        due
    }

    /// Takes what became of `question` and plans the next one. None if nobody waits for it any more: it was overtaken
    /// by a later question, or the name is no longer watched.
    pub fn settle(
        &mut self,
        question: &Question,
        result: Result<Found, Failure>,
        now: Instant,
    ) -> Option<Result<Answer, Failure>> {
        let watched = self.watched.get_mut(&question.name)?;
        watched.asked.take_if(|(id, _)| *id == question.id)?;
        let result = result.map(|found| {
            self.answers += 1;
            Answer { addresses: found.addresses, ttl: found.ttl, received: now, serial: self.answers }
        });
        match &result {
            Ok(answer) => {
                watched.failures = 0;
                watched.last = Some(answer.clone());
            }
            Err(_) => watched.failures = watched.failures.saturating_add(1),
        }
        let wait = next_query(watched.pace, watched.last.as_ref(), watched.failures, &mut self.jitter);
        watched.due = now + wait.unwrap_or_default();
        Some(result)
    }

    /// Every question on its way: those that a broken round leaves behind.
    pub fn asked(&self) -> Vec<Question> {
        let asked = self.watched.iter().filter_map(|(name, watched)| Some((name, watched.asked?)));
        asked.map(|(name, (id, pace))| Question { name: name.clone(), pace, id }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn schedule() -> (Schedule, Instant) {
        (Schedule::new(Jitter::from_seed(5)), Instant::now())
    }

    fn found(ttl: u64) -> Result<Found, Failure> {
        Ok(Found { addresses: vec!["10.0.0.7".parse().unwrap()], ttl: Duration::from_secs(ttl) })
    }

    #[test]
    fn a_new_name_is_due_at_once_and_asked_once() {
        let (mut schedule, now) = schedule();
        assert!(schedule.set_pace("a", Pace::Steady, now));
        assert_eq!(schedule.next_due(), Some(now));
        assert_eq!(schedule.take_due(now).len(), 1);
        assert_eq!(schedule.take_due(now + Duration::from_secs(60)), []);
        assert_eq!(schedule.next_due(), None);
    }

    #[test]
    fn an_idle_name_is_never_due() {
        let (mut schedule, now) = schedule();
        schedule.set_pace("a", Pace::Idle, now);
        assert_eq!(schedule.next_due(), None);
        assert!(schedule.set_pace("a", Pace::Steady, now));
        assert_eq!(schedule.take_due(now).len(), 1);
    }

    #[test]
    fn an_answer_plans_the_next_question_by_its_ttl() {
        let (mut schedule, now) = schedule();
        schedule.set_pace("a", Pace::Steady, now);
        let question = schedule.take_due(now).remove(0);
        assert_eq!(schedule.settle(&question, found(2), now).unwrap().unwrap().serial, 1);
        let wait = schedule.next_due().unwrap() - now;
        assert!((1_800..=2_200).contains(&wait.as_millis()), "{wait:?}");
    }

    #[test]
    fn urgency_overtakes_a_slow_question_whose_answer_is_then_dropped() {
        let (mut schedule, now) = schedule();
        schedule.set_pace("a", Pace::Steady, now);
        let slow = schedule.take_due(now).remove(0);
        assert!(schedule.set_pace("a", Pace::Urgent, now));
        let quick = schedule.take_due(now).remove(0);
        assert_eq!(quick.pace, Pace::Urgent);
        assert!(schedule.settle(&quick, found(5), now).is_some());
        assert_eq!(schedule.settle(&slow, found(5), now), None);
        assert!(schedule.next_due().unwrap() - now <= Duration::from_millis(250));
    }

    #[test]
    fn calming_down_keeps_the_planned_question() {
        let (mut schedule, now) = schedule();
        schedule.set_pace("a", Pace::Urgent, now);
        let question = schedule.take_due(now).remove(0);
        schedule.settle(&question, found(5), now);
        let planned = schedule.next_due();
        assert!(schedule.set_pace("a", Pace::Steady, now));
        assert_eq!(schedule.next_due(), planned);
        assert!(!schedule.set_pace("a", Pace::Steady, now));
    }

    #[test]
    fn a_failure_is_reported_and_the_name_asked_again() {
        let (mut schedule, now) = schedule();
        schedule.set_pace("a", Pace::Steady, now);
        let question = schedule.take_due(now).remove(0);
        assert_eq!(schedule.settle(&question, Err(Failure::Timeout), now), Some(Err(Failure::Timeout)));
        assert!(schedule.next_due().is_some());
    }

    #[test]
    fn an_answer_for_a_forgotten_name_is_dropped() {
        let (mut schedule, now) = schedule();
        schedule.set_pace("a", Pace::Steady, now);
        let question = schedule.take_due(now).remove(0);
        schedule.forget("a");
        assert_eq!(schedule.settle(&question, found(5), now), None);
        assert_eq!(schedule.next_due(), None);
    }
}
