//! `pointsman soak`: switchovers, outages and misnamings at random, each under a program with the library preloaded, and
//! again under its bare twin. Here: the order of things and the exit code.
//!
//! | module | idea |
//! |---|---|
//! | `draw` | what one run does, from its seed |
//! | `promise` | what the library is asked to keep, story by story |
//! | `run` | one program through one story, on servers of its own |
//! | `pair` | the same story under the protected program and under its bare twin |
//! | `judgement` | what was allowed and what was not: pure |
//! | `twin` | where the protected program did worse than the bare one: pure |
//! | `evidence` | the files of a run that went wrong |
//! | `tally` | the lines and the table |

mod draw;
mod evidence;
mod judgement;
mod pair;
mod promise;
mod run;
mod tally;
mod twin;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pointsman_lab::{Dice, ScenarioKind, interrupt};

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
    let tally = Mutex::new(Tally::default());
    let labs = Labs { library: &library, out: &ask.out, tally: &tally };
    if let Some(seed) = ask.only_run {
        labs.one(1, &Draw::of(seed, ask.scenario))?;
        return Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner));
    }
    let seed = ask.seed.unwrap_or_else(of_the_clock);
    println!("seed {seed:016x}");
    let runs = ask.runs.unwrap_or(if ask.minutes.is_some() { u64::MAX } else { RUNS });
    let end = ask.minutes.map(|minutes| Instant::now() + Duration::from_secs(minutes * 60));
    let draws = Mutex::new((1..=runs).zip(draws(seed, ask.scenario)));
    let work = || -> Result<(), Error> {
        while end.is_none_or(|end| Instant::now() < end) {
            let Some((number, draw)) = locked(&draws).next() else { break };
            labs.one(number, &draw)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..ask.jobs).map(|_| scope.spawn(work)).collect();
        let ends = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|p| std::panic::resume_unwind(p)));
        ends.collect::<Result<(), Error>>()
    })?;
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    print!("\n{}", tally.table());
    Ok(tally)
}

/// The runs of a campaign, without an end.
fn draws(seed: u64, scenario: Option<ScenarioKind>) -> impl Iterator<Item = Draw> + Send {
    let mut dice = Dice::new(seed);
    let all = std::iter::repeat_with(move || Draw::new(dice.roll()));
    all.filter(move |draw| scenario.is_none_or(|kind| draw.kind == kind))
}

/// What the runs of a campaign share.
struct Labs<'a> {
    library: &'a Path,
    out: &'a Path,
    tally: &'a Mutex<Tally>,
}

impl Labs<'_> {
    /// One run: its line, its place in the tally, and its files if it went wrong.
    fn one(&self, number: u64, draw: &Draw) -> Result<(), Error> {
        let pair = pair::take(draw, self.library);
        // What fails because Ctrl-C ended the servers is no result.
        interrupt::end_if_it_came();
        let pair = match pair {
            Err(error) if error.is_unavailable() => {
                println!("{number:5}  {draw}: skipped: {error}");
                return Ok(());
            }
            Err(error) => {
                println!("{number:5}  {draw}: NO RESULT: {error}");
                locked(self.tally).no_result(draw.kind);
                return Ok(());
            }
            Ok(pair) => pair,
        };
        let mut line = Line { number, draw, pair: &pair }.to_string();
        if !pair.judgement.is_clean() {
            let kept = evidence::keep(self.out, draw, &pair).map_err(|(path, error)| Error::Out(path, error))?;
            line += &format!("\n       kept in {}", kept.display());
        }
        println!("{line}");
        locked(self.tally).add(draw, &pair);
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Any seed will do that is another one tomorrow: it is printed.
fn of_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Dice::new(now.as_nanos() as u64).roll()
}
