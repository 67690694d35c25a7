//! The programs of `programs/`: how they are compiled, run, driven and watched.
//!
//! | module | idea |
//! |---|---|
//! | `compile`, `run` | from a source file to a program; one that runs to its end, with the library and without |
//! | `dialogue`, `puppet`, `stage` | an application that is told what to do, line by line |
//! | `teller` | the bank |
//! | `visitors`, `fastcgi` | who asks a web application |
//! | `everywhere` | a machine whose every program is preloaded |
//! | `offspring`, `standstill` | what a process has forked, and what it waits for |

pub mod compile;
pub mod dialogue;
pub mod everywhere;
pub mod fastcgi;
pub mod offspring;
pub mod puppet;
pub mod run;
pub mod stage;
pub mod standstill;
pub mod teller;
pub mod visitors;

use std::path::{Path, PathBuf};

/// A file of `programs/`, named with its folder: `python/client.py`.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(name)
}
