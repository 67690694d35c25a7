//! Real servers, a real DNS server, timed switchovers and naive applications, on the loopback interface of one machine.
//!
//! ```no_run
//! use pointsman_lab::{Flavor, Lab, Scenario, Workload, WorkloadOptions};
//! use std::time::Duration;
//!
//! let lab = Lab::builder().both(Flavor::MariaDb).start()?;
//! let workload = Workload::Mysql2.start(&lab, WorkloadOptions::default())?;
//! workload.wait_for(Duration::from_secs(10), "100 inserts", |s| s.acknowledged >= 100)?;
//! let scenario = Scenario::read_only(Duration::from_millis(500), Duration::from_millis(500));
//! let timeline = scenario.run(&lab, &mut |event| println!("{event}"))?;
//! let verdict = workload.stop()?.check(lab.green())?;
//! println!("{timeline}\n{verdict}");
//! # Ok::<(), pointsman_lab::Error>(())
//! ```
//!
//! | module | idea |
//! |---|---|
//! | `lab` | the whole: two servers, DNS and a directory on one slot |
//! | `slot` | which loopback addresses are ours |
//! | `ground` | where a lab keeps its files, and who sweeps up after the dead |
//! | `child` | processes that die with us; the only place that ends a process |
//! | `roots`, `template` | where server programs and ready-made data directories are |
//! | `flavor`, `server`, `replication` | MariaDB and MySQL as running servers |
//! | `front` | one address in front of the servers, as a balancer's; late greetings |
//! | `galera` | three servers as one cluster |
//! | `cut` | a server behind a black hole: dropped packets |
//! | `dice` | random numbers that a seed repeats |
//! | `dns` | the authoritative server for `lab.test` |
//! | `sandbox` | programs that see only our resolver; the only `unsafe` |
//! | `scenario`, `timeline` | what happens when, and what happened when |
//! | `workload`, `history` | naive applications, and whether they lost anything |
//! | `interrupt` | Ctrl-C |

mod child;
mod cut;
mod dice;
mod dns;
mod error;
mod flavor;
mod front;
mod galera;
mod ground;
mod history;
pub mod interrupt;
mod lab;
mod replication;
mod roots;
mod sandbox;
mod scenario;
mod server;
mod slot;
mod template;
mod timeline;
mod wait;
mod workload;

pub use child::{Kept, spawn};
pub use dice::Dice;
pub use dns::{Dns, DnsMood};
pub use error::{Error, Result};
pub use flavor::Flavor;
pub use front::Delays;
pub use history::{ErrorCount, History, Outcome, Statement, StatementKind, Transaction, Verdict};
pub use lab::{DATABASE, DOMAIN, ENDPOINT, Lab, LabBuilder, PASSWORD, READERS, Side, USER};
pub use roots::{System, sid_root};
pub use sandbox::SandboxKind;
pub use scenario::{
    Absence, Action, Blip, Handover, Loss, RunningScenario, Scenario, ScenarioKind, Stall, Step, TopologyStatus,
};
pub use server::{Server, Silence};
pub use timeline::{Event, EventKind, Timeline};
pub use wait::monotonic_us;
pub use workload::{Form, Habits, Naming, RunningWorkload, Stats, Workload, WorkloadOptions};
