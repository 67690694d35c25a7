//! Where configuration comes from: the environment and a TOML file, brought into one form. The environment wins
//! key by key. Knows the names of the keys, not what their values mean.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::complaint::{Complaint, Origin};
use super::option;
use crate::host::files;

/// The switch, `on` or `off`.
pub const SWITCH: &str = "POINTSMAN";
/// Names another configuration file, by an absolute path.
pub const FILE_VARIABLE: &str = "POINTSMAN_CONFIG";
const PREFIX: &str = "POINTSMAN_";

/// What was written for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub text: Text,
    pub origin: Origin,
}

/// One text, or the entries of a TOML array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    One(String),
    Many(Vec<String>),
}

/// Key → what is in force for it.
pub type Writings = BTreeMap<&'static str, Written>;

/// The variables of this process that speak to us, if they are to be trusted. A variable that is not UTF-8 is read with
/// replacement characters, which no key accepts.
pub fn environment() -> Vec<(String, String)> {
    if files::has_others_rights() {
        return vec![];
    }
    let ours = |name: &OsStr| name.as_bytes().starts_with(SWITCH.as_bytes());
    std::env::vars_os()
        .filter(|(name, _)| ours(name))
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name == SWITCH || name.starts_with(PREFIX))
        .collect()
}

/// The file to read: `POINTSMAN_CONFIG` if that is an absolute path, else `default_file`.
pub fn config_file<'a>(environment: &'a [(String, String)], default_file: &'a Path) -> &'a Path {
    match variable(environment, FILE_VARIABLE).map(Path::new) {
        Some(path) if path.is_absolute() => path,
        _ => default_file,
    }
}

/// Whether the switch is off.
pub fn is_off(environment: &[(String, String)]) -> bool {
    variable(environment, SWITCH).and_then(option::switch).unwrap_or(false)
}

/// The value of `name`; an empty one counts as not set.
pub(super) fn variable<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    environment.iter().find(|(own, _)| own == name).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}

/// Reads the environment over whatever `writings` holds already.
pub fn read_environment(environment: &[(String, String)], writings: &mut Writings, complaints: &mut Vec<Complaint>) {
    for (variable, value) in environment {
        let Some(key) = variable.strip_prefix(PREFIX) else {
            continue;
        };
        if variable == FILE_VARIABLE || value.trim().is_empty() {
            continue;
        }
        let key = key.to_ascii_lowercase();
        let origin = Origin::Environment(variable.clone());
        write(&key, Text::One(value.clone()), origin, writings, complaints);
    }
}

/// Reads the file. Missing is no fault, unless the operator named it.
pub fn read_file(
    path: &Path,
    content: Result<String, io::Error>,
    named_by_operator: bool,
    writings: &mut Writings,
    complaints: &mut Vec<Complaint>,
) {
    let broken = |line, reason| Complaint::BrokenFile { path: path.to_owned(), line, reason };
    let content = match content {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !named_by_operator => return,
        Err(error) => return complaints.push(broken(None, format!("cannot be read: {error}"))),
    };
    let line_of = |offset: usize| {
        let before = content.as_bytes().get(..offset).unwrap_or(content.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    };
    // `message()` is the bare reason; the error's Display would quote the line, which may hold a secret.
    let table = match DeTable::parse(&content) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map(|span| line_of(span.start));
            return complaints.push(broken(line, format!("is not TOML: {}", error.message().replace('\n', ", "))));
        }
    };
    for (key, value) in table.get_ref().iter() {
        let origin = Origin::File { path: path.to_owned(), line: line_of(key.span().start) };
        write(key.get_ref(), text_of(value.get_ref()), origin, writings, complaints);
    }
}

/// Numbers, times and the like stand for the text that they were written with; each key judges that for itself.
fn text_of(value: &DeValue<'_>) -> Text {
    match value {
        DeValue::Array(entries) => Text::Many(entries.iter().map(|entry| scalar(entry.get_ref())).collect()),
        other => Text::One(scalar(other)),
    }
}

fn scalar(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        other => format!("({})", other.type_str()),
    }
}

fn write(key: &str, text: Text, origin: Origin, writings: &mut Writings, complaints: &mut Vec<Complaint>) {
    if let Some(known) = option::NAMES.iter().find(|known| **known == key) {
        writings.insert(known, Written { text, origin });
    } else if let Some(later) = option::LATER.iter().find(|later| **later == key) {
        complaints.push(Complaint::NotYet { origin, key: later });
    } else {
        complaints.push(Complaint::UnknownKey { origin, key: key.to_owned() });
    }
}
