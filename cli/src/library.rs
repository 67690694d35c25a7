//! Where `libpointsman.so` is. Looks; loads nothing.

use std::path::{Path, PathBuf};

const NAME: &str = "libpointsman.so";

/// Why the library cannot be preloaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("--library {0}: there is no such file; give the path of libpointsman.so")]
    NotThere(PathBuf),
    #[error("no libpointsman.so at {}; give its path with --library, or build it: cargo build --release", list(.0))]
    NotFound(Vec<PathBuf>),
    #[error("{0}: LD_PRELOAD cannot hold a path with a space or a colon; move or link the library to another place")]
    Separator(PathBuf),
    #[error("cannot tell where this command is ({0}); give the path of libpointsman.so with --library")]
    Lost(std::io::Error),
}

/// The absolute path of the library: as chosen, else beside this command (as built), else in ../lib (as installed).
pub fn find(chosen: Option<&Path>) -> Result<PathBuf, Error> {
    let found = match chosen {
        Some(path) if path.is_file() => path.to_owned(),
        Some(path) => return Err(Error::NotThere(path.to_owned())),
        None => beside(&std::env::current_exe().map_err(Error::Lost)?)?,
    };
    // The program, or a child of it, may change its directory.
    let path = std::path::absolute(found).map_err(Error::Lost)?;
    if path.to_string_lossy().contains([' ', ':']) {
        return Err(Error::Separator(path));
    }
    Ok(path)
}

fn beside(command: &Path) -> Result<PathBuf, Error> {
    let directory = command.parent().unwrap_or(Path::new("/"));
    let installed = directory.parent().unwrap_or(directory).join("lib").join(NAME);
    let places = vec![directory.join(NAME), installed];
    match places.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(Error::NotFound(places)),
    }
}

fn list(places: &[PathBuf]) -> String {
    places.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_beside_the_command_goes_before_the_installed_one() {
        let root = tempfile::tempdir().unwrap();
        let (bin, lib) = (root.path().join("bin"), root.path().join("lib"));
        std::fs::create_dir(&bin).unwrap();
        std::fs::create_dir(&lib).unwrap();
        let command = bin.join("pointsman");
        assert!(beside(&command).unwrap_err().to_string().contains("--library"));
        std::fs::write(lib.join(NAME), "").unwrap();
        assert_eq!(beside(&command).unwrap(), lib.join(NAME));
        std::fs::write(bin.join(NAME), "").unwrap();
        assert_eq!(beside(&command).unwrap(), bin.join(NAME));
    }
}
