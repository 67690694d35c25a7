//! What is wrong with the configuration, one clear line each: where, what, what is allowed, what happens instead.
//!
//! A complaint never shows the value of a key that it does not know, nor anything with an `@` in it: a connection
//! URL pasted into the wrong place carries a password.

use std::fmt;
use std::path::PathBuf;

use super::option;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The environment variable of this name.
    Environment(String),
    /// A line, counted from 1, of the configuration file.
    File { path: PathBuf, line: usize },
}

/// One fault; none of them stops anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// A known key with a value (or one entry of its list) that is not `allowed`; `instead` says what is in force.
    BadValue { origin: Origin, key: &'static str, value: String, allowed: &'static str, instead: String },
    /// A key that does not exist.
    UnknownKey { origin: Origin, key: String },
    /// A key that will exist.
    NotYet { origin: Origin, key: &'static str },
    /// The configuration file cannot be read, or is not TOML; then only the environment counts.
    BrokenFile { path: PathBuf, line: Option<usize>, reason: String },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Environment(variable) => write!(f, "environment, {variable}"),
            Origin::File { path, line } => write!(f, "{}, line {line}", path.display()),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Complaint::BadValue { origin, key, value, allowed, instead } => {
                write!(f, "{origin}: {key} = {} is not {allowed}; {instead}", Shown(value))
            }
            Complaint::UnknownKey { origin, key } => {
                write!(f, "{origin}: unknown key {key:?}, ignored; the keys are {}", option::NAMES.join(", "))
            }
            Complaint::NotYet { origin, key } => write!(f, "{origin}: {key} is not supported by this version, ignored"),
            Complaint::BrokenFile { path, line, reason } => {
                write!(f, "{}", path.display())?;
                if let Some(line) = line {
                    write!(f, ", line {line}")?;
                }
                write!(f, ": {reason}; the file is ignored, the environment and the defaults are used")
            }
        }
    }
}

/// A value, quoted and cut to what a reader needs to recognise it.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 60;
        if self.0.contains('@') {
            return f.write_str("(a value with '@', not shown)");
        }
        match self.0.char_indices().nth(MOST) {
            Some((cut, _)) => write!(f, "{:?}…", &self.0[..cut]),
            None => write!(f, "{:?}", self.0),
        }
    }
}
