//! Where a lab keeps its files: memory if there is enough, else the temporary directory.
//!
//! A directory carries a lock that its owner holds while it lives. Whoever makes the next one sweeps up the
//! directories whose owner died without a chance to.

use crate::error::{Error, Result};
use crate::process::interrupt;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::path::{Path, PathBuf};

const PREFIX: &str = "pointsman-lab-";
const LOCK: &str = "owner.lock";
/// Two MySQL servers need about a third of this.
const ENOUGH: u64 = 1 << 30;

/// One lab's directory, removed with it.
#[derive(Debug)]
pub(crate) struct Ground {
    directory: tempfile::TempDir,
    _owner: Flock<File>,
}

impl Ground {
    pub(crate) fn take() -> Result<Self> {
        let base = base();
        let guard = lock(&base.join(format!("{PREFIX}sweep-{}.lock", nix::unistd::geteuid())))?;
        sweep(&base);
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&base)
            .map_err(Error::file("make a lab directory in", &base))?;
        let owner = lock(&directory.path().join(LOCK))?;
        drop(guard);
        interrupt::remove_on_interrupt(directory.path());
        Ok(Self { directory, _owner: owner })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Ground {
    /// What is left for the temporary directory's own end is to find nothing.
    fn drop(&mut self) {
        interrupt::remove(self.path());
    }
}

/// Waits for an exclusive lock on a file, which is made if it is missing.
pub(crate) fn lock(path: &Path) -> Result<Flock<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Error::file("open the lock", path))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| Error::file("lock", path)(errno.into()))
}

fn base() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = nix::sys::statvfs::statvfs(memory).map(|s| s.blocks_available() * s.fragment_size());
    if free.is_ok_and(|bytes| bytes > ENOUGH) { memory.to_owned() } else { std::env::temp_dir() }
}

/// Removes what dead labs left. Failing to is no failure: the directory may be another user's.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        let Ok(file) = File::open(path.join(LOCK)) else {
            continue;
        };
        if ours && Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok() {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_lab_is_not_swept_and_a_dead_one_is() {
        let living = Ground::take().unwrap();
        let dead = base().join(format!("{PREFIX}dead-{}", std::process::id()));
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        let _next = Ground::take().unwrap();
        assert!(living.path().exists());
        assert!(!dead.exists());
    }
}
