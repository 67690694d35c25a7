//! The `pointsman` command: runs a program protected, says whether one can be, drills a switchover, soaks the library in
//! many. Here: options in, exit code out.
//!
//! | module | idea |
//! |---|---|
//! | `options` | what can be asked for |
//! | `duration` | `500ms`, `4s`, `2m`, in and out |
//! | `library` | where `libpointsman.so` is |
//! | `run` | becomes the program, with the library preloaded |
//! | `doctor` | whether the library can reach a program, and why not |
//! | `drill` | a switchover on real servers, bare beside protected |
//! | `soak` | a campaign of random stories on real servers |
//! | `table` | plain-text tables |

mod doctor;
mod drill;
mod duration;
mod library;
mod options;
mod run;
mod soak;
mod table;

use std::process::ExitCode;

use clap::Parser;

use options::{Ask, Options};

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return options::explain(&error),
    };
    match options.ask {
        Ask::Run(ask) => run::run(&ask),
        Ask::Doctor(ask) => doctor::doctor(&ask),
        Ask::Drill(ask) => drill::drill(&ask),
        Ask::Soak(ask) => soak::soak(&ask),
    }
}
