//! `pointsman drill`: one switchover on real servers of this machine, twice: under a bare program, then under the same
//! program with the library preloaded. Here: the order of things and the exit code.
//!
//! | module | idea |
//! |---|---|
//! | `plan` | what this drill does, from the options |
//! | `ride` | one program through one switchover, on servers of its own |
//! | `progress` | what is told while it runs |
//! | `figures` | what one ride amounts to, in numbers |
//! | `report` | the numbers for a reader: table, errors, a sentence; or JSON |
//! | `picture` | both rides on one time axis |
//! | `svg` | writes well-formed SVG |

mod figures;
mod picture;
mod plan;
mod progress;
mod report;
mod ride;
mod svg;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pointsman_lab::interrupt;

use crate::library;
use crate::options::{DrillAsk, USAGE};
use figures::Figures;
use plan::Plan;
use progress::Progress;
use ride::Ride;

const FAILED: u8 = 1;
const UNAVAILABLE: u8 = 3;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Library(#[from] library::Error),
    #[error(transparent)]
    Lab(#[from] pointsman_lab::Error),
    #[error("cannot write {}: {}; choose another place with --out", .0.display(), .1)]
    Out(PathBuf, std::io::Error),
}

/// What a finished drill has to show.
struct Outcome {
    plan: Plan,
    bare: (Ride, Figures),
    protected: (Ride, Figures),
}

/// Runs it and reports; the exit code is the result.
pub fn drill(ask: &DrillAsk) -> ExitCode {
    match perform(ask) {
        Ok(clean) => ExitCode::from(if clean { 0 } else { FAILED }),
        Err(Error::Lab(error)) if error.is_unavailable() => {
            println!("skipped: {error}");
            ExitCode::from(UNAVAILABLE)
        }
        Err(error) => {
            eprintln!("pointsman: {error}");
            ExitCode::from(if matches!(error, Error::Lab(_)) { FAILED } else { USAGE })
        }
    }
}

fn perform(ask: &DrillAsk) -> Result<bool, Error> {
    let library = library::find(ask.library.as_deref())?;
    // Where links inside the sandbox would lead is another question; the file itself is there under its real path.
    let library = library.canonicalize().unwrap_or(library);
    // Before a minute of switchovers, not after.
    std::fs::create_dir_all(&ask.out).map_err(|error| Error::Out(ask.out.clone(), error))?;
    interrupt::install()?;
    let plan = Plan::new(ask);
    let progress = Progress::new();
    progress.say(&plan.title());
    let ride = |name, preload| -> Result<(Ride, Figures), Error> {
        let ride = Ride::take(&plan, preload, progress.of(name))?;
        let figures = Figures::of(&ride);
        Ok((ride, figures))
    };
    let bare = ride("bare", None)?;
    let protected = ride("protected", Some(library.as_path()))?;
    progress.end();
    let outcome = Outcome { plan, bare, protected };
    let picture = draw(&outcome, &ask.out)?;
    if ask.json {
        println!("{}", report::json(&outcome, &picture));
    } else {
        print!("{}", report::text(&outcome, &picture));
    }
    Ok(outcome.protected.1.is_clean())
}

fn draw(outcome: &Outcome, directory: &Path) -> Result<PathBuf, Error> {
    let path = directory.join(format!("{}.svg", outcome.plan.file_name()));
    let text = picture::draw(&outcome.plan.title(), &[("bare", &outcome.bare), ("protected", &outcome.protected)]);
    std::fs::write(&path, text).map_err(|error| Error::Out(path.clone(), error))?;
    Ok(path)
}
