//! The files that say whom to ask: `/etc/hosts` and `resolv.conf`, read again when they change. Sends no question itself.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::Name;
use resolv_conf::{Config, ScopedIp};

use super::hosts::Hosts;
use super::tracked_file::TrackedFile;
use crate::control::log::{Level, say};

/// Whom to ask, and how names are completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolution {
    /// At least one, in the order in which they are tried.
    pub servers: Vec<SocketAddr>,
    /// The servers were chosen for the watcher, not found in resolv.conf.
    pub configured: bool,
    pub search: Vec<Name>,
    pub ndots: usize,
    /// How long the application's resolver waits for one server: option `timeout`, 5 s by default (resolv.conf(5)).
    pub timeout: Duration,
    pub edns0: bool,
    /// Option `no-aaaa`: IPv6 addresses are not asked for.
    pub no_aaaa: bool,
}

/// The two files and what was last read from them.
#[derive(Debug)]
pub(super) struct Sources {
    hosts_file: TrackedFile,
    resolv_conf: TrackedFile,
    /// Configured servers; they take the place of those in resolv.conf.
    nameservers: Vec<SocketAddr>,
    hosts: Hosts,
    resolution: Option<Arc<Resolution>>,
    /// The last trouble with resolv.conf that was logged, so that each is logged once.
    told: Option<(Level, String)>,
}

impl Sources {
    pub fn new(hosts_file: PathBuf, resolv_conf: PathBuf, nameservers: Vec<SocketAddr>) -> Self {
        Self {
            hosts_file: TrackedFile::new(hosts_file),
            resolv_conf: TrackedFile::new(resolv_conf),
            nameservers,
            hosts: Hosts::default(),
            resolution: None,
            told: None,
        }
    }

    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Whom to ask; none while resolv.conf names no server.
    pub fn resolution(&self) -> Option<&Arc<Resolution>> {
        self.resolution.as_ref()
    }

    /// Looks at both files.
    pub fn refresh(&mut self) {
        if let Some(content) = self.hosts_file.changed() {
            // No hosts file is a common state, in containers and chroots, and no trouble.
            self.hosts = content.map(|content| Hosts::parse(&content)).unwrap_or_default();
        }
        let Some(content) = self.resolv_conf.changed() else {
            return;
        };
        let (content, unreadable) = match content {
            Ok(content) => (content, None),
            Err(error) => (String::new(), Some(format!("cannot be read: {error}"))),
        };
        let resolution = read(&content, &self.nameservers);
        let nobody = resolution.servers.is_empty();
        self.resolution = (!nobody).then(|| Arc::new(resolution));
        let trouble = match (unreadable, nobody) {
            (None, false) => None,
            (None, true) => Some((Level::Warn, format!("no name server in it; {BLIND}"))),
            (Some(reason), true) => Some((Level::Warn, format!("{reason}; {BLIND}"))),
            // Of little weight: only a search list may be missed.
            (Some(reason), false) => Some((Level::Info, format!("{reason}; the configured name servers are asked"))),
        };
        if trouble != self.told
            && let Some((level, trouble)) = &trouble
        {
            say!(*level, "{}: {trouble}", self.resolv_conf.path().display());
        }
        self.told = trouble;
    }
}

const BLIND: &str = "DNS changes are not seen until it names one";

/// Reads resolv.conf(5); lines that are not understood are skipped, as glibc does. `attempts`, `rotate` and `use-vc` are
/// left out on purpose: the watcher asks again by itself, and wants the same server's view each time.
fn read(content: &str, nameservers: &[SocketAddr]) -> Resolution {
    let (mut config, _) = Config::parse_with_errors(content.as_bytes());
    config.glibc_normalize();
    let address = |server: &ScopedIp| match server {
        ScopedIp::V4(address) => IpAddr::V4(*address),
        ScopedIp::V6(address, _) => IpAddr::V6(*address),
    };
    let servers = match nameservers {
        [] => config.nameservers.iter().map(|server| SocketAddr::new(address(server), 53)).collect(),
        configured => configured.to_vec(),
    };
    let mut search: Vec<_> = config.get_last_search_or_domain().cloned().collect();
    if search.is_empty() {
        search.extend(config.get_system_domain());
    }
    Resolution {
        servers,
        configured: !nameservers.is_empty(),
        search: search
            .iter()
            .filter_map(|domain| Name::from_ascii(domain).ok())
            .filter(|name| !name.is_root())
            .collect(),
        ndots: config.ndots as usize,
        // RES_MAXRETRANS of glibc.
        timeout: Duration::from_secs(config.timeout.clamp(1, 30).into()),
        edns0: config.edns0,
        no_aaaa: config.no_aaaa,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_search_list_and_options_are_read_in_order() {
        let read = read(
            "# x\nnameserver 10.0.0.2\nnameserver fd00::53\nsearch a.example b.example\noptions ndots:5 edns0 no-aaaa timeout:7\n",
            &[],
        );
        assert_eq!(read.servers, ["10.0.0.2:53".parse().unwrap(), "[fd00::53]:53".parse().unwrap()]);
        assert_eq!(read.search.iter().map(Name::to_ascii).collect::<Vec<_>>(), ["a.example", "b.example"]);
        assert_eq!(read.timeout, Duration::from_secs(7));
        assert_eq!((read.ndots, read.edns0, read.no_aaaa, read.configured), (5, true, true, false));
    }

    #[test]
    fn configured_servers_replace_those_of_the_file_but_not_its_search_list() {
        let configured = ["127.0.0.1:5353".parse().unwrap()];
        let read = read("nameserver 10.0.0.2\nsearch a.example\n", &configured);
        assert!(read.configured);
        assert_eq!(read.servers, configured);
        assert_eq!(read.search.len(), 1);
    }

    #[test]
    fn only_three_servers_count_as_in_glibc() {
        let read = read(&(1..6).map(|n| format!("nameserver 10.0.0.{n}\n")).collect::<String>(), &[]);
        assert_eq!(read.servers.len(), 3);
    }

    #[test]
    fn a_file_that_names_no_server_leaves_nobody_to_ask_until_it_does() {
        let path = std::env::temp_dir().join(format!("pointsman-resolv-{}", std::process::id()));
        std::fs::write(&path, "search a.example\n").unwrap();
        let mut sources = Sources::new("/nonexistent".into(), path.clone(), Vec::new());
        sources.refresh();
        assert!(sources.resolution().is_none() && sources.told.is_some());
        std::fs::write(&path, "search a.example\nnameserver 10.0.0.2\n").unwrap();
        sources.refresh();
        assert!(sources.resolution().is_some() && sources.told.is_none());
        std::fs::remove_file(&path).unwrap();
    }
}
