//! What the integration tests share: the library under test, and labs that may be unavailable.

pub mod puppet;

use std::path::PathBuf;

use pointsman_lab::{Flavor, Lab};

/// The release build of the library under test.
pub fn library() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/release/libpointsman.so");
    path.canonicalize()
        .unwrap_or_else(|error| panic!("{}: {error}; build it first: cargo build --release", path.display()))
}

/// A blue/green pair, or `None` with a line that says why this machine cannot have one.
pub fn pair(flavor: Flavor) -> Option<Lab> {
    match Lab::builder().both(flavor).start() {
        Err(error) if error.is_unavailable() => {
            println!("skipped: {error}");
            None
        }
        lab => Some(lab.expect("a lab")),
    }
}
