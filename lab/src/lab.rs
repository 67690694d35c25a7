//! The whole: two servers, DNS and a directory on one slot of loopback addresses. Everything goes when it is dropped.

use crate::dns::Dns;
use crate::error::{Error, Result};
use crate::ground::directory::Ground;
use crate::ground::roots::{self, System};
use crate::ground::slot::{PORT, Slot};
use crate::ground::template;
use crate::process::sandbox;
use crate::server::Server;
use crate::server::flavor::Flavor;
use crate::server::front::Front;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The zone that the lab's DNS server answers for.
pub const DOMAIN: &str = "lab.test";
/// The name that applications use; it means blue at first.
pub const ENDPOINT: &str = "db.lab.test";
/// The name of a pool of readers, which only scenarios with such a pool give an answer.
pub const READERS: &str = "db-ro-1.lab.test";

/// The application's account and its database.
pub const USER: &str = "app";
pub const PASSWORD: &str = "app-password";
pub const DATABASE: &str = "shop";

const CA: &str = "ca.pem";
const TLS_OPTIONS: &str = "tls.cnf";
const CATCH_UP: Duration = Duration::from_secs(30);
const TABLE: &str = "CREATE DATABASE shop; \
    CREATE TABLE shop.orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, worker INT NOT NULL, seq INT NOT NULL, \
    placed_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), note VARCHAR(255), KEY who (worker, seq));";

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Blue,
    Green,
}

/// A handle on a running lab; clones share it, and the last one takes it down.
#[derive(Debug, Clone)]
pub struct Lab(Arc<Parts>);

// Fields are dropped in this order: the servers first, the directory and the slot last.
#[derive(Debug)]
struct Parts {
    blue: Server,
    green: Option<Server>,
    /// The third node of a Galera cluster.
    third: Option<Server>,
    dns: Dns,
    /// Where names lead that mean green, if not to green itself.
    front: OnceLock<Ipv4Addr>,
    /// One address for both servers, where a scenario asks for it.
    balancer: OnceLock<Front>,
    workers: AtomicU32,
    ground: Ground,
    slot: Slot,
}

/// Says which servers a lab has.
#[derive(Debug, Clone)]
pub struct LabBuilder {
    blue: Flavor,
    green: Option<Flavor>,
    ttl: u32,
    connections: u32,
    green_ahead: Duration,
    galera: bool,
}

impl Lab {
    /// MariaDB on both sides unless told otherwise.
    pub fn builder() -> LabBuilder {
        LabBuilder {
            blue: Flavor::MariaDb,
            green: Some(Flavor::MariaDb),
            ttl: 1,
            connections: 400,
            green_ahead: Duration::ZERO,
            galera: false,
        }
    }

    /// The writer at the start.
    pub fn blue(&self) -> &Server {
        &self.0.blue
    }

    /// The replica at the start.
    ///
    /// # Panics
    /// In a lab that was built with a single server.
    pub fn green(&self) -> &Server {
        self.0.green.as_ref().expect("this lab was built without a green server")
    }

    pub fn server(&self, side: Side) -> &Server {
        match side {
            Side::Blue => self.blue(),
            Side::Green => self.green(),
        }
    }

    /// From now on names that mean green lead to this address: to something of the caller's that stands in front of it.
    ///
    /// # Panics
    /// When something stands there already.
    pub fn put_in_front_of_green(&self, address: Ipv4Addr) {
        self.0.front.set(address).expect("one thing at a time stands in front of green");
    }

    /// What names say that mean this side.
    pub(crate) fn named_address(&self, side: Side) -> Ipv4Addr {
        let front = self.0.front.get().filter(|_| side == Side::Green);
        front.copied().unwrap_or_else(|| self.server(side).ip())
    }

    /// One address in front of both servers, which leads to blue at first.
    pub(crate) fn balancer(&self) -> Result<&Front> {
        if let Some(front) = self.0.balancer.get() {
            return Ok(front);
        }
        let front = Front::open(self.0.slot.front(), self.blue().address())?;
        Ok(self.0.balancer.get_or_init(|| front))
    }

    /// The file that the application's password can be read from.
    pub fn password_path(&self) -> PathBuf {
        self.directory().join("password")
    }

    pub(crate) fn write_password(&self, password: &str) -> Result<()> {
        // Renamed, so that no reader sees half of it.
        let (path, new) = (self.password_path(), self.directory().join("password.new"));
        std::fs::write(&new, password).map_err(Error::file("write", &new))?;
        std::fs::rename(&new, &path).map_err(Error::file("rename", &new))
    }

