//! A story of the lab under a naive program with the library, four connections at a time.

use std::time::Duration;

use pointsman_lab::{Audit, Flavor, Lab, Scenario, Server, Workload, WorkloadOptions};

use crate::library;

pub const OUTAGE: Duration = Duration::from_millis(1500);
pub const DNS_LAG: Duration = Duration::from_millis(1000);
pub const WORKERS: u32 = 4;
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Protected, and with what the account needs on that server: MySQL insists on TLS for its default authentication, and
/// the server's name is verified too.
pub fn protected(flavor: Flavor) -> WorkloadOptions {
    let mut options = WorkloadOptions::default().threads(WORKERS).preload(library());
    options.tls = flavor == Flavor::MySql;
    options
}

/// The program's history, compared with what is on the server that `keeper` gives when the story is over.
pub fn lives_through<'a>(
    lab: &Lab,
    workload: Workload,
    options: WorkloadOptions,
    scenario: &Scenario,
    keeper: impl FnOnce() -> &'a Server,
) -> Audit {
    scenario.prepare(lab).unwrap();
    let running = workload.start(lab, options).unwrap();
    running.wait_for_every_worker(PATIENCE, WORKERS).unwrap();
    running.wait_for(PATIENCE, "60 statements", |stats| stats.statements >= 60).unwrap();
    let timeline = scenario.run(lab, &mut |_| {}).unwrap();
    let resumed = running.wait_for_every_worker(PATIENCE, WORKERS);
    println!("{timeline}\nstderr of the program:\n{}", running.stderr());
    resumed.unwrap();
    let keeper = keeper();
    let audit = running.stop().unwrap().check(keeper).unwrap();
    println!("{audit}\n{}", scenario.stall(&timeline, &audit));
    audit
}
