//! The protected program beside its bare twin: where it did worse. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use pointsman_lab::{Audit, Outcome, Statement, StatementKind, Transaction};

/// What a longest outage may be on top of the twin's, for noticing, for logging in, and for a busy machine.
const MARGIN: Duration = Duration::from_secs(2);

/// What one program lived through, as its twin's is compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// One for each worker.
    workers: Vec<Worker>,
    stale: u64,
    lost: u64,
    doubled: u64,
    torn: u64,
    phantoms: u64,
    strays: u64,
    misdated: u64,
    /// Calls that failed without an error's number.
    nameless: u64,
    died: bool,
}

/// One worker's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Worker {
    /// Failed calls, those included that a transaction went on after.
    failed: u64,
    /// The longest time without a success in what it is there for; `None` if it never succeeded again.
    outage: Option<Duration>,
}

/// When a program was watched, on the clock of its statements.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    /// The story was over.
    pub over_us: u64,
    /// The program was told to stop.
    pub stopped_us: u64,
}

/// What the protected program did worse in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Failures,
    Outage,
    Stale,
    Lost,
    Doubled,
    Torn,
    Phantoms,
    Strays,
    Misdated,
    Nameless,
    Died,
}

/// One point in which the protected program did worse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worse {
    pub subject: Subject,
    pub text: String,
}

/// What the run's end adds to the statements.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ending {
    pub phantoms: u64,
    pub strays: u64,
    pub misdated: u64,
    pub died: bool,
}

impl Figures {
    pub fn of(statements: &[Statement], audit: &Audit, watched: Watched, ending: Ending) -> Self {
        let mut by_worker = BTreeMap::<_, Vec<&Statement>>::new();
        for statement in statements {
            by_worker.entry(statement.worker).or_default().push(statement);
        }
        let errors = || statements.iter().flat_map(errors);
        Self {
            workers: by_worker.values().map(|statements| Worker::of(statements, watched)).collect(),
            stale: audit.stale_reads,
            lost: audit.lost.len() as u64,
            doubled: audit.doubled.len() as u64,
            torn: audit.torn.len() as u64,
            phantoms: ending.phantoms,
            strays: ending.strays,
            misdated: ending.misdated,
            nameless: errors().filter(|number| *number == 0).count() as u64,
            died: ending.died,
        }
    }

    /// As if each worker had fared as the worst. Where a name means several servers (Galera), the turns of DNS decide which
    /// connections are on the one that is cut off, and the library's own questions to DNS take turns, too.
    pub fn each_like_the_worst(mut self) -> Self {
        let failed = self.workers.iter().map(|worker| worker.failed).max().unwrap_or(0);
        let outage = self.outage();
        self.workers.fill(Worker { failed, outage });
        self
    }

    pub fn failed(&self) -> u64 {
        self.workers.iter().map(|worker| worker.failed).sum()
    }

    /// The longest outage of any worker; `None` if one never succeeded again.
    pub fn outage(&self) -> Option<Duration> {
        self.workers.iter().map(|worker| worker.outage).try_fold(Duration::ZERO, |worst, next| Some(worst.max(next?)))
    }
}

/// The numbers of a call's errors, those included that the application did not heed.
pub fn errors(statement: &Statement) -> Vec<u32> {
    let swallowed = Transaction::of(statement).map(|transaction| transaction.swallowed).unwrap_or_default();
    let own = (statement.outcome == Outcome::Error).then_some(statement.errno);
    swallowed.into_iter().map(|(_, number)| number).chain(own).collect()
}

impl Worker {
    fn of(statements: &[&Statement], watched: Watched) -> Self {
        let failed = statements.iter().map(|statement| errors(statement).len() as u64).sum();
        let writes = statements.iter().any(|statement| statement.kind == StatementKind::Insert);
        let trade = if writes { StatementKind::Insert } else { StatementKind::Select };
        let mut last = statements.first().map_or(0, |statement| statement.start_us);
        let (mut longest, mut again) = (0, false);
        for statement in statements.iter().filter(|s| s.kind == trade && s.got_through()) {
            longest = longest.max(statement.end_us.saturating_sub(last));
            again |= statement.start_us >= watched.over_us;
            last = statement.end_us;
        }
        longest = longest.max(watched.stopped_us.saturating_sub(last));
        Self { failed, outage: again.then_some(Duration::from_micros(longest)) }
    }
}

