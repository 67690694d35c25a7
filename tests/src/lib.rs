//! What the integration tests share: the library under test, labs that may be unavailable, and programs that run with
//! and without the library. The proofs are in `../tests`, the programs in `../programs`.
//!
//! | module | idea |
//! |---|---|
//! | `labs` | pairs of servers and single ones, which this machine may be unable to have; a table, a switchover |
//! | `matrix` | one proof on both servers, with both client libraries |
//! | `programs` | how the programs are compiled, run, driven and watched |
//! | `network` | what stands before a server: `proxy` loses answers, `relay` counts logins, `slow` is slow |
//! | `recorder` | a proxy that writes down what is said, and has the tracker follow it |
//! | `protocol` | the library's tracker of the protocol, which imports std only |
//! | `histories` | what sessions live through, drawn by dice, and whether a move may show |
//! | `story` | a scenario of the lab under a naive program |
//! | `scale` | how much a randomised test does, and from which seed |
//! | `many` | many statements at once, of which each may fail |

mod histories;
mod labs;
pub mod many;
mod matrix;
mod network;
mod programs;
#[path = "../../src/wire/protocol/mod.rs"]
pub mod protocol;
pub mod scale;
pub mod story;

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

pub use histories::{comparison, grammar, phrases, reasons, states, twins};
pub use labs::{Shared, crowded_pair, pair, server_id, single, strangers, switch, with_table};
pub use matrix::drivers;
pub use network::{proxy, recorder, relay, slow};
pub use pointsman_lab::{DATABASE, Flavor, PASSWORD, USER};
pub use programs::{
    compile, dialogue, everywhere, fastcgi, offspring, puppet, run, source, stage, standstill, teller, visitors,
};

/// The release build of the library under test.
pub fn library() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/release/libpointsman.so");
    path.canonicalize()
        .unwrap_or_else(|error| panic!("{}: {error}; build it first: cargo build --release", path.display()))
}

/// Waits for something that nothing announces.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited 20 s in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
