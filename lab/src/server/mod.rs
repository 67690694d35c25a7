//! One server process with its data directory. Knows nothing of the other server.

mod administration;
mod cut;
pub(crate) mod flavor;
pub(crate) mod front;
mod galera;
mod replication;

use crate::error::{Error, Result};
use crate::ground::slot::PORT;
use crate::ground::template;
use crate::process::child::{self, Kept};
use crate::process::wait;
use cut::Cut;
use flavor::Flavor;
use galera::Member;
use nix::sys::signal::Signal;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// A library that shifts a program's calendar.
const CLOCK: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
const START: Duration = Duration::from_secs(60);

/// How a server was made silent: what `Server::cut_off` could do on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// Its packets are dropped both ways: nothing is acknowledged, nothing connects.
    Dropped,
    /// It is stopped: the kernel still acknowledges and connects in its name. Why packets cannot be dropped.
    Stopped(String),
}

/// A MariaDB or MySQL server on a loopback address of the lab.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    id: u32,
    flavor: Flavor,
    address: Ipv4Addr,
    directory: PathBuf,
    connections: u32,
    starts_read_only: AtomicBool,
    /// Seconds by which its clock is ahead.
    clock_ahead: AtomicU64,
    /// How many aborted handshakes of a host it forgives; zero: it counts none.
    forgives: AtomicU64,
    process: Mutex<Option<Kept>>,
    cut: Mutex<Option<Cut>>,
    /// Its part in a Galera cluster, if it has one.
    member: OnceLock<Member>,
}

impl Server {
    /// Lays out the directory of a server that does not run yet.
    pub(crate) fn prepare(
        name: &'static str,
        id: u32,
        flavor: Flavor,
        address: Ipv4Addr,
        directory: PathBuf,
        connections: u32,
    ) -> Result<Self> {
        fs::create_dir_all(&directory).map_err(Error::file("make", &directory))?;
        let server = Self {
            name,
            id,
            flavor,
            address,
            directory,
            connections,
            starts_read_only: AtomicBool::new(false),
            clock_ahead: AtomicU64::new(0),
            forgives: AtomicU64::new(0),
            process: Mutex::new(None),
            cut: Mutex::new(None),
            member: OnceLock::new(),
        };
        template::copy(&template::data_directory(flavor)?, &server.directory.join("data"))?;
        Ok(server)
    }

    /// Whether it comes up read-only, as a demoted server does after a restart. For starts from now on.
    pub fn set_starts_read_only(&self, read_only: bool) {
        self.starts_read_only.store(read_only, Ordering::Relaxed);
    }

    /// By how much its clock is ahead of the machine's. For starts from now on.
    pub fn set_clock_ahead(&self, by: Duration) {
        self.clock_ahead.store(by.as_secs(), Ordering::Relaxed);
    }

    /// It refuses a host with more aborted handshakes than that, as a server does that looks up its clients' names. For starts
    /// from now on.
    pub fn set_forgives(&self, handshakes: u64) {
        self.forgives.store(handshakes, Ordering::Relaxed);
    }

    /// From its first start on it is a node of a Galera cluster of these three.
    pub(crate) fn join_cluster(&self, nodes: [Ipv4Addr; 3], ground: &Path) -> Result<()> {
        let member = Member { nodes, own: self.address };
        member.prepare(ground, &self.directory)?;
        self.member.set(member).expect("a server is in one cluster");
        Ok(())
    }

    /// Starts it as the first node of its cluster, which there is none of yet.
    pub(crate) fn start_cluster(&self) -> Result<()> {
        self.launch_as(true)?;
        self.wait_ready()
    }

    /// Starts it on the data that is there, and waits until it answers.
    pub fn start(&self) -> Result<()> {
        self.launch()?;
        self.wait_ready()
    }

    /// Waits until it answers a query.
    pub fn wait_ready(&self) -> Result<()> {
        let socket = self.socket();
        wait::until(
            &format!("{self} accepting connections"),
            START,
            || self.log_tail(),
            || {
                if !self.is_running() {
                    return Err(Error::ServerEnded {
                        server: self.to_string(),
                        doing: "starting",
                        log: self.log_tail(),
                    });
                }
                Ok(UnixStream::connect(&socket).ok())
            },
        )?;
        if self.member.get().is_none() {
            return self.sql("SELECT 1").map(drop);
        }
        wait::until(
            &format!("{self} being ready"),
            START,
            || self.log_tail(),
            || Ok(self.sql("SHOW STATUS LIKE 'wsrep_ready'").ok().filter(|status| status.ends_with("ON")).map(drop)),
        )
    }

