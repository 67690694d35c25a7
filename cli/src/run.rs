//! `pointsman run`: becomes the program, with the library preloaded before whatever is preloaded already.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::library;
use crate::options::RunAsk;

const PRELOAD: &str = "LD_PRELOAD";
/// As of env(1) and the shells.
const CANNOT_PREPARE: u8 = 125;
const CANNOT_EXECUTE: u8 = 126;
const NO_SUCH_PROGRAM: u8 = 127;

/// Returns only if the program did not start.
pub fn run(ask: &RunAsk) -> ExitCode {
    let library = match library::find(ask.library.as_deref()) {
        Ok(library) => library,
        Err(error) => {
            eprintln!("pointsman: {error}");
            return ExitCode::from(CANNOT_PREPARE);
        }
    };
    let (program, arguments) = ask.command.split_first().expect("clap asks for at least one word");
    let preload = first(&library, std::env::var_os(PRELOAD).as_deref());
    let error = Command::new(program).args(arguments).env(PRELOAD, preload).exec();
    eprintln!("pointsman: cannot run {}: {error}", program.to_string_lossy());
    ExitCode::from(if error.kind() == ErrorKind::NotFound { NO_SUCH_PROGRAM } else { CANNOT_EXECUTE })
}

fn first(library: &Path, existing: Option<&OsStr>) -> OsString {
    let mut value = library.as_os_str().to_owned();
    if let Some(existing) = existing.filter(|existing| !existing.is_empty()) {
        value.push(":");
        value.push(existing);
    }
    value
}
