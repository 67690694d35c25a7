//! `pointsman doctor`: whether the library can reach a program, or has reached a process, and why not. Looks; runs nothing.
//!
//! | module | idea |
//! |---|---|
//! | `program` | which file is meant: PATH, scripts and their interpreters |
//! | `rights` | programs that run with other rights than their caller's |
//! | `elf` | what an executable says of itself |
//! | `needs` | the client library that it is linked with |
//! | `process` | what a running process has loaded, and where its calls lead |

mod elf;
mod needs;
mod process;
mod program;
mod rights;

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::options::{DoctorAsk, USAGE};
use program::{BadInput, Program};

/// Why a preloaded library does not get to see a program's MySQL connections.
#[derive(Debug, PartialEq, Eq)]
enum Obstacle {
    NoLoader,
    Go,
    Setuid,
    Setgid,
    Capabilities,
    Bits32,
    Machine(String),
    Musl(PathBuf),
    ForeignLoader(PathBuf),
    LoaderIsMissing(PathBuf),
    LinkedIn,
    NoProgram(&'static str),
    NotLoaded { preload: String },
    DeepBound { caller: String, library: String },
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const IGNORED: &str = "the loader ignores LD_PRELOAD (ld.so(8), secure-execution mode)";
        match self {
            Self::NoLoader => write!(f, "statically linked: no loader runs that would load the library"),
            Self::Go => write!(f, "a Go program: it makes its own system calls and speaks MySQL's protocol itself"),
            Self::Setuid => write!(f, "setuid: {IGNORED}"),
            Self::Setgid => write!(f, "setgid: {IGNORED}"),
            Self::Capabilities => write!(f, "has file capabilities: {IGNORED}"),
            Self::Bits32 => write!(f, "a 32-bit program: the library has 64 bits"),
            Self::Machine(machine) => {
                write!(f, "made for {machine}: this build of the library is for {}", std::env::consts::ARCH)
            }
            Self::Musl(loader) => {
                write!(f, "linked with musl ({}): the library is made for glibc", loader.display())
            }
            Self::ForeignLoader(loader) => {
                write!(f, "its loader is {}, and not glibc's", loader.display())
            }
            Self::LoaderIsMissing(loader) => write!(f, "its loader {} is not there", loader.display()),
            Self::LinkedIn => write!(f, "a MySQL client library is linked into it: its calls go past the loader"),
            Self::NotLoaded { preload } if preload.is_empty() => {
                write!(f, "libpointsman.so is not loaded: LD_PRELOAD did not name it when the process started")
            }
            Self::NotLoaded { preload } if preload.contains("libpointsman.so") => {
                write!(f, "libpointsman.so is not loaded: the loader could not load it (LD_PRELOAD was {preload})")
            }
            Self::NotLoaded { preload } => write!(
                f,
                "libpointsman.so is not loaded: LD_PRELOAD was {preload} when the process started; an entrypoint or an image \
                 may have set it anew"
            ),
            Self::DeepBound { caller, library } => write!(
                f,
                "{caller} calls {library} past the library: it was loaded with RTLD_DEEPBIND; its connections are protected \
                 if whoever loads it does so without that flag"
            ),
            Self::NoProgram(what) => write!(f, "{what}: neither a program for Linux nor a script"),
        }
    }
}

/// Prints what there is to say, a line each, and gives the exit code.
pub fn doctor(ask: &DoctorAsk) -> ExitCode {
    let findings = match (&ask.program, ask.pid) {
        (Some(name), _) => of_program(name),
        (None, pid) => process::examine(pid.unwrap_or_default()),
    };
    match findings {
        Ok(findings) => {
            let verdict = if findings.obstacles.is_empty() { "can be reached" } else { "cannot be reached" };
            println!("{}: {verdict}", findings.subject);
            findings.remarks.iter().for_each(|remark| println!("  {remark}"));
            findings.obstacles.iter().for_each(|obstacle| println!("  {obstacle}"));
            ExitCode::from(u8::from(!findings.obstacles.is_empty()))
        }
        Err(error) => {
            eprintln!("pointsman: {error}");
            ExitCode::from(USAGE)
        }
    }
}

/// What there is to say.
struct Findings {
    subject: String,
    remarks: Vec<String>,
    obstacles: Vec<Obstacle>,
}

fn of_program(name: &OsStr) -> Result<Findings, BadInput> {
    let program = Program::find(name)?;
    let obstacles = of_file(&program.file)?;
    let script = |(script, interpreter): &(PathBuf, PathBuf)| {
        format!("{} is a script of {}", script.display(), interpreter.display())
    };
    let mut remarks: Vec<_> = program.scripts.iter().map(script).collect();
    if obstacles.is_empty() {
        remarks.push(needs::client_library(&program.file));
    }
    Ok(Findings { subject: program.path.display().to_string(), remarks, obstacles })
}

fn of_file(path: &Path) -> Result<Vec<Obstacle>, BadInput> {
    let content = program::read(path)?;
    let mut obstacles = rights::obstacles(path)?;
    obstacles.extend(elf::obstacles(&content));
    Ok(obstacles)
}
