//! How long to wait before a name is asked again. A pure rule: no clock, no state.

use std::time::Duration;

use super::answer::Answer;
use super::jitter::Jitter;

/// How much it matters to know at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// No tagged connection: do not ask at all.
    Idle,
    /// Tagged connections live: once per TTL.
    Steady,
    /// The endpoint is switching: several times a second.
    Urgent,
}

impl Pace {
    /// How long one lookup may take, both families, all servers and the search list included.
    pub(super) fn patience(self) -> Duration {
        match self {
            Pace::Urgent => Duration::from_secs(1),
            Pace::Idle | Pace::Steady => Duration::from_secs(3),
        }
    }
}

const SHORTEST_STEADY: Duration = Duration::from_secs(1);
/// Promised to users as the bound of stale reads, so jitter never exceeds it.
const LONGEST_STEADY: Duration = Duration::from_secs(5);
const URGENT: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(250)];

/// The wait after a lookup that ended now: `last` is the latest answer, `failures` counts lookups that failed since.
/// None while idle.
pub(super) fn next_query(pace: Pace, last: Option<&Answer>, failures: u32, jitter: &mut Jitter) -> Option<Duration> {
    match pace {
        Pace::Idle => None,
        Pace::Urgent => Some(jitter.between(URGENT[0], URGENT[1])),
        Pace::Steady => {
            let base = match (failures, last) {
                (0, Some(answer)) => answer.ttl,
                (0, None) => SHORTEST_STEADY,
                // 1, 2, 4, 5, 5 … seconds: a name server in trouble is not helped by more questions.
                (failures, _) => SHORTEST_STEADY * (1 << (failures - 1).min(3)),
            };
            let base = base.clamp(SHORTEST_STEADY, LONGEST_STEADY);
            Some(jitter.between(base * 9 / 10, base * 11 / 10).min(LONGEST_STEADY))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const MANY: usize = 2_000;

    fn answer(ttl: u64) -> Answer {
        let ttl = Duration::from_secs(ttl);
        Answer { addresses: vec!["10.0.0.7".parse().unwrap()], ttl, received: Instant::now(), serial: 1 }
    }

    /// Shortest and longest wait of many, in milliseconds.
    fn range(pace: Pace, last: Option<&Answer>, failures: u32) -> (u128, u128) {
        let mut jitter = Jitter::from_seed(7);
        let waits: Vec<_> =
            (0..MANY).map(|_| next_query(pace, last, failures, &mut jitter).unwrap().as_millis()).collect();
        (*waits.iter().min().unwrap(), *waits.iter().max().unwrap())
    }

    #[test]
    fn an_idle_name_is_never_asked() {
        assert_eq!(next_query(Pace::Idle, Some(&answer(1)), 0, &mut Jitter::from_seed(1)), None);
    }

    #[test]
    fn a_switching_name_is_asked_every_100_to_250_ms_whatever_its_ttl_and_failures() {
        for (last, failures) in [(None, 0), (Some(answer(300)), 0), (Some(answer(0)), 50)] {
            let (shortest, longest) = range(Pace::Urgent, last.as_ref(), failures);
            assert!((100..110).contains(&shortest) && (240..=250).contains(&longest), "{shortest} {longest}");
        }
    }

    #[test]
    fn a_steady_name_is_asked_once_per_ttl_with_a_tenth_of_jitter() {
        let (shortest, longest) = range(Pace::Steady, Some(&answer(3)), 0);
        assert!((2_700..2_720).contains(&shortest) && (3_280..=3_300).contains(&longest), "{shortest} {longest}");
    }

    #[test]
    fn no_ttl_makes_a_steady_name_wait_under_a_second_or_over_five() {
        for ttl in [0, 1] {
            let (shortest, longest) = range(Pace::Steady, Some(&answer(ttl)), 0);
            assert!(shortest >= 900 && longest <= 1_100, "{shortest} {longest}");
        }
        for ttl in [5, 60, u64::from(u32::MAX)] {
            let (shortest, longest) = range(Pace::Steady, Some(&answer(ttl)), 0);
            assert!(shortest >= 4_500 && longest <= 5_000, "{shortest} {longest}");
        }
    }

    #[test]
    fn failures_slow_a_steady_name_down_to_five_seconds_and_no_further() {
        assert!(range(Pace::Steady, Some(&answer(5)), 1).1 <= 1_100);
        assert!(range(Pace::Steady, Some(&answer(5)), 2).0 >= 1_800);
        assert!(range(Pace::Steady, None, u32::MAX).1 <= 5_000);
    }

    #[test]
    fn waits_are_spread() {
        let mut jitter = Jitter::from_seed(3);
        let first = next_query(Pace::Urgent, None, 0, &mut jitter);
        assert!((0..10).any(|_| next_query(Pace::Urgent, None, 0, &mut jitter) != first));
    }
}
