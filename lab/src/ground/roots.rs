//! Where things are that a lab does not make itself: the root with MySQL from Debian sid, other Debians, and the place for
//! templates.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `POINTSMAN_ROOTS`, else `.roots` of the source tree, else the user's cache directory.
pub(crate) fn roots() -> PathBuf {
    if let Some(chosen) = std::env::var_os("POINTSMAN_ROOTS") {
        return chosen.into();
    }
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    if let Some(tree) = tree.filter(|tree| tree.join("lab").is_dir()) {
        return tree.join(".roots");
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    cache.or_else(home).unwrap_or_else(std::env::temp_dir).join("pointsman")
}

/// The root with MySQL of Debian sid, made by `make setup`.
pub fn sid_root() -> Result<PathBuf> {
    let path = roots().join("sid");
    path.canonicalize()
        .ok()
        .filter(|root| root.join("usr/sbin/mysqld").exists())
        .ok_or(Error::Missing { what: "MySQL from Debian sid", path })
}

/// A Debian with its own C library, client library, interpreters and drivers, made by `lab/setup/setup.sh systems`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum System {
    Bullseye,
    Bookworm,
    Trixie,
    Sid,
}

impl System {
    pub const ALL: [Self; 4] = [Self::Bullseye, Self::Bookworm, Self::Trixie, Self::Sid];

    /// Debian's name for it.
    pub fn suite(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    /// Whether this machine has it.
    pub fn is_here(self) -> bool {
        self.root().is_ok()
    }

    pub(crate) fn root(self) -> Result<PathBuf> {
        let path = roots().join("systems").join(self.suite());
        path.canonicalize().map_err(|_| Error::Missing { what: "a Debian with its own drivers", path })
    }
}

impl std::fmt::Display for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.suite())
    }
}

/// A program of the sid root, run by that root's loader with that root's libraries.
pub(crate) fn sid_program(root: &Path, program: &str) -> Command {
    let mut command = Command::new(root.join(loader()));
    command.arg("--library-path").arg(sid_libraries(root)).arg(root.join(program));
    command
}

pub(crate) fn sid_libraries(root: &Path) -> PathBuf {
    root.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH))
}

fn loader() -> &'static str {
    if cfg!(target_arch = "aarch64") { "usr/lib/ld-linux-aarch64.so.1" } else { "usr/lib64/ld-linux-x86-64.so.2" }
}