    /// SIGKILL: the crash of a server. Its data stays for `start`.
    pub fn kill9(&self) {
        if let Some(process) = self.process().take() {
            process.kill();
        }
    }

    /// An orderly shutdown.
    pub fn stop(&self) -> Result<()> {
        let Some(process) = self.process().take() else {
            return Ok(());
        };
        process.signal(Signal::SIGTERM);
        process.wait(START).map(drop)
    }

    /// Stops it in its tracks: connections stay open and nothing answers.
    pub fn freeze(&self) {
        if let Some(process) = &*self.process() {
            process.signal(Signal::SIGSTOP);
        }
    }

    /// Ends `freeze`.
    pub fn thaw(&self) {
        if let Some(process) = &*self.process() {
            process.signal(Signal::SIGCONT);
        }
    }

    /// The network swallows it: nothing arrives, and nobody is told. Where packets cannot be dropped, `freeze`.
    pub fn cut_off(&self) -> Silence {
        let mut cut = self.cut();
        if cut.is_none() {
            match Cut::make(SocketAddrV4::new(self.address, PORT)) {
                Ok(made) => *cut = Some(made),
                Err(reason) => {
                    self.freeze();
                    return Silence::Stopped(reason);
                }
            }
        }
        Silence::Dropped
    }

    /// Ends `cut_off`.
    pub fn rejoin(&self) {
        if self.cut().take().is_none() {
            self.thaw();
        }
    }

    pub fn is_running(&self) -> bool {
        self.process().as_ref().is_some_and(|process| process.ended().is_none())
    }

    /// `blue` or `green`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    pub fn address(&self) -> SocketAddr {
        (self.address, PORT).into()
    }

    pub fn ip(&self) -> Ipv4Addr {
        self.address
    }

    /// The administrator's Unix socket.
    pub fn socket(&self) -> PathBuf {
        // The rest of a cluster node's directory can be entered by others.
        if self.member.get().is_some() { self.directory.join("own/s") } else { self.directory.join("s") }
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    pub(crate) fn launch(&self) -> Result<()> {
        self.launch_as(false)
    }

    fn launch_as(&self, first: bool) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.map_err(Error::file("open the log", self.log()))?;
        let errors = log.try_clone().map_err(Error::file("open the log", self.log()))?;
        let certificates = template::certificates()?;
        let path = |name: &str| self.directory.join(name).display().to_string();
        let mut command = self.flavor.server_program()?;
        command
            .args(self.flavor.options())
            .arg(format!("--server-id={}", self.id))
            .arg(format!("--max-connections={}", self.connections))
            .arg(format!("--bind-address={}", self.address))
            .arg(format!("--port={PORT}"))
            .arg(format!("--datadir={}", path("data")))
            .arg(format!("--socket={}", self.socket().display()))
            .arg(format!("--pid-file={}", path("pid")))
            .arg(format!("--tmpdir={}", self.directory.display()))
            .arg(format!("--ssl-ca={}", certificates.join("ca.pem").display()))
            .arg(format!("--ssl-cert={}", certificates.join("server-cert.pem").display()))
            .arg(format!("--ssl-key={}", certificates.join("server-key.pem").display()))
            .arg(format!("--read-only={}", u8::from(self.starts_read_only.load(Ordering::Relaxed))))
            .stdin(std::process::Stdio::null())
            .stdout(log)
            .stderr(errors);
        let forgives = self.forgives.load(Ordering::Relaxed);
        if forgives > 0 {
            // A server that looks up no names counts nothing (MySQL manual, "Host Cache").
            command.arg("--skip-name-resolve=OFF").arg(format!("--max-connect-errors={forgives}"));
        }
        if let Some(member) = self.member.get() {
            galera::open_data(&self.directory)?;
            member.apply(first, &mut command);
        }
        let ahead = self.clock_ahead.load(Ordering::Relaxed);
        if ahead > 0 {
            let path = PathBuf::from(CLOCK);
            if !path.exists() {
                return Err(Error::Missing { what: "libfaketime", path });
            }
            // Time that only passes stays as it is: waits and time limits are no matter of the calendar.
            command.env("LD_PRELOAD", path).env("FAKETIME", format!("+{ahead}s"));
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let mut process = self.process();
        // A crashed predecessor leaves its socket file, which would look like a server that accepts.
        let _ = fs::remove_file(self.socket());
        *process = Some(child::spawn(command)?);
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    fn cut(&self) -> MutexGuard<'_, Option<Cut>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self) -> MutexGuard<'_, Option<Kept>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} at {})", self.name, self.flavor, self.address())
    }
}
