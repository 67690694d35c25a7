//! What a reader sees: one line per run, and one table at the end, the protected program's figures beside its bare twin's.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use pointsman_lab::ScenarioKind;

use super::draw::Draw;
use super::pair::Pair;
use super::twin::Figures;
use crate::duration::shown;
use crate::table::table;

const COLUMNS: usize = 13;
const HEADING: [&str; COLUMNS] = [
    "scenario",
    "runs",
    "bad",
    "worse",
    "statements",
    "failed",
    "bare",
    "forbidden",
    "lost",
    "stale",
    "outage",
    "bare",
    "over bound",
];

/// One run in one line.
pub struct Line<'a> {
    pub number: u64,
    pub draw: &'a Draw,
    pub pair: &'a Pair,
}

/// All runs by their kind of story.
#[derive(Default)]
pub struct Tally(BTreeMap<ScenarioKind, Sum>);

#[derive(Default)]
struct Sum {
    runs: u64,
    /// Runs with anything forbidden, or worse than the bare twin, or without a result.
    bad: u64,
    /// Runs in which the protected program did worse than its bare twin.
    worse: u64,
    statements: u64,
    failed: u64,
    bare_failed: u64,
    forbidden: u64,
    /// Lost, doubled, or stored in part.
    lost: u64,
    stale: u64,
    outage: Outage,
    bare_outage: Outage,
    /// Of the longest statement over its bound, in milliseconds; `None` where no run had one.
    excess: Option<i64>,
}

/// The longest of several runs; one that never ended is longest.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Outage(Duration);

impl Tally {
    pub fn add(&mut self, draw: &Draw, pair: &Pair) {
        let audit = &pair.protected.audit;
        self.0.entry(draw.kind).or_default().merge(&Sum {
            runs: 1,
            bad: u64::from(!pair.judgement.is_clean()),
            worse: u64::from(pair.worse > 0),
            statements: audit.statements,
            failed: pair.figures.failed(),
            bare_failed: pair.bare_figures.failed(),
            forbidden: pair.judgement.forbidden,
            lost: (audit.lost.len() + audit.doubled.len() + audit.torn.len()) as u64,
            stale: audit.stale_reads,
            outage: Outage::of(&pair.figures),
            bare_outage: Outage::of(&pair.bare_figures),
            excess: pair.protected.stall(draw).excess_ms(),
        });
    }

    /// A run that the lab could not finish proves nothing, and is not clean.
    pub fn no_result(&mut self, kind: ScenarioKind) {
        self.0.entry(kind).or_default().merge(&Sum { runs: 1, bad: 1, ..Sum::default() });
    }

    pub fn runs(&self) -> u64 {
        self.0.values().map(|sum| sum.runs).sum()
    }

    pub fn is_clean(&self) -> bool {
        self.0.values().all(|sum| sum.bad == 0)
    }

    pub fn table(&self) -> String {
        let mut all = Sum::default();
        self.0.values().for_each(|sum| all.merge(sum));
        let mut rows: Vec<_> = self.0.iter().map(|(kind, sum)| sum.row(kind.name())).collect();
        rows.push(all.row("all"));
        table(HEADING, &rows)
    }
}

impl Sum {
    fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        self.bad += other.bad;
        self.worse += other.worse;
        self.statements += other.statements;
        self.failed += other.failed;
        self.bare_failed += other.bare_failed;
        self.forbidden += other.forbidden;
        self.lost += other.lost;
        self.stale += other.stale;
        self.outage = self.outage.max(other.outage);
        self.bare_outage = self.bare_outage.max(other.bare_outage);
        self.excess = self.excess.max(other.excess);
    }

    fn row(&self, name: &str) -> [String; COLUMNS] {
        let Self { runs, bad, worse, statements, failed, bare_failed, forbidden, lost, stale, .. } = self;
        let numbers = [runs, bad, worse, statements, failed, bare_failed, forbidden, lost, stale].map(u64::to_string);
        let excess = self.excess.map_or("none".to_owned(), |ms| format!("{ms:+} ms"));
        let times = [self.outage.to_string(), self.bare_outage.to_string(), excess];
        let mut cells = [name.to_owned()].into_iter().chain(numbers).chain(times);
        std::array::from_fn(|_| cells.next().expect("as many cells as columns"))
    }
}

impl Outage {
    fn of(figures: &Figures) -> Self {
        Self(figures.outage().unwrap_or(Duration::MAX))
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Duration::MAX { f.write_str("for ever") } else { f.write_str(&shown(self.0)) }
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, draw, pair } = self;
        let (audit, bare) = (&pair.protected.audit, &pair.bare.audit);
        write!(f, "{number:5}  {draw}: {} statements, {} failed, ", audit.statements, pair.figures.failed())?;
        let [lost, doubled, torn] = [&audit.lost, &audit.doubled, &audit.torn].map(Vec::len);
        write!(f, "{lost} lost, {doubled} doubled, {torn} torn, {} stale; ", audit.stale_reads)?;
        write!(f, "outage {}; bare: {} failed, ", Outage::of(&pair.figures), pair.bare_figures.failed())?;
        let [lost, doubled, torn] = [&bare.lost, &bare.doubled, &bare.torn].map(Vec::len);
        if lost + doubled + torn > 0 {
            write!(f, "{lost} lost, {doubled} doubled, {torn} torn, ")?;
        }
        write!(f, "outage {}; {}: ", Outage::of(&pair.bare_figures), pair.protected.stall(draw))?;
        let judgement = &pair.judgement;
        if judgement.is_clean() { f.write_str("ok") } else { write!(f, "BAD: {}", judgement.reasons.join(", ")) }
    }
}
