//! Random numbers that a seed repeats, on every machine and in every version: what a campaign found can be run again.
//!
//! A crate of its own, since the library's unit tests and the lab draw from it, and neither knows the other.

use std::ops::RangeInclusive;
use std::time::Duration;

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `range`, both ends included.
    pub fn number(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.roll() % (range.end() - range.start() + 1)
    }

    /// From 0 up to and without `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// True so often in a hundred times.
    pub fn percent(&mut self, often: u64) -> bool {
        self.number(1..=100) <= often
    }

    /// One of `list`, which is not empty.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.number(0..=list.len() as u64 - 1) as usize]
    }

    /// A whole number of milliseconds.
    pub fn time(&mut self, milliseconds: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.number(milliseconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_rolls_the_same_numbers_for_ever() {
        let rolled: Vec<_> = (0..3).scan(Dice::new(0), |dice, _| Some(dice.roll())).collect();
        assert_eq!(rolled, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn both_ends_of_a_range_are_rolled() {
        let mut dice = Dice::new(1);
        let seen: std::collections::BTreeSet<_> = (0..100).map(|_| dice.number(3..=5)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
    }
}
