//! Programs inside a Debian of their own: a root directory that is made of that Debian's directories, the kernel's file
//! systems, and the given paths of the host under their own names.

use super::{Bind, Plan, SandboxKind, names};
use crate::error::{Error, Result};
use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// A program of the host or of `debian`, by its path, that runs inside `debian` and sees the host's `paths` too.
///
/// A path must not lie in `/usr`, `/etc` or `/var`: those are that Debian's.
/// `own` as in [`super::command`].
pub(crate) fn command(
    debian: &Path,
    program: &OsStr,
    paths: &[&Path],
    directory: &Path,
    dns: Ipv4Addr,
    own: &[(&str, &str)],
) -> Result<Command> {
    let kind = SandboxKind::of_this_machine()?;
    let root = tempfile::Builder::new().prefix("root-").tempdir_in(directory);
    let root = root.map_err(Error::file("make a directory in", directory))?.keep();
    let mut binds = Vec::new();
    for name in ["usr", "etc", "var"] {
        binds.push(mounted(&debian.join(name), &root.join(name))?);
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        let link = root.join(name);
        if debian.join(name).exists() {
            symlink(Path::new("usr").join(name), &link).map_err(Error::file("link", &link))?;
        }
    }
    for name in ["proc", "dev", "sys"] {
        binds.push(mounted(&Path::new("/").join(name), &root.join(name))?);
    }
    make_directory(&root.join("tmp"))?;
    // Mounted before the root is entered, so the targets are that Debian's own files as seen through the new root.
    for bind in names::binds(debian, directory, dns, own)? {
        binds.push(bind.moved(debian, &root)?);
    }
    let given = paths.iter().copied().chain([directory]);
    for path in given {
        let path = path.canonicalize().map_err(Error::file("find", path))?;
        let inside = path.strip_prefix("/").unwrap_or(&path);
        binds.push(mounted(&path, &root.join(inside))?);
    }
    let mut command = Command::new(program);
    super::apart(&mut command, directory);
    Plan::new(kind, binds).inside(&root)?.apply(&mut command);
    Ok(command)
}

/// Makes the mount point of a file or directory.
fn mounted(from: &Path, to: &Path) -> Result<Bind> {
    if from.is_dir() {
        make_directory(to)?;
    } else {
        make_directory(to.parent().unwrap_or(to))?;
        fs::write(to, "").map_err(Error::file("make the mount point", to))?;
    }
    Bind::new(from, to)
}

fn make_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::file("make", path))
}
