//! `make bench`: what the library costs, each figure beside the bare run of the same minute.
//!
//! Nothing is asserted: a ratio on somebody's busy machine proves nothing. The promises are in docs/bench.md, with the
//! figures of one machine.

mod exec;
mod instructions;
mod memory;
mod pairs;
mod peer;
mod point_select;
mod size;
mod turns;

use pointsman_lab::{Flavor, Lab};

fn main() {
    on_one_core();
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    if is_wanted("size") {
        size::print();
    }
    if is_wanted("exec") {
        exec::print();
    }
    let lab = match Lab::builder().blue(Flavor::MariaDb).single().connections(2000).start() {
        Ok(lab) => lab,
        Err(error) if error.is_unavailable() => return println!("skipped: everything with a server: {error}"),
        Err(error) => panic!("{error}"),
    };
    if is_wanted("memory") {
        memory::print(&lab);
    }
    if is_wanted("instructions") {
        instructions::print(&lab);
    }
    if is_wanted("point-select") {
        point_select::print(&lab);
    }
}

/// This process and all that it starts, servers too, share one core: whatever is spent by anybody shows, nothing runs on
/// a core that is idle otherwise, and where the scheduler puts whom plays no part.
fn on_one_core() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None).expect("the cores that this process may run on");
    let last = (0..CpuSet::MAX_CPU).rev().find(|core| allowed.is_set(*core)).expect("there is one");
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).expect("one of the cores that are allowed");
}
