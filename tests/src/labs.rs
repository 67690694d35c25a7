//! Labs that a machine may be unable to have, and what many proofs do with them.

use std::{sync::OnceLock, time::Duration};

use pointsman_lab::{Flavor, Lab, Scenario, Side};

/// A blue/green pair, or `None` with a line that says why this machine cannot have one.
pub fn pair(flavor: Flavor) -> Option<Lab> {
    started(Lab::builder().both(flavor).start())
}

/// A pair without replication: each server has the account and the table.
pub fn strangers(blue: Flavor, green: Flavor) -> Option<Lab> {
    assert_ne!(blue, green, "two of a kind replicate");
    started(Lab::builder().blue(blue).green(green).start())
}

/// A pair whose servers accept so many connections.
pub fn crowded_pair(flavor: Flavor, connections: u32) -> Option<Lab> {
    started(Lab::builder().both(flavor).connections(connections).start())
}

/// A lab with one server.
pub fn single(flavor: Flavor) -> Option<Lab> {
    started(Lab::builder().blue(flavor).single().start())
}

/// A lab that the tests of one file share; its servers end with the process.
pub struct Shared(OnceLock<Option<Lab>>);

impl Shared {
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub fn get(&self, start: impl FnOnce() -> Option<Lab>) -> Option<&Lab> {
        let lab = self.0.get_or_init(start).as_ref();
        if lab.is_none() {
            println!("skipped: no lab, see the first test");
        }
        lab
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self::new()
    }
}

fn started(lab: pointsman_lab::Result<Lab>) -> Option<Lab> {
    match lab {
        Err(error) if error.is_unavailable() => {
            println!("skipped: {error}");
            None
        }
        lab => Some(lab.expect("a lab")),
    }
}

/// A table of the tests' own, `t`, with a generated `id` and a text `v`.
pub fn with_table(lab: &Lab) {
    lab.blue().sql("CREATE TABLE shop.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(99))").expect("a table");
}

/// A switchover without an outage: blue read-only, green writable with everything, DNS on green.
pub fn switch(lab: &Lab) {
    Scenario::read_only(Duration::ZERO, Duration::ZERO).run(lab, &mut |_| {}).expect("a switchover");
}

/// What a driven program answers to `SELECT @@server_id` on that server.
pub fn server_id(lab: &Lab, side: Side) -> String {
    let id = lab.server(side).sql("SELECT @@server_id").expect("an id");
    format!("ok (({},),)", id.trim())
}