    pub fn dns(&self) -> &Dns {
        &self.0.dns
    }

    /// The lab's directory, for files that should go with it.
    pub fn directory(&self) -> &Path {
        self.0.ground.path()
    }

    /// The certificate authority that both servers' certificates are signed by.
    pub fn ca_path(&self) -> PathBuf {
        self.directory().join(CA)
    }

    /// An option file that makes a client library verify the server's name under TLS: for drivers that have no such
    /// option of their own.
    pub fn tls_options_path(&self) -> PathBuf {
        self.directory().join(TLS_OPTIONS)
    }

    pub fn port(&self) -> u16 {
        PORT
    }

    /// An address of the slot that nothing listens on: for black holes and for servers of the caller's own.
    pub fn spare_address(&self) -> Ipv4Addr {
        self.0.slot.spare()
    }

    /// A program that sees only the lab's resolver. It dies with the *thread* that starts it; [`crate::spawn`] starts it
    /// so that it dies with the process.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command> {
        sandbox::command(program.as_ref(), self.directory(), self.0.slot.dns(), &[])
    }

    /// As [`Lab::command`], with an `/etc/hosts` of the caller's.
    pub fn command_with_hosts(&self, program: impl AsRef<std::ffi::OsStr>, hosts: &str) -> Result<Command> {
        self.command_with_names(program, &[("hosts", hosts)])
    }

    /// As [`Lab::command`], with the caller's own text of some of `/etc/hosts`, `/etc/resolv.conf` and `/etc/nsswitch.conf`.
    pub fn command_with_names(&self, program: impl AsRef<std::ffi::OsStr>, files: &[(&str, &str)]) -> Result<Command> {
        sandbox::command(program.as_ref(), self.directory(), self.0.slot.dns(), files)
    }

    /// A program that runs inside the root with Debian sid: its own path, the lab's directory and each of `paths` are
    /// there under their names on the host.
    pub fn sid_command(&self, program: impl AsRef<Path>, paths: &[&Path]) -> Result<Command> {
        self.sid_command_with_names(program, paths, &[])
    }

    pub(crate) fn sid_command_with_names(
        &self,
        program: impl AsRef<Path>,
        paths: &[&Path],
        files: &[(&str, &str)],
    ) -> Result<Command> {
        self.command_inside(&roots::sid_root()?, program.as_ref(), paths, files)
    }

    /// As [`Lab::sid_command`], inside a Debian with its own drivers.
    pub fn system_command(&self, system: System, program: impl AsRef<Path>, paths: &[&Path]) -> Result<Command> {
        self.command_inside(&system.root()?, program.as_ref(), paths, &[])
    }

    pub(crate) fn command_inside(
        &self,
        debian: &Path,
        program: &Path,
        paths: &[&Path],
        files: &[(&str, &str)],
    ) -> Result<Command> {
        let mut shared = paths.to_vec();
        if program.exists() && !program.starts_with("/usr") {
            shared.push(program);
        }
        sandbox::command_inside(debian, program.as_os_str(), &shared, self.directory(), self.0.slot.dns(), files)
    }

    /// Numbers for `count` workers that no other workload of this lab has.
    pub(crate) fn take_workers(&self, count: u32) -> u32 {
        self.0.workers.fetch_add(count, Ordering::Relaxed)
    }
}

impl LabBuilder {
    pub fn both(self, flavor: Flavor) -> Self {
        self.blue(flavor).green(flavor)
    }

    pub fn blue(mut self, flavor: Flavor) -> Self {
        self.blue = flavor;
        self
    }

    pub fn green(mut self, flavor: Flavor) -> Self {
        self.green = Some(flavor);
        self
    }

    /// Only a blue server.
    pub fn single(mut self) -> Self {
        self.green = None;
        self
    }

    /// The TTL of the endpoint's DNS answer, in seconds.
    pub fn ttl(mut self, ttl: u32) -> Self {
        self.ttl = ttl;
        self
    }

    /// By how much green's clock is ahead of everybody else's.
    pub fn green_ahead(mut self, by: Duration) -> Self {
        self.green_ahead = by;
        self
    }

    /// Three MariaDB servers as one Galera cluster: blue, green, and a third node. All take writes, nobody replicates to
    /// anybody else, and `db.lab.test` means all of them.
    pub fn galera(mut self) -> Self {
        self.galera = true;
        self
    }

