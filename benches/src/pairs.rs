//! Two ways of doing one thing, measured in turn, so that a machine that gets slower meanwhile slows both.

/// What each of two ways took, round by round.
pub struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    /// Measures both `rounds` times; who begins alternates.
    pub fn of(rounds: usize, mut one: impl FnMut() -> f64, mut other: impl FnMut() -> f64) -> Self {
        let round = |at: usize| {
            if at.is_multiple_of(2) {
                let first = one();
                (first, other())
            } else {
                let second = other();
                (one(), second)
            }
        };
        Pairs((0..rounds).map(round).collect())
    }

    /// The median of the rounds' ratios, the other to the one.
    pub fn ratio(&self) -> f64 {
        median(self.0.iter().map(|(one, other)| other / one))
    }

    pub fn medians(&self) -> (f64, f64) {
        (median(self.0.iter().map(|pair| pair.0)), median(self.0.iter().map(|pair| pair.1)))
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value below which that part of them lies; between two of them in proportion.
pub fn quantile(values: impl Iterator<Item = f64>, part: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = (values.len() - 1) as f64 * part;
    let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() {
        let (mut one, mut other) = ([1.0, 10.0, 100.0].into_iter(), [2.0, 10.0, 400.0].into_iter());
        let pairs = Pairs::of(3, || one.next().unwrap(), || other.next().unwrap());
        assert_eq!((pairs.ratio(), pairs.medians()), (2.0, (10.0, 10.0)));
        assert_eq!(median([1.0, 2.0, 4.0, 9.0].into_iter()), 3.0);
        assert_eq!(quantile([1.0, 2.0, 4.0, 9.0].into_iter(), 0.25), 1.75);
    }
}
