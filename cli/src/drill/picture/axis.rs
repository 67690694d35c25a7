//! The time axis: seconds to pixels, and round numbers at readable distances.

pub struct Axis {
    /// In seconds.
    pub from: f64,
    to: f64,
    /// In pixels.
    pub left: f64,
    pub right: f64,
}

/// A label needs this many pixels.
const APART: f64 = 70.0;
const STEPS: [f64; 9] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

impl Axis {
    pub fn new(from: f64, to: f64, left: f64, right: f64) -> Self {
        // Never empty: a division by its length must not fail.
        Self { from, to: to.max(from + 0.1), left, right }
    }

    pub fn x(&self, seconds: f64) -> f64 {
        self.left + (seconds - self.from) / (self.to - self.from) * (self.right - self.left)
    }

    /// Labels and pixels.
    pub fn ticks(&self) -> impl Iterator<Item = (String, f64)> {
        let least = APART * (self.to - self.from) / (self.right - self.left);
        let step = STEPS.into_iter().find(|step| *step >= least).unwrap_or(300.0);
        let (first, last) = ((self.from / step).ceil() as i64, (self.to / step).floor() as i64);
        let digits = usize::from(step < 1.0);
        (first..=last).map(move |tick| {
            let seconds = tick as f64 * step;
            (format!("{seconds:.digits$}"), self.x(seconds))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_lie_on_the_axis() {
        let axis = Axis::new(-1.0, 9.0, 100.0, 1100.0);
        let ticks: Vec<_> = axis.ticks().collect();
        assert_eq!(ticks.first(), Some(&("-1".to_owned(), 100.0)));
        assert_eq!(ticks.last(), Some(&("9".to_owned(), 1100.0)));
        assert_eq!(ticks.len(), 11);
    }

    #[test]
    fn a_long_axis_has_few_ticks_and_an_empty_one_some_length() {
        assert!(Axis::new(-1.0, 600.0, 0.0, 1000.0).ticks().count() <= 14);
        assert!(Axis::new(0.0, 0.0, 0.0, 1000.0).x(0.0).is_finite());
    }
}
