//! The numbers for a reader: a table, the errors, one sentence, and what the library said; or all of it as JSON.

mod log;
mod sentence;

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use pointsman_lab::{EventKind, Timeline};
use serde_json::{Value, json};

use super::Outcome;
use super::figures::{ErrorLine, Figures};
use crate::duration::shown;
use crate::table::table as laid_out;

/// As many lines of the program's standard error as fit beside the rest.
const LOG_LINES: usize = 20;
const ERROR_LINES: usize = 8;

pub fn text(outcome: &Outcome, picture: &Path) -> String {
    let Outcome { plan, bare: (bare_ride, bare), protected: (ride, protected) } = outcome;
    let mut text = format!("\n{}\n\n{}", plan.title(), table(bare, protected, &ride.timeline));
    errors(&mut text, "bare", &bare.errors);
    errors(&mut text, "protected", &protected.errors);
    let _ = writeln!(text, "\n{}", sentence::verdict(plan, bare, protected, &back(&bare_ride.timeline)));
    let _ = writeln!(text, "\nWhat the protected program wrote to standard error:");
    let lines = log::condensed(&ride.stderr);
    if lines.is_empty() {
        let _ = writeln!(text, "  (nothing)");
    }
    for line in lines.iter().take(LOG_LINES) {
        let _ = writeln!(text, "  {line}");
    }
    if lines.len() > LOG_LINES {
        let _ = writeln!(text, "  … and {} lines more", lines.len() - LOG_LINES);
    }
    let _ = writeln!(text, "\nPicture: {}", picture.display());
    text
}

pub fn json(outcome: &Outcome, picture: &Path) -> String {
    let Outcome { plan, bare, protected } = outcome;
    let ride = |(ride, figures): &(super::Ride, Figures)| -> Value {
        let event = |event: &pointsman_lab::Event| json!({ "at_seconds": event.at.as_secs_f64(), "kind": event.kind, "text": event.text });
        let events: Vec<_> = ride.timeline.events.iter().map(event).collect();
        let stderr = log::condensed(&ride.stderr);
        json!({ "figures": figures, "events": events, "stderr": stderr })
    };
    let report = json!({
        "options": plan.spelled(),
        "bare": ride(bare),
        "protected": ride(protected),
        "clean": protected.1.is_clean(),
        "difference": bare.1.failed > 0,
        "verdict": sentence::verdict(plan, &bare.1, &protected.1, &back(&bare.0.timeline)),
        "picture": picture,
    });
    format!("{report:#}")
}

fn table(bare: &Figures, protected: &Figures, timeline: &Timeline) -> String {
    let row = |name: &str, of: &dyn Fn(&Figures) -> String| [name.to_owned(), of(bare), of(protected)];
    let rows = [
        row("statements", &|figures| figures.statements.to_string()),
        row("failed", &|figures| figures.failed.to_string()),
        row("lost", &|figures| figures.lost.to_string()),
        row("doubled", &|figures| figures.doubled.to_string()),
        row("stale reads", &|figures| figures.stale_reads.to_string()),
        row("worst stall of a statement", &|figures| shown(figures.worst_stall)),
        row("longest without a write", &without_a_write),
        row(&format!("writing again after {}", back(timeline)), &return_to_work),
    ];
    laid_out(["", "bare", "protected"], &rows)
}

/// What it was that took writes again: `green is writable`.
fn back(timeline: &Timeline) -> String {
    let event = timeline.events.iter().find(|event| event.kind == EventKind::WriterBack);
    event.map_or("a server is writable", |event| &event.text).to_owned()
}

fn without_a_write(figures: &Figures) -> String {
    let end = if figures.return_to_work.silent > 0 { ", to the end" } else { "" };
    format!("{}{end}", shown(figures.without_a_write))
}

fn return_to_work(figures: &Figures) -> String {
    let returned = figures.return_to_work;
    match (returned.silent, returned.last.map(|last: Duration| shown(last))) {
        (0, Some(last)) => last,
        (0, None) => "-".to_owned(),
        (silent, _) if silent == returned.workers => "never".to_owned(),
        (silent, _) => format!("never ({silent} of {})", returned.workers),
    }
}

fn errors(text: &mut String, name: &str, errors: &[ErrorLine]) {
    if errors.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nErrors, {name}:");
    for ErrorLine { number, count, text: message } in errors.iter().take(ERROR_LINES) {
        let _ = writeln!(text, "  {number} × {count}  {}", message.trim_end());
    }
    if let Some(more) = errors.len().checked_sub(ERROR_LINES).filter(|more| *more > 0) {
        let _ = writeln!(text, "  … and {more} other texts");
    }
}
