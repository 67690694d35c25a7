//! Waiting for a condition, with a deadline that names what was awaited. Also the clock that all records share.

use crate::error::{Error, Result};
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// How often a condition is looked at that nothing can announce.
const INTERVAL: Duration = Duration::from_millis(5);

/// Asks `poll` until it has a value; `what` and `detail` describe a timeout.
pub(crate) fn until<T>(
    what: &str,
    within: Duration,
    detail: impl Fn() -> String,
    mut poll: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = poll()? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            return Err(Error::Timeout { what: what.to_owned(), within, detail: detail() });
        }
        std::thread::sleep(INTERVAL);
    }
}

/// CLOCK_MONOTONIC in microseconds: the same clock in every process of this machine.
pub fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on every Linux");
    Duration::from(now).as_micros() as u64
}
