//! `pointsman doctor PROGRAM`: whether the library can reach a program, and why not. Looks at files; runs nothing.
//!
//! | module | idea |
//! |---|---|
//! | `program` | which file is meant: PATH, scripts and their interpreters |
//! | `rights` | programs that run with other rights than their caller's |
//! | `elf` | what an executable says of itself |
//! | `needs` | the client library that it is linked with |

mod elf;
mod needs;
mod program;
mod rights;

use std::fmt;
use std::path::PathBuf;
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
            Self::NoProgram(what) => write!(f, "{what}: neither a program for Linux nor a script"),
        }
    }
}

/// Prints what there is to say, a line each, and gives the exit code.
pub fn doctor(ask: &DoctorAsk) -> ExitCode {
    match Program::find(&ask.program).and_then(|program| Ok((examine(&program)?, program))) {
        Ok((obstacles, program)) => {
            let verdict = if obstacles.is_empty() { "can be reached" } else { "cannot be reached" };
            println!("{}: {verdict}", program.path.display());
            for (script, interpreter) in &program.scripts {
                println!("  {} is a script of {}", script.display(), interpreter.display());
            }
            obstacles.iter().for_each(|obstacle| println!("  {obstacle}"));
            if obstacles.is_empty() {
                println!("  {}", needs::client_library(&program.file));
            }
            ExitCode::from(u8::from(!obstacles.is_empty()))
        }
        Err(error) => {
            eprintln!("pointsman: {error}");
            ExitCode::from(USAGE)
        }
    }
}

fn examine(program: &Program) -> Result<Vec<Obstacle>, BadInput> {
    let content = program::read(&program.file)?;
    let mut obstacles = rights::obstacles(&program.file)?;
    obstacles.extend(elf::obstacles(&content));
    Ok(obstacles)
}
