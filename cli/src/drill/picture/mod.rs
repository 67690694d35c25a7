//! Both rides on one time axis: a row per worker, a stroke per statement, a bar per statement that was held, a line per
//! event.

mod axis;
mod labels;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pointsman_lab::{EventKind, Outcome, Statement, StatementKind, Timeline};

use super::figures::Figures;
use super::ride::{BEFORE, Ride};
use super::svg::Svg;
use crate::duration::shown;
use axis::Axis;

const WIDTH: f64 = 1400.0;
const LEFT: f64 = 126.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 92.0;
const LANE: f64 = 17.0;
const BETWEEN: f64 = 34.0;
const BOTTOM: f64 = 52.0;
/// A statement that took longer was held.
const HELD: Duration = Duration::from_millis(100);
/// Strokes nearer to each other than this are one.
const GRAIN: f64 = 0.5;

const STYLE: &str = "\
    text { font-family: 'DejaVu Sans', Verdana, Arial, sans-serif; fill: #222 } \
    .sheet { fill: #fff } .panel { fill: #f6f7f9 } .row { stroke: #dfe3e8; stroke-width: 1 } \
    .title { font-size: 19px; font-weight: bold } .heading { font-size: 15px; font-weight: bold } \
    .small { font-size: 12px; fill: #555 } .legend { font-size: 13px } \
    .worker { font-size: 12px; text-anchor: end; fill: #555 } .tick { font-size: 12px; text-anchor: middle; fill: #555 } \
    .grid { stroke: #e3e6ea; stroke-width: 1 } \
    .event { stroke-width: 1.3; stroke-dasharray: 5 3 } .label { font-size: 12px } .ends { text-anchor: end } \
    .note { stroke: #98a1ab; fill: #69727c } .gone { stroke: #b3261e; fill: #b3261e } \
    .back { stroke: #1b6e35; fill: #1b6e35 } .dns { stroke: #1f5fa8; fill: #1f5fa8 } \
    text.note, text.gone, text.back, text.dns { stroke: none } \
    .ok { stroke: #2e9e4f; stroke-width: 0.9; fill: none } .failed { stroke: #d32f2f; stroke-width: 1.2; fill: none } \
    .stale { stroke: #8e24aa; stroke-width: 1.8; fill: none } \
    .held { fill: #f5a623; stroke: #b97709; stroke-width: 0.7 }";

/// One ride's part of the picture.
struct Panel<'a> {
    name: &'a str,
    ride: &'a Ride,
    figures: &'a Figures,
    workers: BTreeMap<u32, Vec<&'a Statement>>,
    labels: Vec<labels::Placed<'a>>,
    lanes: usize,
}

/// The whole picture as SVG text.
pub fn draw(title: &str, rides: &[(&str, &(Ride, Figures))]) -> String {
    let end = rides.iter().map(|(_, (ride, _))| end_of(ride)).fold(0.0, f64::max);
    let axis = Axis::new(-BEFORE.as_secs_f64(), end, LEFT, WIDTH - RIGHT);
    let panels: Vec<_> = rides.iter().map(|(name, ride)| Panel::new(name, ride, &axis)).collect();
    let row = row_height(&panels);
    let height = TOP + panels.iter().map(|panel| panel.height(row) + BETWEEN).sum::<f64>() - BETWEEN + BOTTOM;
    let mut svg = Svg::new(WIDTH, height, title, STYLE);
    svg.text("title", (24.0, 34.0), title);
    legend(&mut svg, 62.0);
    let mut y = TOP;
    for panel in &panels {
        panel.draw(&mut svg, y, row, &axis);
        y += panel.height(row) + BETWEEN;
    }
    scale(&mut svg, y - BETWEEN, &axis);
    svg.finish()
}

impl<'a> Panel<'a> {
    fn new(name: &'a str, (ride, figures): &'a (Ride, Figures), axis: &Axis) -> Self {
        let mut workers = BTreeMap::<u32, Vec<_>>::new();
        for statement in &ride.history.statements {
            workers.entry(statement.worker).or_default().push(statement);
        }
        let labels = labels::place(&ride.timeline.events, axis);
        let lanes = labels.iter().map(|label| label.lane + 1).max().unwrap_or(0);
        Self { name, ride, figures, workers, labels, lanes }
    }

