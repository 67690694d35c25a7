//! Random numbers that a seed repeats, on every machine and in every version.

use std::{ops::RangeInclusive, time::Duration};

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One number of `range`, both ends included.
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

    /// One element of `list`, which is not empty.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.number(0..=list.len() as u64 - 1) as usize]
    }

    /// True so often in a hundred times.
    pub fn percent(&mut self, often: u64) -> bool {
        self.number(1..=100) <= often
    }

    /// A whole number of milliseconds.
    pub fn time(&mut self, milliseconds: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.number(milliseconds))
    }
}
