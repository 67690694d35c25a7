//! Where the labels of events stand: each at its line, in the first lane in which it overlaps no other.

use pointsman_lab::Event;

use super::axis::Axis;

/// One event's line and label.
pub struct Placed<'a> {
    pub event: &'a Event,
    pub text: String,
    /// Of the line.
    pub x: f64,
    /// Of the label's side that is next to the line.
    pub text_x: f64,
    /// Whether the label ends at its line, as it must near the end of the axis, instead of beginning there.
    pub ends: bool,
    pub lane: usize,
}

/// The mean width of a letter at 12 px, generously.
const LETTER: f64 = 7.0;
const GAP: f64 = 5.0;

pub fn place<'a>(events: &'a [Event], axis: &Axis) -> Vec<Placed<'a>> {
    // Per lane, what is taken: lines reach down through all lower lanes, so the lowest lane goes to the first event.
    let mut lanes: Vec<Vec<(f64, f64)>> = vec![];
    let mut placed = vec![];
    for event in events {
        let text = format!("{:.2} s: {}", event.at.as_secs_f64(), event.text);
        let (x, width) = (axis.x(event.at.as_secs_f64()), LETTER * text.chars().count() as f64);
        let ends = x + GAP + width > axis.right;
        let text_x = if ends { x - GAP } else { x + GAP };
        let span = if ends { (text_x - width, x + GAP) } else { (x, text_x + width) };
        let free = |lane: &Vec<(f64, f64)>| lane.iter().all(|taken| span.1 < taken.0 || span.0 > taken.1);
        let lane = lanes.iter().position(free).unwrap_or(lanes.len());
        if lane == lanes.len() {
            lanes.push(vec![]);
        }
        lanes[lane].push(span);
        placed.push(Placed { event, text, x, text_x, ends, lane });
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_lab::EventKind;
    use std::time::Duration;

    fn event(ms: u64, text: &str) -> Event {
        Event { at: Duration::from_millis(ms), kind: EventKind::Note, text: text.into() }
    }

    #[test]
    fn labels_at_one_moment_stand_below_each_other_and_distant_ones_share_a_lane() {
        let axis = Axis::new(-1.0, 9.0, 0.0, 1000.0);
        let events =
            [event(0, "blue is read-only"), event(2, "green has everything"), event(5000, "green is writable")];
        let lanes: Vec<_> = place(&events, &axis).iter().map(|label| label.lane).collect();
        assert_eq!(lanes, [0, 1, 0]);
    }

    #[test]
    fn a_label_near_the_end_stays_on_the_sheet() {
        let axis = Axis::new(-1.0, 9.0, 0.0, 1000.0);
        let events = [event(8900, "DNS: db.lab.test is green, TTL 1 s")];
        let label = &place(&events, &axis)[0];
        assert!(label.ends && label.text_x < label.x && label.x <= axis.right);
    }
}