    /// How many connections each server accepts.
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// Starts the servers side by side, replicates blue to green where both are of one family, makes green read-only
    /// and points `db.lab.test` at blue.
    pub fn start(self) -> Result<Lab> {
        let slot = Slot::take()?;
        let ground = Ground::take()?;
        lay_out_tls(ground.path())?;
        let dns = Dns::start(slot.dns())?;
        if self.galera {
            return self.start_galera(slot, ground, dns);
        }
        let serve = |name, id, flavor, address, ahead| {
            let server = Server::prepare(name, id, flavor, address, ground.path().join(name), self.connections)?;
            server.set_clock_ahead(ahead);
            running(server)
        };
        let ahead = self.green_ahead;
        let (blue, green) = std::thread::scope(|scope| {
            let green = self.green.map(|flavor| {
                let address = slot.green();
                scope.spawn(move || serve("green", 2, flavor, address, ahead))
            });
            let blue = serve("blue", 1, self.blue, slot.blue(), Duration::ZERO);
            (blue, green.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))))
        });
        let (blue, green) = (blue?, green.transpose()?);
        populate(&blue, green.as_ref())?;
        dns.set(ENDPOINT, &[blue.ip()], self.ttl)?;
        Ok(Lab::of(blue, green, None, dns, ground, slot))
    }

    fn start_galera(self, slot: Slot, ground: Ground, dns: Dns) -> Result<Lab> {
        let nodes = [slot.blue(), slot.green(), slot.third()];
        let prepare = |name, id, address| {
            let directory = ground.path().join(name);
            let server = Server::prepare(name, id, Flavor::MariaDb, address, directory, self.connections)?;
            server.join_cluster(nodes, ground.path())?;
            Ok(server)
        };
        let (blue, green) = (prepare("blue", 1, nodes[0])?, prepare("green", 2, nodes[1])?);
        let third = prepare("third", 3, nodes[2])?;
        blue.start_cluster()?;
        populate(&blue, None)?;
        // A node gives its data to one joiner at a time.
        green.start()?;
        third.start()?;
        dns.set_in_turns(ENDPOINT, &nodes, self.ttl)?;
        Ok(Lab::of(blue, Some(green), Some(third), dns, ground, slot))
    }
}

impl Lab {
    fn of(blue: Server, green: Option<Server>, third: Option<Server>, dns: Dns, ground: Ground, slot: Slot) -> Self {
        let (front, balancer, workers) = (OnceLock::new(), OnceLock::new(), AtomicU32::new(1));
        Self(Arc::new(Parts { blue, green, third, dns, front, balancer, workers, ground, slot }))
    }

    /// The third node of a Galera cluster.
    pub fn third(&self) -> Option<&Server> {
        self.0.third.as_ref()
    }
}

impl Side {
    pub fn other(self) -> Self {
        match self {
            Self::Blue => Self::Green,
            Self::Green => Self::Blue,
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Blue => "blue",
            Self::Green => "green",
        })
    }
}

/// The certificate authority lies in the lab's own directory: that is what a program in the sid root can see.
fn lay_out_tls(directory: &Path) -> Result<()> {
    let ca = directory.join(CA);
    let authority = template::certificates()?.join(CA);
    std::fs::copy(authority, &ca).map_err(Error::file("copy the certificate authority to", &ca))?;
    let options = directory.join(TLS_OPTIONS);
    // With its value: libmariadb takes the bare word for a no. The host is for a program that names none.
    let host = format!("host={ENDPOINT}\nport={PORT}");
    let text = format!("[client]\n{host}\nssl-ca={}\nssl-verify-server-cert=1\n", ca.display());
    std::fs::write(&options, text).map_err(Error::file("write", &options))
}

fn running(server: Server) -> Result<Server, Error> {
    server.start()?;
    Ok(server)
}

fn populate(blue: &Server, green: Option<&Server>) -> Result<()> {
    let account =
        format!("CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON {DATABASE}.* TO {USER}@'%';");
    let content = |server: &Server| format!("{TABLE} {account} {}", server.replication_account());
    blue.sql(&content(blue))?;
    let Some(green) = green else { return Ok(()) };
    if green.flavor() == blue.flavor() {
        green.replicate_from(blue)?;
        green.wait_caught_up(blue, CATCH_UP)?;
    } else {
        green.sql(&content(green))?;
    }
    green.set_super_read_only()
}
