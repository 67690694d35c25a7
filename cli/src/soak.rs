//! `pointsman soak`: switchovers, outages and misnamings at random, one lab after the other, each under a program with the
//! library preloaded. Here: the order of things and the exit code.
//!
//! | module | idea |
//! |---|---|
//! | `draw` | what one run does, from its seed |
//! | `promise` | what the library is asked to keep, story by story |
//! | `run` | one program through one story, on servers of its own |
//! | `judgement` | what was allowed and what was not: pure |
//! | `evidence` | the files of a run that went wrong |
//! | `tally` | the lines and the table |

mod draw;
mod evidence;
mod judgement;
mod promise;
mod run;
mod tally;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pointsman_lab::{Dice, interrupt};

use crate::library;
use crate::options::{SoakAsk, USAGE};
use draw::Draw;
use tally::{Line, Tally};

const FORBIDDEN: u8 = 1;
const UNAVAILABLE: u8 = 3;
/// Unless the operator says how many, or how long.
const RUNS: u64 = 200;

/// Why there is no campaign.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Library(#[from] library::Error),
    #[error(transparent)]
    Lab(#[from] pointsman_lab::Error),
    #[error("cannot write {}: {}; choose another place with --out", .0.display(), .1)]
    Out(PathBuf, std::io::Error),
}

/// Runs the campaign and reports; the exit code is the result.
pub fn soak(ask: &SoakAsk) -> ExitCode {
    match perform(ask) {
        Ok(tally) if tally.runs() == 0 => ExitCode::from(UNAVAILABLE),
        Ok(tally) => ExitCode::from(if tally.is_clean() { 0 } else { FORBIDDEN }),
        Err(error) => {
            eprintln!("pointsman: {error}");
            ExitCode::from(if matches!(error, Error::Lab(_)) { FORBIDDEN } else { USAGE })
        }
    }
}

fn perform(ask: &SoakAsk) -> Result<Tally, Error> {
    let library = library::find(ask.library.as_deref())?;
    let library = library.canonicalize().unwrap_or(library);
    std::fs::create_dir_all(&ask.out).map_err(|error| Error::Out(ask.out.clone(), error))?;
    interrupt::install()?;
    let mut tally = Tally::default();
    if let Some(seed) = ask.only_run {
        one(&mut tally, 1, &Draw::new(seed), &library, &ask.out)?;
        return Ok(tally);
    }
    let seed = ask.seed.unwrap_or_else(of_the_clock);
    println!("seed {seed:016x}");
    let runs = ask.runs.unwrap_or(if ask.minutes.is_some() { u64::MAX } else { RUNS });
    let end = ask.minutes.map(|minutes| Instant::now() + Duration::from_secs(minutes * 60));
    let mut dice = Dice::new(seed);
    for number in 1..=runs {
        if end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        let draw = std::iter::repeat_with(|| Draw::new(dice.roll()))
            .find(|draw| ask.scenario.is_none_or(|kind| draw.kind == kind))
            .expect("there is no end of draws");
        one(&mut tally, number, &draw, &library, &ask.out)?;
    }
    print!("\n{}", tally.table());
    Ok(tally)
}

/// One run: its line, its place in the tally, and its files if it went wrong.
fn one(tally: &mut Tally, number: u64, draw: &Draw, library: &Path, out: &Path) -> Result<(), Error> {
    let seen = run::take(draw, library);
    // What fails because Ctrl-C ended the servers is no result.
    interrupt::end_if_it_came();
    let seen = match seen {
        Err(error) if error.is_unavailable() => {
            println!("{number:5}  {draw}: skipped: {error}");
            return Ok(());
        }
        Err(error) => {
            println!("{number:5}  {draw}: NO RESULT: {error}");
            tally.no_result(draw.kind);
            return Ok(());
        }
        Ok(seen) => seen,
    };
    let judgement = judgement::of(&seen.witness(draw));
    println!("{}", Line { number, draw, seen: &seen, judgement: &judgement });
    if !judgement.is_clean() {
        let kept = evidence::keep(out, draw, &seen, &judgement);
        println!("       kept in {}", kept.map_err(|(path, error)| Error::Out(path, error))?.display());
    }
    tally.add(draw, &seen, &judgement);
    Ok(())
}

/// Any seed will do that is another one tomorrow: it is printed.
fn of_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Dice::new(now.as_nanos() as u64).roll()
}