    fn head(&self) -> f64 {
        26.0 + LANE * self.lanes as f64
    }

    fn height(&self, row: f64) -> f64 {
        self.head() + row * self.workers.len() as f64
    }

    fn draw(&self, svg: &mut Svg, top: f64, row: f64, axis: &Axis) {
        let (rows, bottom) = (top + self.head(), top + self.height(row));
        svg.text("heading", (24.0, top + 12.0), self.name);
        svg.text("small", (LEFT, top + 12.0), &self.summary());
        svg.rect("panel", (axis.left, rows), (axis.right - axis.left, bottom - rows), "");
        for (_, x) in axis.ticks() {
            svg.line("grid", (x, rows), (x, bottom));
        }
        for (index, (worker, statements)) in self.workers.iter().enumerate() {
            let y = rows + row * index as f64;
            svg.line("row", (axis.left, y), (axis.right, y));
            if row >= 13.0 {
                svg.text("worker", (LEFT - 10.0, y + row / 2.0 + 4.0), &format!("worker {worker}"));
            }
            let inset = (row * 0.16).min(4.0);
            marks(svg, statements, &self.ride.timeline, axis, y + inset, row - 2.0 * inset);
        }
        for label in &self.labels {
            let class = class_of(label.event.kind);
            let y = top + 26.0 + LANE * label.lane as f64;
            svg.line(&format!("event {class}"), (label.x, y - 3.0), (label.x, bottom));
            let side = if label.ends { " ends" } else { "" };
            svg.text(&format!("label {class}{side}"), (label.text_x, y + 8.0), &label.text);
        }
    }

    fn summary(&self) -> String {
        let Figures { statements, failed, worst_stall, return_to_work: returned, .. } = self.figures;
        let end = match returned.silent {
            0 => format!("worst stall {}", shown(*worst_stall)),
            silent => format!("{silent} of {} workers never wrote again", returned.workers),
        };
        format!("{statements} statements, {failed} failed, {end}")
    }
}

/// Bars first, so that the strokes stay visible; failures last, so that they are never hidden.
fn marks(svg: &mut Svg, statements: &[&Statement], timeline: &Timeline, axis: &Axis, y: f64, height: f64) {
    let x_of = |us: u64| axis.x(seconds(us, timeline));
    let shown_ones = statements.iter().filter(|statement| seconds(statement.end_us, timeline) >= axis.from);
    for statement in shown_ones.clone().filter(|statement| statement.duration() > HELD) {
        let (from, to) = (x_of(statement.start_us).max(axis.left), x_of(statement.end_us));
        svg.rect("held", (from, y), ((to - from).max(1.0), height), &hint(statement, timeline));
    }
    for (class, outcome) in [("ok", Outcome::Ok), ("stale", Outcome::Stale), ("failed", Outcome::Error)] {
        let ends = shown_ones.clone().filter(|statement| statement.outcome == outcome);
        let grains: BTreeSet<_> = ends.map(|statement| (x_of(statement.end_us) / GRAIN).round() as i64).collect();
        svg.strokes(class, grains.into_iter().map(|grain| grain as f64 * GRAIN), y, height);
    }
}

fn hint(statement: &Statement, timeline: &Timeline) -> String {
    let kind = match statement.kind {
        StatementKind::Connect => "connect",
        StatementKind::Insert => "write",
        StatementKind::Select => "read",
    };
    let outcome = match statement.outcome {
        Outcome::Ok => "succeeded".to_owned(),
        Outcome::Stale => "was stale".to_owned(),
        Outcome::Error => format!("failed: {} {}", statement.errno, statement.message),
    };
    let start = seconds(statement.start_us, timeline);
    format!("{kind} at {start:.3} s, held {}, {outcome}", shown(statement.duration()))
}

