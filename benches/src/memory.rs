//! What a thousand connections weigh with us, beyond what the client library itself takes.

use pointsman_lab::{DATABASE, ENDPOINT, Lab, PASSWORD, USER};
use pointsman_tests::{
    compile::mariadb_program,
    run::{self, Preload},
};

const CONNECTIONS: u32 = 1000;

pub fn print(lab: &Lab) {
    let [bare, protected] = [Preload::Bare, Preload::Preloaded].map(|preload| weight(lab, preload));
    println!(
        "memory: a connection takes {bare:.0} bytes bare and {protected:.0} protected: {:.0} bytes are ours",
        protected - bare
    );
}

/// Bytes of resident memory that each further connection takes.
fn weight(lab: &Lab, preload: Preload) -> f64 {
    let mut command = run::command(lab, mariadb_program("bench"), preload);
    command.args([ENDPOINT, &lab.port().to_string(), USER, PASSWORD, DATABASE, "connections"]);
    command.arg(CONNECTIONS.to_string());
    let ran = run::run(command);
    assert_eq!(ran.status, 0, "{ran:?}");
    let kib: f64 = ran.stdout.trim().parse().expect("a number of KiB");
    kib * 1024.0 / f64::from(CONNECTIONS)
}
