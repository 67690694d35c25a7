//! Things made once and copied into every lab: an initialised data directory per server version, and the certificates.
//!
//! Several processes may want one at the same time: a file lock lets one make it, and a rename shows it whole or not at all.

use super::{directory, roots};
use crate::error::{Error, Result};
use crate::server::flavor::Flavor;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Counted up when the initialisers change what they make, so that an older template is not taken for it.
const CONTENT: u32 = 2;

/// A data directory without anybody's data, ready to be copied.
pub(crate) fn data_directory(flavor: Flavor) -> Result<PathBuf> {
    let mut version = flavor.server_program()?;
    let version = run(version.arg("--version"))?;
    let version = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let name = format!("{}-{}-{CONTENT}", flavor.name(), version.unwrap_or("unknown"));
    make_once(&name, |data| {
        run(&mut flavor.initialiser(data)?)?;
        // The server's identity: every copy must get its own.
        match fs::remove_file(data.join("auto.cnf")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("remove", data.join("auto.cnf"))(error))
            }
            _ => Ok(()),
        }
    })
}

/// `ca.pem`, `server-cert.pem` and `server-key.pem`: the servers' certificate is for the lab's names, not for addresses.
pub(crate) fn certificates() -> Result<PathBuf> {
    make_once("tls", |directory| {
        let openssl = |arguments: &str| {
            run(Command::new("openssl").args(arguments.split_whitespace()).current_dir(directory)).map(drop)
        };
        let names = "subjectAltName=DNS:db.lab.test,DNS:*.lab.test\nbasicConstraints=CA:FALSE\n";
        fs::write(directory.join("server.ext"), names).map_err(Error::file("write into", directory))?;
        openssl("req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=lab-ca -keyout ca-key.pem -out ca.pem")?;
        openssl("req -newkey rsa:2048 -nodes -subj /CN=db.lab.test -keyout server-key.pem -out server.csr")?;
        openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 3650 -extfile server.ext -out server-cert.pem",
        )
    })
}

/// Copies a template's content to a place that does not exist yet.
pub(crate) fn copy(template: &Path, to: &Path) -> Result<()> {
    run(Command::new("cp").args(["-a", "--sparse=always"]).arg(template).arg(to)).map(drop)
}

fn make_once(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let templates = roots::roots().join("templates");
    fs::create_dir_all(&templates).map_err(Error::file("make", &templates))?;
    let templates = templates.canonicalize().map_err(Error::file("find", &templates))?;
    let done = templates.join(name);
    if done.exists() {
        return Ok(done);
    }
    let _lock = directory::lock(&templates.join(format!("{name}.lock")))?;
    if done.exists() {
        return Ok(done);
    }
    let partial = templates.join(format!("{name}.partial"));
    let _ = fs::remove_dir_all(&partial);
    fs::create_dir(&partial).map_err(Error::file("make", &partial))?;
    make(&partial)?;
    fs::rename(&partial, &done).map_err(Error::file("rename", &partial))?;
    Ok(done)
}

/// Runs a command to its end and gives its output, or all that it said if it failed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| Error::Start { program: program.clone(), source })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(Error::Failed { program, output: format!("{text}{}", String::from_utf8_lossy(&output.stderr)) })
}