fn legend(svg: &mut Svg, y: f64) {
    let mut x = 24.0;
    for (class, text) in [("ok", "succeeded"), ("failed", "failed"), ("stale", "stale read")] {
        svg.strokes(class, [x + 2.0, x + 5.0, x + 8.0], y - 11.0, 14.0);
        svg.text("legend", (x + 18.0, y), text);
        x += 42.0 + 7.6 * text.len() as f64;
    }
    svg.rect("held", (x, y - 11.0), (26.0, 14.0), "");
    let text = format!("held longer than {}", shown(HELD));
    svg.text("legend", (x + 34.0, y), &text);
    x += 60.0 + 7.2 * text.len() as f64;
    let events = [
        (EventKind::WriterGone, "writer gone"),
        (EventKind::WriterBack, "writer back"),
        (EventKind::Dns, "DNS"),
        (EventKind::Note, "other event"),
    ];
    for (kind, text) in events {
        let class = class_of(kind);
        svg.line(&format!("event {class}"), (x, y - 4.0), (x + 22.0, y - 4.0));
        svg.text("legend", (x + 29.0, y), text);
        x += 53.0 + 7.6 * text.len() as f64;
    }
}

fn scale(svg: &mut Svg, y: f64, axis: &Axis) {
    for (label, x) in axis.ticks() {
        svg.line("row", (x, y), (x, y + 5.0));
        svg.text("tick", (x, y + 19.0), &label);
    }
    svg.text("tick", ((axis.left + axis.right) / 2.0, y + 40.0), "seconds since the switchover began");
}

fn class_of(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Note => "note",
        EventKind::WriterGone => "gone",
        EventKind::WriterBack => "back",
        EventKind::Dns => "dns",
    }
}

/// Rows that are readable with few workers and still fit a page with many.
fn row_height(panels: &[Panel<'_>]) -> f64 {
    let workers = panels.iter().map(|panel| panel.workers.len()).max().unwrap_or(1).max(1);
    (440.0 / workers as f64).clamp(7.0, 30.0)
}

fn end_of(ride: &Ride) -> f64 {
    let last = ride.history.statements.iter().map(|statement| statement.end_us).max().unwrap_or(0);
    seconds(last, &ride.timeline)
}

fn seconds(us: u64, timeline: &Timeline) -> f64 {
    (us as f64 - timeline.started_us as f64) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_lab::{Audit, Event, History};

    fn statement(worker: u32, start_us: u64, end_us: u64, outcome: Outcome) -> Statement {
        let message = "a <nasty> & \u{1b}[31m message".to_owned();
        Statement { worker, seq: 1, kind: StatementKind::Insert, start_us, end_us, outcome, errno: 1290, message }
    }

    fn ride(statements: Vec<Statement>) -> (Ride, Figures) {
        let event = Event { at: Duration::from_secs(3), kind: EventKind::WriterBack, text: "<green> & co".into() };
        let timeline = Timeline { scenario: "test".into(), started_us: 5_000_000, events: vec![event] };
        let ride = Ride { history: History { statements }, audit: Audit::default(), timeline, stderr: String::new() };
        let figures = Figures::of(&ride);
        (ride, figures)
    }

    fn count(text: &str, class: &str) -> usize {
        let document = roxmltree::Document::parse(text).unwrap();
        document.descendants().filter(|node| node.attribute("class") == Some(class)).count()
    }

    const LEGEND: usize = 1;

    #[test]
    fn each_worker_has_its_strokes_and_each_held_statement_its_bar() {
        let bare = ride(vec![
            statement(1, 4_900_000, 4_900_100, Outcome::Ok),
            statement(1, 5_100_000, 5_100_100, Outcome::Error),
        ]);
        let protected = ride(vec![
            statement(1, 5_100_000, 8_100_000, Outcome::Ok),
            statement(2, 5_200_000, 8_200_000, Outcome::Error),
        ]);
        let text = draw("<title> & \"more\"", &[("bare", &bare), ("protected", &protected)]);
        assert_eq!(count(&text, "worker"), 3);
        assert_eq!(count(&text, "held"), 2 + LEGEND);
        assert_eq!(
            (count(&text, "ok"), count(&text, "failed"), count(&text, "stale")),
            (2 + LEGEND, 2 + LEGEND, LEGEND)
        );
        assert_eq!(count(&text, "label back ends"), 2, "near the end of the axis");
    }

    #[test]
    fn a_ride_without_a_statement_is_drawn_all_the_same() {
        let empty = ride(vec![]);
        assert_eq!(count(&draw("", &[("bare", &empty), ("protected", &empty)]), "heading"), 2);
    }
}
