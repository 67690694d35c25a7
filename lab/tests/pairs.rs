//! Every workload against every pair: that it connects, writes, and that what it wrote is there.

use pointsman_lab::{Audit, Flavor, Lab, Scenario, Workload, WorkloadOptions};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);

fn lab(flavor: Flavor) -> Option<Lab> {
    let started = Instant::now();
    match Lab::builder().both(flavor).start() {
        Err(error) if error.is_unavailable() => {
            println!("skipped: {error}");
            None
        }
        lab => {
            println!("a {flavor} pair started in {:?}", started.elapsed());
            Some(lab.unwrap())
        }
    }
}

fn every_workload_sees_the_switchover(flavor: Flavor, options: &WorkloadOptions) {
    let Some(lab) = lab(flavor) else { return };
    let mut running = Vec::new();
    for workload in Workload::ALL {
        match workload.start(&lab, options.clone()) {
            Err(error) if error.is_unavailable() => println!("skipped {workload}: {error}"),
            started => running.push(started.unwrap()),
        }
    }
    for workload in &running {
        let name = format!("writes by every worker of {}", workload.workload());
        workload.wait_for_every_worker(SOON, options.threads).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(workload.stats().failed, 0, "{:?}", workload.statements().last());
    }
    let halt = Duration::from_millis(100);
    println!("{}", Scenario::read_only(halt, halt).run(&lab, &mut |_| ()).unwrap());
    for workload in running {
        let name = workload.workload();
        let before = workload.stats().failed;
        workload.wait_for(SOON, "failures on the old writer", |s| s.failed >= before + 20).unwrap();
        let audit: Audit = workload.stop().unwrap().check(lab.green()).unwrap();
        println!("{name}: {audit}");
        assert!(audit.is_consistent(), "{name}: {audit}");
        assert_eq!(audit.errors.keys().copied().collect::<Vec<_>>(), [1290], "{name}: {audit}");
    }
}

#[test]
fn every_workload_is_left_behind_by_a_mariadb_switchover() {
    every_workload_sees_the_switchover(Flavor::MariaDb, &WorkloadOptions::default().threads(2));
}

#[test]
fn every_workload_is_left_behind_by_a_mysql_switchover() {
    every_workload_sees_the_switchover(Flavor::MySql, &WorkloadOptions::default().threads(2));
}

#[test]
fn every_workload_verifies_the_servers_name_under_tls_on_mariadb() {
    every_workload_sees_the_switchover(Flavor::MariaDb, &WorkloadOptions::default().threads(2).tls());
}

#[test]
fn every_workload_verifies_the_servers_name_under_tls_on_mysql() {
    every_workload_sees_the_switchover(Flavor::MySql, &WorkloadOptions::default().threads(2).tls());
}

#[test]
fn every_workload_refuses_a_certificate_for_another_name() {
    // The certificate's wildcard stands for one label only.
    const OTHER: &str = "not.covered.lab.test";
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Some(lab) = lab(flavor) else { continue };
        lab.dns().set(OTHER, &[lab.blue().ip()], 1).unwrap();
        for workload in Workload::ALL {
            let options = WorkloadOptions::default().threads(1).tls().host(OTHER);
            let running = workload.start(&lab, options).unwrap();
            let stats = running.wait_for(SOON, "a connect", |s| s.statements > 0).unwrap();
            let first = &running.statements()[0];
            assert_eq!(stats.connects, 0, "{workload} on {flavor} connected");
            assert!(first.message.contains("certificate"), "{workload} on {flavor}: {first:?}");
        }
    }
}
