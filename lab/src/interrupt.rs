//! Ctrl-C, SIGTERM and SIGHUP: end our processes by their ids, remove our directories, then die of the signal.
//!
//! Without [`install`] the processes still end (the kernel sends them SIGKILL when we die) and the next lab sweeps up.

use crate::{Error, Result, child};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

static DIRECTORIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static INSTALLED: Once = Once::new();

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

/// Ends every process and removes every directory of every lab of this process.
pub fn clean_up() {
    child::kill_all();
    for directory in std::mem::take(&mut *directories()) {
        let _ = std::fs::remove_dir_all(directory);
    }
}

pub(crate) fn remove_on_interrupt(directory: &Path) {
    let mut known = directories();
    known.retain(|known| known.exists());
    known.push(directory.to_owned());
}

fn wait(mut signals: Signals) {
    if let Some(signal) = signals.forever().next() {
        clean_up();
        // Dying of the signal itself tells a shell why. Falls back to the conventional exit code.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        std::process::exit(128 + signal);
    }
}

fn directories() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    DIRECTORIES.lock().unwrap_or_else(PoisonError::into_inner)
}
