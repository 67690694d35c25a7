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
    /// The endpoint is switching: several times a second at first.
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

/// Shortest and longest wait.
type Range = [Duration; 2];

/// The waits while urgent, by how long it has been quiet: no change of the answer since the pace became urgent. A
/// switchover is mostly over in the first seconds, and by default no thread is held for longer than 60 s. The load of the
/// first row is what a host can afford whose processes all hurry at once, see docs/dns.md.
const URGENT: [(Duration, Range); 3] = [
    (Duration::ZERO, [Duration::from_millis(150), Duration::from_millis(250)]),
    (Duration::from_secs(15), [Duration::from_millis(250), Duration::from_millis(400)]),
    (Duration::from_secs(30), [Duration::from_millis(500), Duration::from_millis(1000)]),
];

/// The wait after a lookup that ended now: it has been `quiet` for so long, `last` is the latest answer, `failures`
/// counts lookups that failed since. None while idle.
pub(super) fn next_query(
    pace: Pace,
    quiet: Duration,
    last: Option<&Answer>,
    failures: u32,
    jitter: &mut Jitter,
) -> Option<Duration> {
    let [shortest, longest] = match pace {
        Pace::Idle => return None,
        Pace::Urgent => urgent(quiet, failures),
        Pace::Steady => steady(last, failures),
    };
    Some(jitter.between(shortest, longest))
}

/// Up to this failures double the urgent wait: slow enough for a host whose processes all get denials, which cost a
/// question for each family; quick enough to see at once that DNS is back.
const FAILING: Range = [Duration::from_millis(300), Duration::from_millis(500)];

/// Each failure doubles the wait, up to a limit: a lost packet is what a limit of the network looks like.
fn urgent(quiet: Duration, failures: u32) -> Range {
    let (_, range) = URGENT.into_iter().rfind(|(from, _)| quiet >= *from).unwrap_or(URGENT[0]);
    [0, 1].map(|end| (range[end] * (1 << failures.min(3))).min(FAILING[end].max(range[end])))
}

/// Once per TTL, a tenth sooner or later.
fn steady(last: Option<&Answer>, failures: u32) -> Range {
    let base = match (failures, last) {
        (0, Some(answer)) => answer.ttl,
        (0, None) => SHORTEST_STEADY,
        // 1, 2, 4, 5, 5 … seconds: a name server in trouble is not helped by more questions.
        (failures, _) => SHORTEST_STEADY * (1 << (failures - 1).min(3)),
    };
    let base = base.clamp(SHORTEST_STEADY, LONGEST_STEADY);
    [base * 9 / 10, (base * 11 / 10).min(LONGEST_STEADY)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn answer(ttl: u64) -> Answer {
        let ttl = Duration::from_secs(ttl);
        Answer { addresses: vec!["10.0.0.7".parse().unwrap()], ttl, received: Instant::now(), serial: 1 }
    }

    fn milliseconds(range: Range) -> [u128; 2] {
        range.map(|end| end.as_millis())
    }

    #[test]
    fn an_idle_name_is_never_asked() {
        assert_eq!(next_query(Pace::Idle, Duration::ZERO, Some(&answer(1)), 0, &mut Jitter::from_seed(1)), None);
    }

    #[test]
    fn an_urgent_name_is_asked_less_often_the_longer_it_is_quiet() {
        for (quiet, waits) in [
            (0, [150, 250]),
            (14_999, [150, 250]),
            (15_000, [250, 400]),
            (29_999, [250, 400]),
            (30_000, [500, 1_000]),
            (3_600_000, [500, 1_000]),
        ] {
            assert_eq!(milliseconds(urgent(Duration::from_millis(quiet), 0)), waits, "quiet for {quiet} ms");
        }
    }

    #[test]
    fn each_failure_doubles_an_urgent_wait_up_to_half_a_second() {
        for (quiet, failures, waits) in
            [(0, 1, [300, 500]), (0, u32::MAX, [300, 500]), (15, 1, [300, 500]), (30, 1, [500, 1_000])]
        {
            let range = urgent(Duration::from_secs(quiet), failures);
            assert_eq!(milliseconds(range), waits, "{failures} failures, quiet for {quiet} s");
        }
    }

    #[test]
    fn a_steady_name_is_asked_once_per_ttl_but_not_more_than_once_a_second_nor_less_than_every_five() {
        for (ttl, waits) in [
            (0, [900, 1_100]),
            (1, [900, 1_100]),
            (3, [2_700, 3_300]),
            (5, [4_500, 5_000]),
            (u64::from(u32::MAX), [4_500, 5_000]),
        ] {
            assert_eq!(milliseconds(steady(Some(&answer(ttl)), 0)), waits, "TTL {ttl} s");
        }
    }

    #[test]
    fn failures_slow_a_steady_name_down_to_five_seconds_and_no_further() {
        for (failures, waits) in [(1, [900, 1_100]), (2, [1_800, 2_200]), (u32::MAX, [4_500, 5_000])] {
            assert_eq!(milliseconds(steady(Some(&answer(5)), failures)), waits, "{failures} failures");
        }
    }

    #[test]
    fn waits_are_spread_over_their_whole_range() {
        for pace in [Pace::Urgent, Pace::Steady] {
            let mut jitter = Jitter::from_seed(7);
            let mut wait = || next_query(pace, Duration::ZERO, None, 0, &mut jitter).unwrap();
            let waits: Vec<_> = (0..2_000).map(|_| wait()).collect();
            let [shortest, longest] = if pace == Pace::Urgent { urgent(Duration::ZERO, 0) } else { steady(None, 0) };
            let edge = (longest - shortest) / 50;
            assert!(waits.iter().all(|wait| (shortest..=longest).contains(wait)));
            assert!(
                waits.iter().any(|wait| *wait < shortest + edge) && waits.iter().any(|wait| *wait > longest - edge)
            );
        }
    }

    /// How many questions for one family each the host's processes ask in a second, if answers take no time.
    fn questions([shortest, longest]: Range, processes: u32) -> f64 {
        f64::from(processes) / ((shortest + longest) / 2).as_secs_f64()
    }

    #[test]
    fn two_hundred_processes_that_hurry_stay_within_what_a_network_interface_may_send() {
        for (from, range) in URGENT {
            let sent = questions(range, 200);
            assert!(sent <= 1_024.0, "{sent} packets a second after {from:?}");
        }
    }

    #[test]
    fn the_documented_load_is_that_of_the_rule() {
        let documented = include_str!("../../docs/dns.md");
        let urgent = |quiet| urgent(Duration::from_secs(quiet), 0);
        // Steady asks both families, whatever the name has.
        for (phase, range, families) in [
            ("steady, TTL 1 s", steady(Some(&answer(1)), 0), [2, 2]),
            ("steady, TTL 5 s and more", steady(Some(&answer(5)), 0), [2, 2]),
            ("urgent, first 15 s", urgent(0), [1, 2]),
            ("urgent, up to 30 s", urgent(15), [1, 2]),
            ("urgent, later", urgent(30), [1, 2]),
        ] {
            let [shortest, longest] = milliseconds(range);
            let [one, two] = families.map(|families| (questions(range, 200) * f64::from(families)).round());
            let row = format!("| {phase} | {shortest}–{longest} ms | {one} + {one} | {two} + {two} |");
            assert!(documented.contains(&row), "docs/dns.md lacks: {row}");
        }
    }
}
