//! Ctrl-C, SIGTERM and SIGHUP: end our processes by their ids, remove our directories, then die of the signal.
//!
//! From the signal on, the rest of the process stands still wherever it would tidy up too or start something new: two
//! that remove one directory get in each other's way. What fails meanwhile, because a process was ended, is no error to
//! report: a command asks [`end_if_it_came`] before it reports one.
//!
//! Without [`install`] the processes still end (the kernel sends them SIGKILL when we die) and the next lab sweeps up.

use super::child;
use crate::error::{Error, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// Whoever removes a directory holds this; the handler takes it and never gives it back.
static DIRECTORIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static INSTALLED: Once = Once::new();
static CAME: AtomicBool = AtomicBool::new(false);
/// A program that we did not start through [`crate::spawn`] may still be writing.
const STUBBORN: Duration = Duration::from_secs(5);

/// Installs the handler, once per process. For commands; tests have no need of it.
pub fn install() -> Result<()> {
    let mut outcome = Ok(());
    INSTALLED.call_once(|| {
        outcome = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map(|signals| {
                std::thread::spawn(move || wait(signals));
            })
            .map_err(|source| Error::Start { program: "the signal handler".into(), source });
    });
    outcome
}

/// Whether a signal came, and this process is about to end.
pub fn came() -> bool {
    CAME.load(Ordering::SeqCst)
}

/// Does not return if a signal came: the handler is about to end this process.
pub fn end_if_it_came() {
    while came() {
        std::thread::park();
    }
}

/// Removes a directory, unless a signal came: then the handler does it, and this does not return.
pub(crate) fn remove(directory: &Path) {
    let mut known = directories();
    let _ = std::fs::remove_dir_all(directory);
    known.retain(|known| known != directory);
}

pub(crate) fn remove_on_interrupt(directory: &Path) {
    directories().push(directory.to_owned());
}

fn wait(mut signals: Signals) {
    if let Some(signal) = signals.forever().next() {
        // Before the first process ends, so that nobody takes its end for an error.
        CAME.store(true, Ordering::SeqCst);
        child::kill_all();
        let directories = directories();
        directories.iter().for_each(|directory| remove_stubbornly(directory));
        // Dying of the signal itself tells a shell why. Falls back to the conventional exit code.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        std::process::exit(128 + signal);
    }
}

fn remove_stubbornly(directory: &Path) {
    let deadline = Instant::now() + STUBBORN;
    while std::fs::remove_dir_all(directory).is_err() && directory.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn directories() -> MutexGuard<'static, Vec<PathBuf>> {
    DIRECTORIES.lock().unwrap_or_else(PoisonError::into_inner)
}
