//! Randomness to keep a thousand processes from asking in step. Nothing secret depends on it, so 64 bits of
//! xorshift (Marsaglia 2003) do, without a crate or a system call.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A sequence of waits.
#[derive(Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// Seeded from clock and process id: two processes forked in one nanosecond still differ.
    pub fn new() -> Self {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_seed(clock.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(32))
    }

    pub fn from_seed(seed: u64) -> Self {
        // Splitmix's increment: zero is the one state that xorshift never leaves.
        Self(seed.wrapping_add(0x9e37_79b9_7f4a_7c15).max(1))
    }

    /// Uniform from `least` to `most`, in whole microseconds.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let span = most.saturating_sub(least).as_micros() as u64;
        least + Duration::from_micros(self.0 % (span + 1))
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::new()
    }
}
