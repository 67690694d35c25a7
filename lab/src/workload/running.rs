//! A workload while it runs: its records as they come, conditions on them, and its end.

use super::Workload;
use crate::error::{Error, Result};
use crate::history::{History, Outcome, Statement, StatementKind};
use crate::process::child::Kept;
use crate::process::wait;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A held statement may take as long as the longest hold before a workload can stop.
const STOP: Duration = Duration::from_secs(90);

/// Counts of what a workload has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    pub statements: u64,
    /// Successful connects.
    pub connects: u64,
    /// Writes that succeeded.
    pub acknowledged: u64,
    /// Statements of all kinds that failed.
    pub failed: u64,
    pub stale_reads: u64,
}

/// A running workload; dropped, it is killed.
#[derive(Debug)]
pub struct RunningWorkload {
    workload: Workload,
    /// The statements that it is there for.
    trade: StatementKind,
    process: Kept,
    stdin: Option<ChildStdin>,
    stderr: PathBuf,
    seen: Arc<Seen>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    records: Mutex<Records>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Records {
    statements: Vec<Statement>,
    stats: Stats,
    broken: Option<String>,
    ended: bool,
}

impl RunningWorkload {
    pub(super) fn begin(
        workload: Workload,
        trade: StatementKind,
        mut command: Command,
        stderr: PathBuf,
        spawn: impl FnOnce(Command) -> Result<Kept>,
    ) -> Result<Self> {
        command.stderr(File::create(&stderr).map_err(Error::file("make", &stderr))?);
        let process = spawn(command)?;
        let stdin = process.take_stdin();
        let stdout = process.take_stdout().expect("a workload's standard output is a pipe");
        let seen = Arc::new(Seen::default());
        let reader = std::thread::spawn({
            let seen = seen.clone();
            move || seen.read(BufReader::new(stdout))
        });
        Ok(Self { workload, trade, process, stdin, stderr, seen, reader: Some(reader) })
    }

    pub fn stats(&self) -> Stats {
        self.seen.records().stats
    }

    /// A copy of all records so far.
    pub fn statements(&self) -> Vec<Statement> {
        self.seen.records().statements.clone()
    }

    pub fn workload(&self) -> Workload {
        self.workload
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The file that its standard error goes to.
    pub fn stderr_path(&self) -> &Path {
        &self.stderr
    }

    /// What it has said on standard error so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Waits until the counts satisfy a condition; fails as soon as they never can.
    pub fn wait_for(&self, within: Duration, what: &str, condition: impl Fn(&Stats) -> bool) -> Result<Stats> {
        let deadline = Instant::now() + within;
        let mut records = self.seen.records();
        loop {
            if condition(&records.stats) {
                return Ok(records.stats);
            }
            self.sound(&records)?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let detail = format!("; {} so far: {:?}\n{}", self.workload, records.stats, self.stderr());
                return Err(Error::Timeout { what: what.to_owned(), within, detail });
            }
            records = self.seen.changed.wait_timeout(records, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until `more` writes beyond those of now have succeeded.
    pub fn wait_for_writes(&self, within: Duration, more: u64) -> Result<Stats> {
        let target = self.stats().acknowledged + more;
        self.wait_for(within, &format!("{more} more writes"), |stats| stats.acknowledged >= target)
    }

    /// Waits until every one of `workers` has a write that began after this call and succeeded; a read, where it only
    /// reads.
    pub fn wait_for_every_worker(&self, within: Duration, workers: u32) -> Result<()> {
        let now = wait::monotonic_us();
        let what = format!("a statement by each of the {workers} workers of {}", self.workload);
        wait::until(
            &what,
            within,
            || format!("; so far: {:?}", self.stats()),
            || {
                let records = self.seen.records();
                self.sound(&records)?;
                let fresh = records.statements.iter().rev().take_while(|s| s.end_us >= now);
                let counts = |s: &&Statement| s.start_us >= now && s.kind == self.trade && s.outcome == Outcome::Ok;
                let done: std::collections::HashSet<_> = fresh.filter(counts).map(|s| s.worker).collect();
                Ok((done.len() >= workers as usize).then_some(()))
            },
        )
    }

    /// Tells it to stop, waits for its end, and gives everything that it did.
    pub fn stop(mut self) -> Result<History> {
        drop(self.stdin.take());
        let status = self.process.wait(STOP)?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let mut records = self.seen.records();
        if let Some(line) = records.broken.take() {
            return Err(Error::WorkloadLine { name: self.workload.to_string(), line });
        }
        if !status.success() {
            return Err(self.ended(&status.to_string()));
        }
        Ok(History { statements: std::mem::take(&mut records.statements) })
    }

    /// Ends it at once, as when it hangs on a server that will never answer, and gives everything that it had recorded.
    pub fn kill(mut self) -> Result<History> {
        self.process.kill();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ok(History { statements: std::mem::take(&mut self.seen.records().statements) })
    }

    fn sound(&self, records: &Records) -> Result<()> {
        if let Some(line) = &records.broken {
            return Err(Error::WorkloadLine { name: self.workload.to_string(), line: line.clone() });
        }
        if records.ended {
            let status = self.process.ended().map_or("it closed its output".to_owned(), |status| status.to_string());
            return Err(self.ended(&status));
        }
        Ok(())
    }

    fn ended(&self, status: &str) -> Error {
        Error::WorkloadEnded { name: self.workload.to_string(), status: status.to_owned(), stderr: self.stderr() }
    }
}

impl Seen {
    fn read(&self, lines: impl BufRead) {
        for line in lines.split(b'\n').map_while(std::io::Result::ok) {
            let line = String::from_utf8_lossy(&line);
            let mut records = self.records();
            match Statement::parse(&line) {
                Some(statement) => records.add(statement),
                None => records.broken = Some(line.into_owned()),
            }
            self.changed.notify_all();
        }
        self.records().ended = true;
        self.changed.notify_all();
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    fn add(&mut self, statement: Statement) {
        let stats = &mut self.stats;
        stats.statements += 1;
        match (statement.outcome, statement.kind) {
            (Outcome::Ok, StatementKind::Insert) => stats.acknowledged += 1,
            (Outcome::Ok, StatementKind::Connect) => stats.connects += 1,
            (Outcome::Ok, StatementKind::Select) => {}
            (Outcome::Error, _) => stats.failed += 1,
            (Outcome::Stale, _) => stats.stale_reads += 1,
        }
        self.statements.push(statement);
    }
}
