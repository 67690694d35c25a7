//! What can go wrong in the lab, said so that the reader knows what to do next.

use crate::server::flavor::Flavor;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The lab's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the lab itself, never of the software under test.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory operation failed.
    #[error("{doing} {path}: {source}")]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    /// A program could not be started.
    #[error("cannot start {program}: {source} (run `make setup` if it is not installed)")]
    Start { program: String, source: io::Error },
    /// A program that was expected to succeed failed.
    #[error("{program} failed: {output}")]
    Failed { program: String, output: String },
    /// Something that only the set-up script can provide is missing.
    #[error("{what} is missing at {path}: run `make setup`")]
    Missing { what: &'static str, path: PathBuf },
    /// Every set of loopback addresses is in use by another lab.
    #[error("all {0} loopback slots are taken by other labs: end one of them first")]
    NoSlot(u32),
    /// The lab's DNS server could not listen.
    #[error(
        "cannot listen on {address} for DNS: {source} (ports below 1024 need root or net.ipv4.ip_unprivileged_port_start=0)"
    )]
    DnsPort { address: std::net::SocketAddr, source: io::Error },
    /// A host name that DNS cannot carry.
    #[error("{name:?} is not a host name: {reason}")]
    Name { name: String, reason: String },
    /// This machine gives us no private mount name space.
    #[error("no private mount name space here ({reason}): run as root or allow unprivileged user name spaces")]
    NoSandbox { reason: String },
    /// A statement failed on a server.
    #[error("{server}: {statement}: {message}")]
    Sql { server: String, statement: String, message: String },
    /// A server that should run does not.
    #[error("{server} ended while {doing}; its log ends with:\n{log}")]
    ServerEnded { server: String, doing: &'static str, log: String },
    /// A condition did not come true in time.
    #[error("{what} did not happen within {within:?}{detail}")]
    Timeout { what: String, within: Duration, detail: String },
    /// A workload ended before it was told to.
    #[error("workload {name} ended by itself ({status}); its standard error:\n{stderr}")]
    WorkloadEnded { name: String, status: String, stderr: String },
    /// A workload wrote a line that is no statement.
    #[error("workload {name} wrote {line:?}, which is no statement record")]
    WorkloadLine { name: String, line: String },
    /// A workload asks for something that this family of servers does not have.
    #[error("{flavor} has no {what}")]
    Unsuited { what: &'static str, flavor: Flavor },
    /// The scenario's thread panicked.
    #[error("the scenario's thread panicked")]
    ScenarioPanicked,
}

impl Error {
    /// For `map_err`: names the path that an I/O error is about.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }

    /// Whether the machine, not the code, is why: tests print "skipped: …" and return.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::NoSandbox { .. } | Self::DnsPort { .. })
    }
}
