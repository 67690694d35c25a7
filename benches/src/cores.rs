//! Who runs on which core. What is measured, servers included, shares one: whatever is spent by anybody shows, nothing runs
//! on a core that is idle otherwise, and where the scheduler puts whom plays no part.

use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

struct Cores {
    one: CpuSet,
    /// Empty on a machine with one core.
    others: CpuSet,
}

static CORES: OnceLock<Cores> = OnceLock::new();

/// From now on this process and all that it starts share one core.
pub fn share_one() {
    let mut others = sched_getaffinity(None).expect("the cores that this process may run on");
    let last = (0..CpuSet::MAX_CPU).rev().find(|core| others.is_set(*core)).expect("there is one");
    let mut one = CpuSet::new();
    one.set(last);
    others.unset(last);
    run_on(&one);
    assert!(CORES.set(Cores { one, others }).is_ok(), "shared once");
}

/// As long as it lives, this thread, and what it starts, runs elsewhere: it measures those that share the one core.
pub struct Aside(());

pub fn step_aside() -> Aside {
    let cores = CORES.get().expect("cores are shared by now");
    if cores.others.count() > 0 {
        run_on(&cores.others);
    }
    Aside(())
}

impl Drop for Aside {
    fn drop(&mut self) {
        run_on(&CORES.get().expect("set before").one);
    }
}

fn run_on(cores: &CpuSet) {
    sched_setaffinity(None, cores).expect("cores that are allowed");
}
