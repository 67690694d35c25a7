//! What the integration tests share: the library under test, labs that may be unavailable, and programs that run with
//! and without the library.

pub mod comparison;
pub mod compile;
pub mod dialogue;
pub mod everywhere;
pub mod fastcgi;
pub mod grammar;
pub mod many;
pub mod offspring;
pub mod phrases;
pub mod proxy;
pub mod puppet;
pub mod reasons;
pub mod relay;
pub mod run;
pub mod scale;
pub mod slow;
pub mod stage;
pub mod standstill;
pub mod states;
pub mod story;
pub mod teller;
pub mod twins;
pub mod visitors;

use std::{
    path::PathBuf,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

pub use pointsman_lab::{DATABASE, Flavor, PASSWORD, USER};
use pointsman_lab::{Lab, Scenario, Side};

/// The release build of the library under test.
pub fn library() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/release/libpointsman.so");
    path.canonicalize()
        .unwrap_or_else(|error| panic!("{}: {error}; build it first: cargo build --release", path.display()))
}

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

/// Waits for something that nothing announces.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited 20 s in vain for {what}");
        thread::sleep(Duration::from_millis(2));
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

/// Proofs that run on both servers: `on_both!(set_up; name name …)` makes a test of each `proofs::name(&lab)`, in a lab
/// of its own on which `set_up(&lab)` was run.
#[macro_export]
macro_rules! on_both {
    ($set_up:path; $($name:ident)*) => {$(
        #[test]
        fn $name() {
            for flavor in [$crate::Flavor::MariaDb, $crate::Flavor::MySql] {
                let Some(lab) = $crate::pair(flavor) else { return };
                $set_up(&lab);
                proofs::$name(&lab);
            }
        }
    )*};
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
