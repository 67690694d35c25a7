//! The configuration as the other rooms see it, made from its sources by a pure function. Reads no file and no
//! environment itself, and logs nothing: what is wrong comes back as complaints.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::complaint::{Complaint, Origin};
use super::duration;
use super::endpoint_name::{self, EndpointName};
use super::log::Level;
use super::option::{self, Candidate, Mode, Sink, VictimError};
use super::source::{self, Text, Writings};

/// Everything that can be set. Fixed for the life of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Pass everything through (`POINTSMAN=off`).
    pub off: bool,
    pub mode: Mode,
    /// How long a statement or a connect may wait for a verified writer.
    pub hold_max: Duration,
    /// Whether the operator chose `hold_max`: then it also outranks a shorter read timeout of the application.
    pub hold_max_configured: bool,
    /// How long DNS must have left the incumbent out, steadily, before the name has moved for good.
    pub settle: Duration,
    /// What to protect; empty means every endpoint.
    pub endpoints: Vec<EndpointName>,
    /// Endpoints that are readers, whatever their name or behaviour.
    pub readers: Vec<EndpointName>,
    /// Servers that may become an endpoint's writer before DNS names them.
    pub candidates: Vec<Candidate>,
    /// DNS servers for the watcher; empty means those of `/etc/resolv.conf`.
    pub nameservers: Vec<SocketAddr>,
    pub victim_error: VictimError,
    pub log: Sink,
    pub log_level: Level,
    /// Where the processes of one user keep their common budgets; nowhere, so that each process has its own.
    pub state_dir: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            off: false,
            mode: Mode::default(),
            hold_max: Duration::from_secs(60),
            hold_max_configured: false,
            settle: Duration::from_secs(15),
            endpoints: Vec::new(),
            readers: Vec::new(),
            candidates: Vec::new(),
            nameservers: Vec::new(),
            victim_error: VictimError::default(),
            log: Sink::default(),
            log_level: Level::Warn,
            state_dir: Some(PathBuf::from(option::STATE_DIR)),
        }
    }
}

impl Config {
    /// Builds the configuration from variables (names that do not begin with `POINTSMAN` are not looked at) and
    /// the file's path and content. Always succeeds: a fault costs one complaint and leaves the default.
    pub fn from_sources(
        env: &[(String, String)],
        file: Option<(&Path, Result<String, io::Error>)>,
    ) -> (Self, Vec<Complaint>) {
        let mut writings = Writings::new();
        let mut complaints = Vec::new();
        let mut config = Config::default();

        let named = source::variable(env, source::FILE_VARIABLE);
        if let Some(path) = named.filter(|path| !path.starts_with('/')) {
            complaints.push(bad_variable(source::FILE_VARIABLE, path, "an absolute path", "the default file is used"));
        }
        match source::variable(env, source::SWITCH) {
            None => {}
            Some(text) => match option::switch(text) {
                Some(off) => config.off = off,
                None => complaints.push(bad_variable(source::SWITCH, text, option::SWITCH_ALLOWED, "it stays on")),
            },
        }
        if let Some((path, content)) = file {
            let named = named.is_some_and(|named| Path::new(named) == path);
            source::read_file(path, content, named, &mut writings, &mut complaints);
        }
        source::read_environment(env, &mut writings, &mut complaints);

        let mut reader = Reader { writings, complaints };
        reader.one("mode", &mut config.mode, Mode::ALLOWED, "the default, replay, is used", Mode::parse);
        config.hold_max_configured = reader.one(
            "hold_max",
            &mut config.hold_max,
            duration::ALLOWED,
            "the default, 60s, is used",
            duration::parse,
        );
        reader.one("settle", &mut config.settle, duration::ALLOWED, "the default, 15s, is used", duration::parse);
        let allowed = endpoint_name::ALLOWED;
        reader.list("endpoints", &mut config.endpoints, allowed, "every endpoint is protected", EndpointName::parse);
        reader.list(
            "readers",
            &mut config.readers,
            allowed,
            "readers are recognised by themselves",
            EndpointName::parse,
        );
        reader.list(
            "candidates",
            &mut config.candidates,
            Candidate::ALLOWED,
            "only DNS and mysql.rds_topology name candidates",
            Candidate::parse,
        );
        reader.list(
            "nameservers",
            &mut config.nameservers,
            option::NAMESERVER_ALLOWED,
            "those of /etc/resolv.conf are used",
            option::nameserver,
        );
        reader.one(
            "victim_error",
            &mut config.victim_error,
            VictimError::ALLOWED,
            "the default, 1213, is used",
            VictimError::parse,
        );
        reader.one("log", &mut config.log, Sink::ALLOWED, "the default, stderr, is used", Sink::parse);
        reader.one("log_level", &mut config.log_level, Level::ALLOWED, "the default, warn, is used", Level::parse);
        reader.one(
            "state_dir",
            &mut config.state_dir,
            option::STATE_DIR_ALLOWED,
            "the default, /dev/shm, is used",
            option::state_dir,
        );
        (config, reader.complaints)
    }

    /// Whether an endpoint is to be protected, as far as the configuration says.
    pub fn protects(&self, host: &str, port: u16) -> bool {
        self.endpoints.is_empty() || self.endpoints.iter().any(|endpoint| endpoint.matches(host, port))
    }

    /// Whether the operator says that an endpoint is a reader.
    pub fn is_reader(&self, host: &str, port: u16) -> bool {
        self.readers.iter().any(|reader| reader.matches(host, port))
    }
}

fn bad_variable(variable: &'static str, value: &str, allowed: &'static str, instead: &str) -> Complaint {
    Complaint::BadValue {
        origin: Origin::Environment(variable.to_owned()),
        key: variable,
        value: value.to_owned(),
        allowed,
        instead: instead.to_owned(),
    }
}

/// Turns what was written into values, key by key.
struct Reader {
    writings: Writings,
    complaints: Vec<Complaint>,
}

impl Reader {
    /// Reads a key with one value into `field`; true if that worked.
    fn one<T>(
        &mut self,
        key: &'static str,
        field: &mut T,
        allowed: &'static str,
        instead: &str,
        parse: fn(&str) -> Option<T>,
    ) -> bool {
        let Some(written) = self.writings.remove(key) else {
            return false;
        };
        let text = match written.text {
            Text::One(text) => text,
            Text::Many(_) => "(array)".to_owned(),
        };
        match parse(text.trim()) {
            Some(value) => {
                *field = value;
                true
            }
            None => {
                let instead = instead.to_owned();
                self.complaints.push(Complaint::BadValue {
                    origin: written.origin,
                    key,
                    value: text,
                    allowed,
                    instead,
                });
                false
            }
        }
    }

    /// Reads a list into `field`. A bad entry is left out; when none is left, `empty` says what that means.
    fn list<T>(
        &mut self,
        key: &'static str,
        field: &mut Vec<T>,
        allowed: &'static str,
        empty: &str,
        parse: fn(&str) -> Option<T>,
    ) {
        let Some(written) = self.writings.remove(key) else {
            return;
        };
        let entries = match written.text {
            Text::One(text) => text.split(',').map(str::to_owned).collect(),
            Text::Many(entries) => entries,
        };
        let mut bad = Vec::new();
        for entry in entries.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty()) {
            match parse(entry) {
                Some(value) => field.push(value),
                None => bad.push(entry.to_owned()),
            }
        }
        let instead = if field.is_empty() { empty } else { "the other entries are used" };
        self.complaints.extend(bad.into_iter().map(|value| Complaint::BadValue {
            origin: written.origin.clone(),
            key,
            value,
            allowed,
            instead: instead.to_owned(),
        }));
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
