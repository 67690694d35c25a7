//! Naive applications: each does what its driver's beginners do, knows nothing of switchovers, and records every statement.

mod habits;
mod naming;
mod program;
mod running;

pub use habits::{Form, Habits};
pub use naming::Naming;
pub use running::{RunningWorkload, Stats};

use crate::error::Result;
use crate::ground::roots::System;
use crate::history::StatementKind;
use crate::lab::{DATABASE, ENDPOINT, Lab, PASSWORD, USER};
use crate::process::child;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// Which driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Workload {
    /// Ruby, mysql2: autocommit.
    Mysql2,
    /// Ruby, ActiveRecord on mysql2: a pool, every insert in a transaction.
    ActiveRecord,
    /// Python, mysqlclient: autocommit off, a commit after every insert.
    MySqlDb,
    /// Perl, DBD::mysql: autocommit, one process per worker.
    Dbd,
    /// C, libmariadb of the host.
    LibMariaDb,
    /// C, libmysqlclient 9.7 inside the sid root.
    LibMySqlClient,
}

/// How a workload runs.
#[derive(Debug, Clone)]
pub struct WorkloadOptions {
    /// Connections, one per thread or process.
    pub threads: u32,
    /// The library under test, passed as LD_PRELOAD.
    pub preload: Option<PathBuf>,
    /// TLS, with the server's name verified.
    pub tls: bool,
    /// Autocommit on for the drivers whose default is off.
    pub autocommit: bool,
    /// The host name or address to connect to.
    pub host: String,
    /// Between two statements of a worker.
    pub pause: Duration,
    /// Every how many writes a worker reads what another has written.
    pub read_every: u32,
    /// Only reads, of row 0 of worker 0, which has to be there: for names of readers.
    pub reads_only: bool,
    /// What the application does beyond what its driver's beginners do.
    pub habits: Habits,
    /// How its resolver is set up.
    pub naming: Naming,
    /// The Debian whose interpreter and driver it is; the host's if none is named.
    pub system: Option<System>,
    /// More environment variables.
    pub env: Vec<(OsString, OsString)>,
}

impl Default for WorkloadOptions {
    fn default() -> Self {
        Self {
            threads: 4,
            preload: None,
            tls: false,
            autocommit: false,
            host: ENDPOINT.to_owned(),
            pause: Duration::from_millis(5),
            read_every: 4,
            reads_only: false,
            habits: Habits::default(),
            naming: Naming::default(),
            system: None,
            env: vec![],
        }
    }
}

impl WorkloadOptions {
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = threads;
        self
    }

    pub fn preload(mut self, library: impl Into<PathBuf>) -> Self {
        self.preload = Some(library.into());
        self
    }

    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    pub fn autocommit(mut self) -> Self {
        self.autocommit = true;
        self
    }

    pub fn reads_only(mut self) -> Self {
        self.reads_only = true;
        self
    }

    pub fn habits(mut self, habits: Habits) -> Self {
        self.habits = habits;
        self
    }

    pub fn on(mut self, system: System) -> Self {
        self.system = Some(system);
        self
    }

    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
}

impl Workload {
    /// Starts it in the lab's sandbox.
    pub fn start(self, lab: &Lab, options: WorkloadOptions) -> Result<RunningWorkload> {
        let first = lab.take_workers(options.threads);
        let files = options.naming.files(lab);
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let mut command = self.command(lab, &options, &files)?;
        command
            .env("LAB_HOST", options.naming.host().unwrap_or(&options.host))
            .env("LAB_PORT", lab.port().to_string())
            .env("LAB_USER", USER)
            .env("LAB_PASSWORD", PASSWORD)
            .env("LAB_DATABASE", DATABASE)
            .env("LAB_THREADS", options.threads.to_string())
            .env("LAB_FIRST_WORKER", first.to_string())
            .env("LAB_PAUSE_MS", (options.pause.as_secs_f64() * 1000.0).to_string())
            .env("LAB_READ_EVERY", options.read_every.max(1).to_string())
            .envs(options.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        options.habits.apply(lab, &mut command)?;
        options.naming.apply(lab, &mut command)?;
        if options.tls {
            command.env("LAB_SSL_CA", lab.ca_path());
            command.env("LAB_TLS_OPTIONS", lab.tls_options_path());
        }
        if options.autocommit {
            command.env("LAB_AUTOCOMMIT", "1");
        }
        if options.reads_only {
            command.env("LAB_READS_ONLY", "1");
        }
        if let Some(library) = options.preload {
            command.env("LD_PRELOAD", library);
        }
        let stderr = lab.directory().join(format!("{}-{first}.stderr", self.name()));
        let only_readers = options.habits.readers >= options.threads;
        let trade = if options.reads_only || only_readers { StatementKind::Select } else { StatementKind::Insert };
        RunningWorkload::begin(self, trade, command, stderr, child::spawn)
    }
}

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