/// Where the protected program did worse than its bare twin.
pub fn worse(protected: &Figures, bare: &Figures) -> Vec<Worse> {
    let mut found = vec![];
    let mut found_in = |subject, text| found.push(Worse { subject, text });
    if let Some((ours, theirs)) = more_failures(protected, bare) {
        found_in(Subject::Failures, format!("{ours} failed calls of a worker, bare {theirs}"));
    }
    if let Some((ours, theirs)) = longer_outage(protected, bare) {
        found_in(Subject::Outage, format!("an outage of {}, bare {}", told(ours), told(theirs)));
    }
    let counts = [
        (Subject::Stale, protected.stale, bare.stale, "stale reads"),
        (Subject::Lost, protected.lost, bare.lost, "lost"),
        (Subject::Doubled, protected.doubled, bare.doubled, "doubled"),
        (Subject::Torn, protected.torn, bare.torn, "transactions stored in part"),
        (Subject::Phantoms, protected.phantoms, bare.phantoms, "stored although rejected"),
        (Subject::Strays, protected.strays, bare.strays, "rows with a parent of another row"),
        (Subject::Misdated, protected.misdated, bare.misdated, "transactions whose rows are dated apart"),
        (Subject::Nameless, protected.nameless, bare.nameless, "failed calls without an error's number"),
    ];
    for (subject, ours, theirs, what) in counts {
        if ours > theirs {
            found_in(subject, format!("{ours} {what}, bare {theirs}"));
        }
    }
    if protected.died && !bare.died {
        found_in(Subject::Died, "the program ended by itself, bare not".to_owned());
    }
    found
}

/// What shows in two pairs of runs: certain things in either, chance in both.
pub fn confirmed(first: Vec<Worse>, second: Vec<Worse>) -> Vec<Worse> {
    let again: Vec<_> = second.iter().map(|worse| worse.subject).collect();
    let kept = first.into_iter().filter(|worse| worse.subject.is_certain() || again.contains(&worse.subject));
    let mut kept: Vec<_> = kept.collect();
    let known: Vec<_> = kept.iter().map(|worse| worse.subject).collect();
    kept.extend(second.into_iter().filter(|worse| worse.subject.is_certain() && !known.contains(&worse.subject)));
    kept
}

impl Subject {
    /// Whether a single pair of runs proves it; the rest can be chance, as when one of the two had nothing in flight.
    pub fn is_certain(self) -> bool {
        !matches!(self, Self::Failures | Self::Outage | Self::Stale)
    }
}

/// The workers of both, from the worst on: the first pair in which the protected one failed more often. A worker of the
/// twin that never got through again counts as one that failed without an end: a call that does not return is no better.
fn more_failures(protected: &Figures, bare: &Figures) -> Option<(u64, u64)> {
    let sorted = |figures: &Figures, without_an_end: Option<u64>| {
        let count = |worker: &Worker| match worker.outage {
            None => without_an_end.unwrap_or(worker.failed),
            Some(_) => worker.failed,
        };
        let mut counts: Vec<_> = figures.workers.iter().map(count).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts
    };
    let allowed = |count: u64| if count == 0 { 0 } else { count.saturating_add(1 + count / 4) };
    let theirs = sorted(bare, Some(u64::MAX));
    sorted(protected, None).into_iter().zip(theirs).find(|(ours, theirs)| *ours > allowed(*theirs))
}

/// The same for the time without a success; no success at all is longest.
fn longer_outage(protected: &Figures, bare: &Figures) -> Option<(Duration, Duration)> {
    let sorted = |figures: &Figures| {
        let outages = figures.workers.iter().map(|worker| worker.outage.unwrap_or(Duration::MAX));
        let mut outages: Vec<_> = outages.collect();
        outages.sort_unstable_by(|a, b| b.cmp(a));
        outages
    };
    let allowed = |outage: Duration| outage.saturating_add(outage / 2).saturating_add(MARGIN);
    sorted(protected).into_iter().zip(sorted(bare)).find(|(ours, theirs)| *ours > allowed(*theirs))
}

