//! The two families of servers: how each is started, initialised and asked. Knows no running server.

use crate::error::Result;
use crate::ground::roots;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MariaDB as Debian 12 ships it.
    MariaDb,
    /// MySQL 9.7 from the sid root.
    MySql,
}

/// What both families understand: small, without fsync, binary log on, nothing that a test does not need.
const COMMON: [&str; 9] = [
    "--skip-name-resolve",
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=24M",
    "--innodb-flush-method=nosync",
    // Handed to the kernel at every commit, so that a killed server loses nothing that it acknowledged.
    "--innodb-flush-log-at-trx-commit=2",
    "--sync-binlog=0",
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--relay-log=relay",
];

impl Flavor {
    /// The server program with the options that every use of it needs.
    pub(crate) fn server_program(self) -> Result<Command> {
        Ok(match self {
            Self::MariaDb => {
                let mut command = Command::new("/usr/sbin/mariadbd");
                command.arg("--no-defaults").args(as_root());
                command
            }
            Self::MySql => {
                let root = roots::sid_root()?;
                let mut command = roots::sid_program(&root, "usr/sbin/mysqld");
                command
                    .arg("--no-defaults")
                    .args(as_root())
                    .args(mysql_directories(&root))
                    .arg("--secure-file-priv=NULL");
                command
            }
        })
    }

    /// The options of a running server that differ between the families.
    pub(crate) fn options(self) -> impl Iterator<Item = &'static str> {
        let own: &[&str] = match self {
            Self::MariaDb => &["--innodb-log-file-size=8M", "--log-slave-updates=ON", "--slave-net-timeout=5"],
            Self::MySql => &[
                "--mysqlx=OFF",
                "--gtid-mode=ON",
                "--enforce-gtid-consistency=ON",
                "--innodb-redo-log-capacity=16M",
                "--replica-net-timeout=5",
                "--replica-parallel-workers=1",
            ],
        };
        COMMON.into_iter().chain(own.iter().copied())
    }

    /// The command that fills an empty data directory.
    pub(crate) fn initialiser(self, data: &Path) -> Result<Command> {
        let data = format!("--datadir={}", data.display());
        Ok(match self {
            Self::MariaDb => {
                let mut command = Command::new("/usr/bin/mariadb-install-db");
                // Also on a machine whose own name nothing knows, as in a container without /etc/hosts.
                command.args(["--no-defaults", "--skip-test-db", "--innodb-log-file-size=8M", "--force"]);
                command.args(as_root());
                command.args([
                    // No password, but the socket lies in a directory that only its owner can enter.
                    "--auth-root-authentication-method=normal",
                    &data,
                ]);
                command
            }
            Self::MySql => {
                let mut command = self.server_program()?;
                command.args(["--initialize-insecure", "--innodb-redo-log-capacity=16M", &data]);
                command
            }
        })
    }

    /// The command-line client as root over a socket, answering in bare tab-separated rows.
    pub(crate) fn client(self, socket: &Path) -> Result<Command> {
        let mut command = match self {
            Self::MariaDb => Command::new("/usr/bin/mariadb"),
            Self::MySql => roots::sid_program(&roots::sid_root()?, "usr/bin/mysql"),
        };
        command.args(["--no-defaults", "--batch", "--skip-column-names", "--raw", "--user=root"]);
        command.arg(format!("--socket={}", socket.display()));
        Ok(command)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }
}

impl std::fmt::Display for Flavor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MariaDb => "MariaDB",
            Self::MySql => "MySQL",
        })
    }
}

/// Servers refuse to run as root unless told to, and to be told so as anybody else.
fn as_root() -> Option<&'static str> {
    nix::unistd::geteuid().is_root().then_some("--user=root")
}

fn mysql_directories(root: &Path) -> [String; 4] {
    let option = |name: &str, path: PathBuf| format!("--{name}={}", path.display());
    [
        option("basedir", root.join("usr")),
        option("lc-messages-dir", root.join("usr/share/mysql")),
        option("character-sets-dir", root.join("usr/share/mysql/charsets")),
        option("plugin-dir", root.join("usr/lib/mysql/plugin")),
    ]
}
