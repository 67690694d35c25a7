//! Which name is asked when: the watched names with their pace, and what became of the last question. No thread, no
//! clock and no I/O: every call is told what time it is.

use std::collections::BTreeMap;
use std::time::Instant;

use super::answer::{Answer, Failure, Found};
use super::cadence::{Pace, next_query};
use super::families::Families;
use super::jitter::Jitter;

/// A name that is to be asked now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub name: String,
    pub pace: Pace,
    pub families: Families,
    /// The lookup before brought nothing: it may have been given up too early.
    pub failed_before: bool,
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
    /// The question on its way.
    asked: Option<Question>,
    last: Option<Answer>,
    /// Those that `last` had.
    families: Families,
    /// When `last` changed, or the pace became quicker.
    stirred: Instant,
    /// Lookups failed since `last`.
    failures: u32,
}

impl Watched {
    /// None while idle, or while a question is on its way that was asked in no less of a hurry.
    fn due(&self) -> Option<Instant> {
        let waits = self.asked.as_ref().is_some_and(|asked| asked.pace >= self.pace);
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
                    (watched.due, watched.stirred) = (now, now);
                }
                watched.pace = pace;
                true
            }
            None => {
                let watched = Watched {
                    pace,
                    due: now,
                    asked: None,
                    last: None,
                    families: Families::Both,
                    stirred: now,
                    failures: 0,
                };
                self.watched.insert(name.to_owned(), watched);
                true
            }
        }
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
                let families = Families::to_ask(watched.pace, watched.families);
                let question = Question {
                    name: name.clone(),
                    pace: watched.pace,
                    families,
                    failed_before: watched.failures > 0,
                    id: self.questions,
                };
                watched.asked = Some(question.clone());
                due.push(question);
            }
        }
        due
    }

    /// Takes what became of `question` and plans the next one. None if no caller waits for it any more: it was overtaken
    /// by a later question, or the name is no longer watched.
    pub fn settle(
        &mut self,
        question: &Question,
        result: Result<Found, Failure>,
        now: Instant,
    ) -> Option<Result<Answer, Failure>> {
        let watched = self.watched.get_mut(&question.name)?;
        watched.asked.take_if(|asked| asked.id == question.id)?;
        let result = result.map(|found| {
            self.answers += 1;
            watched.families = found.families;
            Answer { addresses: found.addresses, ttl: found.ttl, received: now, serial: self.answers }
        });
        match &result {
            Ok(answer) => {
                watched.failures = 0;
                if !watched.last.as_ref().is_some_and(|last| last.agrees_with(answer)) {
                    watched.stirred = now;
                }
                watched.last = Some(answer.clone());
            }
            Err(_) => watched.failures = watched.failures.saturating_add(1),
        }
        let quiet = now.saturating_duration_since(watched.stirred);
        let wait = next_query(watched.pace, quiet, watched.last.as_ref(), watched.failures, &mut self.jitter);
        watched.due = now + wait.unwrap_or_default();
        Some(result)
    }

    /// Takes the answer to a patient lookup that was begun at `begun`. None if a newer answer has come meanwhile, or the name
    /// is no longer watched.
    pub fn settle_late(&mut self, name: &str, found: Found, begun: Instant, now: Instant) -> Option<Answer> {
        let watched = self.watched.get_mut(name)?;
        if watched.last.as_ref().is_some_and(|last| last.received >= begun) {
            return None;
        }
        self.answers += 1;
        watched.families = found.families;
        let answer = Answer { addresses: found.addresses, ttl: found.ttl, received: now, serial: self.answers };
        if !watched.last.as_ref().is_some_and(|last| last.agrees_with(&answer)) {
            watched.stirred = now;
        }
        watched.last = Some(answer.clone());
        Some(answer)
    }

    /// Every question on its way: those that a broken round leaves behind.
    pub fn asked(&self) -> Vec<Question> {
        self.watched.values().filter_map(|watched| watched.asked.clone()).collect()
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
        let addresses = vec!["10.0.0.7".parse().unwrap()];
        Ok(Found { addresses, ttl: Duration::from_secs(ttl), families: Families::Ipv4 })
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

    /// Asks for `name` and lets the answer arrive at `moment`; gives back the wait until the next question.
    fn ask(schedule: &mut Schedule, result: Result<Found, Failure>, moment: Instant) -> Duration {
        let question = schedule.take_due(moment).remove(0);
        schedule.settle(&question, result, moment);
        schedule.next_due().unwrap() - moment
    }

    #[test]
    fn a_quiet_urgent_name_is_asked_less_often_until_its_answer_changes() {
        let (mut schedule, now) = schedule();
        let later = |seconds| now + Duration::from_secs(seconds);
        let blue = || found(5);
        let green = || found(5).map(|found| Found { addresses: vec!["10.0.0.8".parse().unwrap()], ..found });
        let quick = Duration::from_millis(150)..=Duration::from_millis(250);
        schedule.set_pace("a", Pace::Steady, now);
        ask(&mut schedule, blue(), now);
        schedule.set_pace("a", Pace::Urgent, later(60));
        assert!(quick.contains(&ask(&mut schedule, blue(), later(60))), "it has just become urgent");
        assert!(ask(&mut schedule, blue(), later(90)) >= Duration::from_millis(500));
        assert!(quick.contains(&ask(&mut schedule, green(), later(91))));
        assert!(ask(&mut schedule, green(), later(121)) >= Duration::from_millis(500));
    }

    #[test]
    fn a_lost_question_slows_an_urgent_name_down_and_the_next_answer_makes_it_quick_again() {
        let (mut schedule, now) = schedule();
        schedule.set_pace("a", Pace::Urgent, now);
        ask(&mut schedule, found(5), now);
        let wait = ask(&mut schedule, Err(Failure::Timeout), now + Duration::from_secs(1));
        assert!((300..=500).contains(&wait.as_millis()), "{wait:?}");
        let wait = ask(&mut schedule, found(5), now + Duration::from_secs(2));
        assert!((150..=250).contains(&wait.as_millis()), "{wait:?}");
    }

    #[test]
    fn an_urgent_name_is_asked_for_what_its_last_good_answer_had_and_a_steady_one_for_both() {
        let (mut schedule, now) = schedule();
        let mut families = |pace, result, second| {
            let moment = now + Duration::from_secs(second);
            schedule.set_pace("a", pace, moment);
            let question = schedule.take_due(moment).remove(0);
            schedule.settle(&question, result, moment);
            question.families
        };
        assert_eq!(families(Pace::Urgent, Err(Failure::NxDomain), 0), Families::Both, "nothing is known yet");
        assert_eq!(families(Pace::Urgent, found(5), 10), Families::Both);
        assert_eq!(families(Pace::Urgent, Err(Failure::Timeout), 20), Families::Ipv4);
        assert_eq!(families(Pace::Urgent, found(5), 30), Families::Ipv4);
        assert_eq!(families(Pace::Steady, found(5), 40), Families::Both);
    }

    #[test]
    fn after_a_failure_a_late_answer_counts_unless_a_newer_one_has_come() {
        let (mut schedule, now) = schedule();
        let later = |millis| now + Duration::from_millis(millis);
        schedule.set_pace("a", Pace::Urgent, now);
        let question = schedule.take_due(now).remove(0);
        assert!(!question.failed_before);
        schedule.settle(&question, Err(Failure::Timeout), later(1000));
        let question = schedule.take_due(later(2000)).remove(0);
        assert!(question.failed_before);
        let late = |schedule: &mut Schedule, begun| schedule.settle_late("a", found(5).unwrap(), begun, later(4000));
        assert_eq!(late(&mut schedule, later(2000)).unwrap().serial, 1);
        assert_eq!(late(&mut schedule, later(3000)), None, "it was begun before the answer that is there");
        assert_eq!(schedule.settle_late("b", found(5).unwrap(), now, now), None);
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
}
