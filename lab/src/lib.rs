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
//! let audit = workload.stop()?.check(lab.green())?;
//! println!("{timeline}\n{audit}");
//! # Ok::<(), pointsman_lab::Error>(())
//! ```
//!
//! | module | idea |
//! |---|---|
//! | `lab` | the whole: two servers, DNS and a directory on one slot |
//! | `ground::slot` | which loopback addresses are ours |
//! | `ground::directory` | where a lab keeps its files, and who sweeps up after the dead |
//! | `ground::{roots, template}` | where server programs and ready-made data directories are |
//! | `process::child` | processes that die with us; the only place that ends a process |
//! | `process::sandbox` | programs that see only our resolver; the only `unsafe` |
//! | `process::{interrupt, wait}` | Ctrl-C; waiting for a condition |
//! | `server::{administration, flavor, replication}` | MariaDB and MySQL as running servers |
//! | `server::front` | one address in front of the servers, as a balancer's; late greetings |
//! | `server::galera` | three servers as one cluster |
//! | `server::cut` | a server behind a black hole: dropped packets |
//! | `dns` | the authoritative server for `lab.test` |
//! | `scenario`, `scenario::timeline` | what happens when, and what happened when |
//! | `workload`, `history` | naive applications, and whether they lost anything |

mod dns;
mod error;
mod ground;
mod history;
mod lab;
mod process;
mod scenario;
mod server;
mod workload;

pub use dns::{Dns, DnsMood};
pub use error::{Error, Result};
pub use ground::roots::{System, sid_root};
pub use history::{Audit, ErrorCount, History, Outcome, Statement, StatementKind, Transaction};
pub use lab::{DATABASE, DOMAIN, ENDPOINT, Lab, LabBuilder, PASSWORD, READERS, Side, USER};
pub use pointsman_dice::Dice;
pub use process::child::{Kept, spawn};
pub use process::interrupt;
pub use process::sandbox::SandboxKind;
pub use process::wait::monotonic_us;
pub use scenario::timeline::{Event, EventKind, Timeline};
pub use scenario::{
    Absence, Action, Blip, Handover, Loss, RunningScenario, Scenario, ScenarioKind, Stall, Step, TopologyStatus,
};
pub use server::flavor::Flavor;
pub use server::front::Delays;
pub use server::{Server, Silence};
pub use workload::{Form, Habits, Naming, RunningWorkload, Stats, Workload, WorkloadOptions};
