//! The files that decide how a program resolves names, and what each is mounted over.

use super::Bind;
use crate::error::{Error, Result};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

/// Names come from files and DNS only: not from a resolver daemon of the system that knows nothing of the lab.
const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n\
    services: files\nprotocols: files\n";
const HOSTS: &str = "127.0.0.1 localhost\n";

/// Writes the files into a new directory under `directory`, to be mounted over those under `root`. `own`: the caller's text
/// of a file, by its name.
pub(super) fn binds(root: &Path, directory: &Path, dns: Ipv4Addr, own: &[(&str, &str)]) -> Result<Vec<Bind>> {
    let names = tempfile::Builder::new().prefix("names-").tempdir_in(directory);
    let names = names.map_err(Error::file("make a directory in", directory))?.keep();
    let resolv = format!("nameserver {dns}\noptions timeout:1 attempts:2\n");
    let files = [("resolv.conf", resolv.as_str()), ("hosts", HOSTS), ("nsswitch.conf", NSSWITCH)];
    let mut binds = Vec::new();
    for (name, text) in files {
        let text = own.iter().find(|(own, _)| *own == name).map_or(text, |(_, text)| text);
        let path = names.join(name);
        fs::write(&path, text).map_err(Error::file("write", &path))?;
        let over = root.join("etc").join(name);
        // A bind mount on a symbolic link lands on its target, which must exist.
        match over.canonicalize() {
            Ok(over) => binds.push(Bind::new(&path, &over)?),
            Err(_) if name != "resolv.conf" => {}
            Err(error) => {
                let reason = format!("nothing can be mounted on {}: {error}", over.display());
                return Err(Error::NoSandbox { reason });
            }
        }
    }
    Ok(binds)
}
