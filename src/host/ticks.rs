//! A counter of the processor: a few nanoseconds a look, where even a clock without a system call takes ten times that. How
//! fast it runs is the machine's business, so it tells no time, only that next to none has passed.

/// What the counter says. It runs evenly, and on all cores nearly the same.
#[inline]
pub fn now() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has it, and the kernel's own clocks for programs (vDSO) use it.
    return unsafe { core::arch::x86_64::_rdtsc() };
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: reads a register; Linux lets programs do that, and its own clocks for them use it.
        unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
        ticks
    }
}

/// 10 microseconds or so have not passed since.
#[inline]
pub fn are_few_since(then: u64) -> bool {
    now().wrapping_sub(then) < few()
}

/// A second or so has not passed since: 0.3 to 1.5 s.
pub fn are_less_than_a_second_since(then: u64) -> bool {
    now().wrapping_sub(then) < 50_000 * few()
}

/// It runs at 1 to 5 GHz: these are 6 to 30 microseconds.
#[cfg(target_arch = "x86_64")]
fn few() -> u64 {
    30_000
}

#[cfg(target_arch = "aarch64")]
fn few() -> u64 {
    let hertz: u64;
    // SAFETY: as above.
    unsafe { core::arch::asm!("mrs {}, cntfrq_el0", out(reg) hertz, options(nomem, nostack)) };
    hertz / 100_000
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn ticks_are_few_at_once_and_never_after_a_while() {
        let at_once = || are_few_since(now());
        // The thread may lose its core in between, but not each time.
        assert!((0..1000).any(|_| at_once()));
        let (then, began) = (now(), Instant::now());
        while began.elapsed() < Duration::from_micros(100) {}
        assert!(!are_few_since(then) && !are_few_since(0));
        assert!(are_less_than_a_second_since(then) && !are_less_than_a_second_since(0));
    }
}