fn told(outage: Duration) -> String {
    if outage == Duration::MAX { "without an end".to_owned() } else { crate::duration::shown(outage) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(failed: u64, outage: Option<u64>) -> Figures {
        let outage = outage.map(Duration::from_millis);
        Figures { workers: vec![Worker { failed, outage }], ..Figures::default() }
    }

    fn subjects(protected: &Figures, bare: &Figures) -> Vec<Subject> {
        worse(protected, bare).iter().map(|worse| worse.subject).collect()
    }

    #[test]
    fn a_failure_is_worse_than_none_and_one_more_than_some_is_chance() {
        assert_eq!(subjects(&of(1, Some(0)), &of(0, Some(0))), [Subject::Failures]);
        assert!(subjects(&of(2, Some(0)), &of(1, Some(0))).is_empty());
        assert_eq!(subjects(&of(60, Some(0)), &of(40, Some(0))), [Subject::Failures]);
    }

    #[test]
    fn a_failed_call_is_no_worse_than_one_that_never_returned() {
        assert!(subjects(&of(1, Some(0)), &of(0, None)).is_empty());
    }

    #[test]
    fn an_outage_may_be_half_as_long_again_and_two_seconds() {
        assert!(subjects(&of(0, Some(3400)), &of(0, Some(1000))).is_empty());
        assert_eq!(subjects(&of(0, Some(3600)), &of(0, Some(1000))), [Subject::Outage]);
        assert!(subjects(&of(0, Some(90_000)), &of(0, None)).is_empty(), "the twin never came back");
        assert_eq!(subjects(&of(0, None), &of(0, Some(90_000))), [Subject::Outage]);
        assert!(subjects(&of(0, None), &of(0, None)).is_empty());
    }

    #[test]
    fn workers_are_compared_from_the_worst_on_so_that_one_dead_connection_excuses_one_worker() {
        let mut bare = of(900, None);
        bare.workers.push(Worker { failed: 0, outage: Some(Duration::ZERO) });
        let mut protected = of(0, Some(30_000));
        protected.workers.push(Worker { failed: 0, outage: Some(Duration::from_secs(30)) });
        assert_eq!(subjects(&protected, &bare), [Subject::Outage]);
    }

    #[test]
    fn where_turns_decide_who_is_hit_each_worker_is_compared_with_the_worst_of_the_twin() {
        let several = |failed: &[u64]| {
            let workers = failed.iter().map(|failed| Worker { failed: *failed, outage: Some(Duration::ZERO) });
            Figures { workers: workers.collect(), ..Figures::default() }
        };
        let (protected, bare) = (several(&[40, 40, 0]), several(&[40, 0, 0]));
        assert_eq!(subjects(&protected, &bare), [Subject::Failures]);
        assert!(subjects(&protected, &bare.each_like_the_worst()).is_empty());
        assert_eq!(subjects(&protected, &several(&[0, 0, 0]).each_like_the_worst()), [Subject::Failures]);
    }

    #[test]
    fn anything_lost_beyond_the_twins_is_worse_and_certain() {
        let protected = Figures { lost: 2, stale: 1, ..of(0, Some(0)) };
        let bare = Figures { lost: 1, stale: 1, ..of(0, Some(0)) };
        assert_eq!(subjects(&protected, &bare), [Subject::Lost]);
        assert!(Subject::Lost.is_certain() && !Subject::Stale.is_certain());
    }

    #[test]
    fn chance_has_to_show_twice_and_a_loss_once() {
        let worse = |subject| Worse { subject, text: String::new() };
        let of = |worse: Vec<Worse>| worse.into_iter().map(|worse| worse.subject).collect::<Vec<_>>();
        let first = vec![worse(Subject::Failures), worse(Subject::Outage)];
        assert_eq!(of(confirmed(first.clone(), vec![worse(Subject::Outage)])), [Subject::Outage]);
        assert_eq!(of(confirmed(first, vec![worse(Subject::Lost)])), [Subject::Lost]);
        assert_eq!(of(confirmed(vec![worse(Subject::Lost)], vec![])), [Subject::Lost]);
    }

    fn statement(kind: StatementKind, start_us: u64, outcome: Outcome, message: &str) -> Statement {
        let (worker, seq, end_us) = (1, 1, start_us + 10);
        Statement { worker, seq, kind, start_us, end_us, outcome, errno: 1290, message: message.to_owned() }
    }

    #[test]
    fn a_workers_outage_is_between_its_writes_or_its_reads_if_it_writes_nothing() {
        use StatementKind::{Insert, Select};
        let watched = Watched { over_us: 500, stopped_us: 1000 };
        let outage =
            |statements: &[Statement]| Figures::of(statements, &Audit::default(), watched, Ending::default()).outage();
        let reads = [0, 400, 990].map(|start| statement(Select, start, Outcome::Ok, ""));
        assert_eq!(outage(&reads), Some(Duration::from_micros(590)));
        let mut both = reads.to_vec();
        both.extend([0, 890].map(|start| statement(Insert, start, Outcome::Ok, "")));
        assert_eq!(outage(&both), Some(Duration::from_micros(890)));
        assert_eq!(outage(&[statement(Insert, 0, Outcome::Ok, "")]), None, "nothing after the story");
        let in_vain = [statement(Insert, 0, Outcome::Ok, "[1]"), statement(Insert, 600, Outcome::Ok, "[1 1=1290]")];
        assert_eq!(outage(&in_vain), None, "the program ignored an error, and its COMMIT stored nothing");
    }

    #[test]
    fn an_error_that_the_application_did_not_heed_is_a_failed_call_too() {
        let of = |outcome, message| errors(&statement(StatementKind::Insert, 0, outcome, message));
        assert_eq!(of(Outcome::Ok, "[3 1=1290 3=2013]"), [1290, 2013]);
        assert_eq!(of(Outcome::Error, "[3 1=1213] no"), [1213, 1290]);
        assert!(of(Outcome::Ok, "").is_empty());
    }
}
