//! What is told on standard error while a drill runs: events as lines, and below them one live line; without a terminal,
//! a line per second.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pointsman_lab::{Audit, Event, Stats};

use crate::duration::shown;

const EVERY: Duration = Duration::from_secs(1);

pub struct Progress {
    bar: ProgressBar,
    started: Instant,
}

/// The progress of one ride.
pub struct Teller<'a> {
    progress: &'a Progress,
    name: &'static str,
    phase: std::cell::RefCell<String>,
    told: Cell<Option<Instant>>,
}

impl Progress {
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is a constant"));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, started: Instant::now() }
    }

    pub fn of(&self, name: &'static str) -> Teller<'_> {
        Teller { progress: self, name, phase: String::new().into(), told: Cell::new(None) }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        if self.bar.is_hidden() { eprintln!("{line}") } else { self.bar.println(line) }
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    /// An error message must not follow on the live line.
    fn drop(&mut self) {
        self.end();
    }
}

impl Teller<'_> {
    /// What is going on from now on.
    pub fn phase(&self, phase: &str) {
        phase.clone_into(&mut self.phase.borrow_mut());
        self.told.set(None);
        let line = format!("{:<10}{:>6.1} s  {phase}", self.name, self.progress.started.elapsed().as_secs_f64());
        if self.progress.bar.is_hidden() { eprintln!("{line}") } else { self.progress.bar.set_message(line) }
    }

    pub fn event(&self, event: &Event) {
        event.text.clone_into(&mut self.phase.borrow_mut());
        self.progress.say(&format!("{:<10}{event}", self.name));
    }

    /// Whether the reader is due new figures.
    pub fn wants_figures(&self) -> bool {
        !self.progress.bar.is_hidden() || self.told.get().is_none_or(|told| told.elapsed() >= EVERY)
    }

    pub fn figures(&self, stats: &Stats, without_a_write: Duration) {
        self.told.set(Some(Instant::now()));
        let line = format!(
            "{:<10}{:>6.1} s  {}: {} statements, {} failed, {} without a write",
            self.name,
            self.progress.started.elapsed().as_secs_f64(),
            self.phase.borrow(),
            stats.statements,
            stats.failed,
            shown(without_a_write),
        );
        if self.progress.bar.is_hidden() { eprintln!("{line}") } else { self.progress.bar.set_message(line) }
    }

    pub fn done(&self, audit: &Audit) {
        let Audit { statements, failed, .. } = audit;
        self.progress.say(&format!("{:<10}  done: {statements} statements, {failed} failed", self.name));
    }
}
