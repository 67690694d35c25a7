//! The keys that exist and how the text of each becomes a value. Pure: knows neither where a text came from nor
//! how a complaint looks.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::endpoint_name::EndpointName;

/// Every key that does something, in the order in which they are listed to a reader.
pub const NAMES: &[&str] = &[
    "mode",
    "hold_max",
    "settle",
    "endpoints",
    "readers",
    "candidates",
    "nameservers",
    "victim_error",
    "log",
    "log_level",
    "state_dir",
];

/// Keys of later versions: accepted so that a shared file does no harm here, without effect.
pub const LATER: &[&str] = &["credentials"];

/// How much of the work is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Statements are run again and transactions replayed on the new writer.
    #[default]
    Replay,
    /// A connection to a demoted server is made to look lost, so that the application's pool replaces it.
    /// No text selects it in this version.
    Evict,
    /// Nothing is changed; what would have happened is counted and logged.
    Observe,
}

impl Mode {
    pub(super) const ALLOWED: &str = "replay or observe";

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "replay" => Some(Mode::Replay),
            "observe" => Some(Mode::Observe),
            _ => None,
        }
    }
}

/// The error that the application sees when its transaction is lost and cannot be replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VictimError {
    /// 1213, SQLSTATE 40001: the transaction was rolled back, the connection is good.
    #[default]
    Deadlock,
    /// 2013: the connection was lost during the query.
    ServerLost,
    /// Whatever the server or the library said.
    Original,
}

impl VictimError {
    pub(super) const ALLOWED: &str = "1213, 2013 or original";

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "1213" => Some(VictimError::Deadlock),
            "2013" => Some(VictimError::ServerLost),
            "original" => Some(VictimError::Original),
            _ => None,
        }
    }
}

/// Where log lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sink {
    /// The process's standard error, if it looks like one.
    #[default]
    Stderr,
    /// The system's log socket, `/dev/log`.
    Syslog,
    /// A file at this absolute path, appended to, created with mode 0600.
    File(PathBuf),
}

impl Sink {
    pub(super) const ALLOWED: &str = "stderr, syslog or an absolute path";

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "stderr" => Some(Sink::Stderr),
            "syslog" => Some(Sink::Syslog),
            path if path.starts_with('/') && !path.contains('\0') => Some(Sink::File(path.into())),
            _ => None,
        }
    }
}

/// A server that may be the writer of an endpoint, says the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub endpoint: EndpointName,
    /// A host name or a literal address; its port is the endpoint's.
    pub host: String,
}

impl Candidate {
    pub(super) const ALLOWED: &str = "endpoint=candidate, both host names, or an address for the candidate, whose port is \
                                      the endpoint's";

    /// An entry without an endpoint would be taken for every writer that the process has: a write to the wrong one is
    /// worse than none.
    pub fn parse(text: &str) -> Option<Self> {
        let (endpoint, host) = text.split_once('=')?;
        let host = EndpointName::parse(host).filter(|name| name.port.is_none())?.host;
        Some(Candidate { endpoint: EndpointName::parse(endpoint)?, host })
    }
}

pub(super) const NAMESERVER_ALLOWED: &str = "an IP address, or address:port ([address]:port for IPv6)";

/// A DNS server; port 53 unless given.
pub(super) fn nameserver(text: &str) -> Option<SocketAddr> {
    let socket = text.parse::<SocketAddr>().ok().filter(|socket| socket.port() != 0);
    socket.or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, 53)))
}

/// In memory, there for every process of a host that is not in a container of its own, and emptied by a restart.
pub(super) const STATE_DIR: &str = "/dev/shm";

pub(super) const STATE_DIR_ALLOWED: &str = "none or an absolute path";

/// Where files that processes share lie.
pub(super) fn state_dir(text: &str) -> Option<Option<PathBuf>> {
    match text {
        "none" => Some(None),
        path if path.starts_with('/') && !path.contains('\0') => Some(Some(path.into())),
        _ => None,
    }
}

/// `POINTSMAN` itself: true for off, false for on.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "off" | "0" | "no" | "false" => Some(true),
        "on" | "1" | "yes" | "true" => Some(false),
        _ => None,
    }
}

pub(super) const SWITCH_ALLOWED: &str = "on or off";
