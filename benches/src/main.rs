//! `make bench`: what the library costs, each figure beside the bare run of the same minute.
//!
//! Nothing is asserted: a ratio on somebody's busy machine proves nothing. The promises are in docs/bench.md, with the
//! figures of one machine.

mod cores;
mod counter;
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
    cores::share_one();
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
