//! What a reader sees: one line per run, and one table at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use pointsman_lab::ScenarioKind;

use super::draw::Draw;
use super::judgement::Judgement;
use super::run::Seen;
use crate::duration::shown;
use crate::table::table;

const HEADING: [&str; 11] = [
    "scenario",
    "runs",
    "bad",
    "statements",
    "allowed",
    "forbidden",
    "lost",
    "doubled",
    "stale",
    "stall",
    "over bound",
];

/// One run in one line.
pub struct Line<'a> {
    pub number: u64,
    pub draw: &'a Draw,
    pub seen: &'a Seen,
    pub judgement: &'a Judgement,
}

/// All runs by their kind of story.
#[derive(Default)]
pub struct Tally(BTreeMap<ScenarioKind, Sum>);

#[derive(Default)]
struct Sum {
    runs: u64,
    /// Runs with anything forbidden, or without a result.
    bad: u64,
    statements: u64,
    allowed: u64,
    forbidden: u64,
    lost: u64,
    doubled: u64,
    stale: u64,
    worst_stall: Duration,
    /// Of the stall over its bound, in milliseconds; `None` where no run had one.
    excess: Option<i64>,
}

impl Tally {
    pub fn add(&mut self, draw: &Draw, seen: &Seen, judgement: &Judgement) {
        let (sum, verdict) = (self.0.entry(draw.kind).or_default(), &seen.verdict);
        sum.merge(&Sum {
            runs: 1,
            bad: u64::from(!judgement.is_clean()),
            statements: verdict.statements,
            allowed: judgement.allowed,
            forbidden: judgement.forbidden,
            lost: verdict.lost.len() as u64,
            doubled: verdict.doubled.len() as u64,
            stale: verdict.stale_reads,
            worst_stall: verdict.worst_stall,
            excess: seen.stall(draw).excess_ms(),
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
        self.statements += other.statements;
        self.allowed += other.allowed;
        self.forbidden += other.forbidden;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.stale += other.stale;
        self.worst_stall = self.worst_stall.max(other.worst_stall);
        self.excess = self.excess.max(other.excess);
    }

    fn row(&self, name: &str) -> [String; 11] {
        let Self { runs, bad, statements, allowed, forbidden, lost, doubled, stale, worst_stall, excess } = self;
        let numbers = [runs, bad, statements, allowed, forbidden, lost, doubled, stale].map(u64::to_string);
        let excess = excess.map_or("none".to_owned(), |ms| format!("{ms:+} ms"));
        let mut cells = [name.to_owned()].into_iter().chain(numbers).chain([shown(*worst_stall), excess]);
        std::array::from_fn(|_| cells.next().expect("eleven cells"))
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, draw, seen, judgement } = self;
        let verdict = &seen.verdict;
        let (lost, doubled, stale) = (verdict.lost.len(), verdict.doubled.len(), verdict.stale_reads);
        write!(f, "{number:5}  {draw}: {} statements, {} failed, ", verdict.statements, verdict.failed)?;
        write!(f, "{lost} lost, {doubled} doubled, {stale} stale; {}: ", seen.stall(draw))?;
        if judgement.is_clean() { f.write_str("ok") } else { write!(f, "BAD: {}", judgement.reasons.join(", ")) }
    }
}
