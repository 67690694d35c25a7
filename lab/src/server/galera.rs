//! Three MariaDB servers as one Galera cluster: what each is started with. A joiner gets its data from another node by
//! rsync, whose daemon runs as nobody and has to reach the data directory.

use crate::error::{Error, Result};
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";
const NOBODY: u32 = 65534;
/// A node that is not heard from is given up within some two seconds, not within fifteen.
const TIMES: &str = "pc.recovery=false;evs.keepalive_period=PT0.3S;evs.inactive_check_period=PT0.3S;\
    evs.suspect_timeout=PT1.5S;evs.inactive_timeout=PT3S;evs.install_timeout=PT3S";

/// The part of a server in its cluster.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) nodes: [Ipv4Addr; 3],
    pub(crate) own: Ipv4Addr,
}

impl Member {
    /// Makes the server's directory what rsync's daemon can reach the data in, and nothing beside that what it can read.
    pub(crate) fn prepare(&self, ground: &Path, directory: &Path) -> Result<()> {
        if !Path::new(PROVIDER).exists() {
            return Err(Error::Missing { what: "Galera", path: PROVIDER.into() });
        }
        let own = directory.join("own");
        fs::create_dir_all(&own).map_err(Error::file("make", &own))?;
        for (path, mode) in [(&own, 0o700), (&ground.to_owned(), 0o711), (&directory.to_owned(), 0o711)] {
            open_to(path, mode)?;
        }
        Ok(())
    }

    pub(crate) fn apply(&self, first: bool, command: &mut Command) {
        let own = self.own;
        let others = self.nodes.map(|node| node.to_string()).join(",");
        let peers = format!("gmcast.listen_addr=tcp://{own}:4567;ist.recv_addr={own}:4568;ist.recv_bind={own}");
        command
            .args(["--wsrep-on=ON", "--wsrep-cluster-name=lab", "--wsrep-sst-method=rsync"])
            .args(["--innodb-autoinc-lock-mode=2", "--wsrep-sync-wait=1"])
            .arg(format!("--wsrep-provider={PROVIDER}"))
            .arg(format!("--wsrep-node-address={own}"))
            .arg(format!("--wsrep-sst-receive-address={own}:4444"))
            .arg(format!("--wsrep-provider-options=gcache.size=16M;{peers};{TIMES}"))
            .arg(format!("--wsrep-cluster-address=gcomm://{}", if first { "" } else { &others }));
        if first {
            command.arg("--wsrep-new-cluster");
        }
    }
}

/// Makes the data directory in a server's directory what rsync's daemon can write into, with all that the server has made in it.
pub(crate) fn open_data(directory: &Path) -> Result<()> {
    open_all(&directory.join("data"))
}

fn open_to(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::file("open up", path))
}

fn open_all(path: &Path) -> Result<()> {
    open_to(path, 0o777)?;
    // It sets the group of what it finds, which only the owner may. Only root can give files away, and only root's daemon
    // runs as another user.
    let _ = chown(path, Some(NOBODY), Some(NOBODY));
    if !path.is_dir() {
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(Error::file("read", path))?;
    entries.flatten().try_for_each(|entry| open_all(&entry.path()))
}
