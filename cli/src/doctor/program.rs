//! Which file runs when a program is called by this name: found like execvp(3) does, scripts followed to their interpreters.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// As many as the kernel follows (execve(2)).
const SCRIPTS: usize = 4;

/// There is nothing that could be examined.
#[derive(Debug, thiserror::Error)]
pub enum BadInput {
    #[error("{0}: there is no such program in PATH; give its path")]
    NotInPath(String),
    #[error("{0}: there is no such file")]
    NotThere(PathBuf),
    #[error("{0}: a directory; name a program")]
    Directory(PathBuf),
    #[error("{0}: not executable; allow it (chmod +x), or name the interpreter that runs it")]
    NotExecutable(PathBuf),
    #[error("{0}: cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    #[error("{0}: a script of a script of a script; the kernel does not run it either")]
    TooManyScripts(PathBuf),
    #[error("{0}: a script whose first line names no interpreter")]
    NoInterpreter(PathBuf),
    #[error("--pid {0}: there is no such process")]
    NoProcess(u32),
    #[error("--pid {0}: its memory may not be looked at ({1}); do it as root")]
    NotAllowed(u32, std::io::Error),
}

/// A program as it was asked for, and the executable behind it.
#[derive(Debug)]
pub struct Program {
    pub path: PathBuf,
    pub file: PathBuf,
    /// Each script on the way, with what runs it.
    pub scripts: Vec<(PathBuf, PathBuf)>,
}

impl Program {
    pub fn find(name: &OsStr) -> Result<Self, BadInput> {
        let path = executable(name)?;
        let mut program = Program { file: path.clone(), path, scripts: vec![] };
        while let Some(words) = first_line(&read(&program.file)?) {
            if program.scripts.len() == SCRIPTS {
                return Err(BadInput::TooManyScripts(program.path));
            }
            let interpreter = interpreter(&words).ok_or_else(|| BadInput::NoInterpreter(program.file.clone()))?;
            let interpreter = executable(&interpreter)?;
            let script = std::mem::replace(&mut program.file, interpreter.clone());
            program.scripts.push((script, interpreter));
        }
        Ok(program)
    }
}

pub fn read(path: &Path) -> Result<Vec<u8>, BadInput> {
    fs::read(path).map_err(|error| BadInput::Unreadable(path.to_owned(), error))
}

fn executable(name: &OsStr) -> Result<PathBuf, BadInput> {
    if name.as_bytes().contains(&b'/') {
        return check(PathBuf::from(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(name)).find_map(|file| check(file).ok());
    found.ok_or_else(|| BadInput::NotInPath(name.to_string_lossy().into_owned()))
}

fn check(path: PathBuf) -> Result<PathBuf, BadInput> {
    match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(BadInput::NotThere(path)),
        Err(error) => Err(BadInput::Unreadable(path, error)),
        Ok(status) if status.is_dir() => Err(BadInput::Directory(path)),
        Ok(status) if status.permissions().mode() & 0o111 == 0 => Err(BadInput::NotExecutable(path)),
        Ok(_) => Ok(path),
    }
}

/// The words behind `#!`.
fn first_line(content: &[u8]) -> Option<Vec<OsString>> {
    let line = content.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    Some(words.map(|word| OsStr::from_bytes(word).to_owned()).collect())
}

/// What `env` leads to is found in PATH, behind its options and assignments.
fn interpreter(words: &[OsString]) -> Option<OsString> {
    let (first, rest) = words.split_first()?;
    if Path::new(first).file_name() != Some(OsStr::new("env")) {
        return Some(first.clone());
    }
    let program = |word: &&OsString| !word.as_bytes().starts_with(b"-") && !word.as_bytes().contains(&b'=');
    Some(rest.iter().find(program).unwrap_or(first).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_script_names_what_runs_it() {
        for (text, expected) in [
            ("#!/bin/sh\necho", Some("/bin/sh")),
            ("#! /usr/bin/perl -w\n", Some("/usr/bin/perl")),
            ("#!/usr/bin/env ruby", Some("ruby")),
            ("#!/usr/bin/env -S A=1 python3 -u\n", Some("python3")),
            ("#!/usr/bin/env", Some("/usr/bin/env")),
            ("#!\n", None),
        ] {
            let words = first_line(text.as_bytes()).unwrap();
            assert_eq!(interpreter(&words), expected.map(OsString::from), "{text}");
        }
        assert_eq!(first_line(b"\x7fELF"), None);
    }
}
