//! How a program's resolver is set up, where that is not as on the machine that everything was tested on.

use crate::dns::DnsMood;
use crate::error::{Error, Result};
use crate::lab::{DOMAIN, ENDPOINT, Lab, Side};
use std::process::Command;
use std::time::Duration;

/// A name of another environment, which a resolver that heeds only resolv.conf finds.
const STAGING: &str = "staging.lab.test";

/// How the program finds the server's address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Naming {
    /// The lab's DNS, asked as usual.
    #[default]
    Plain,
    /// Every answer of DNS is late.
    Late(Duration),
    /// DNS answers over TCP only; resolv.conf says `use-vc`.
    TcpOnly,
    /// The host is `db`; LOCALDOMAIN completes it. By resolv.conf it would be another environment's, green.
    LocalDomain,
    /// The host is `db`; HOSTALIASES says what it stands for. By resolv.conf it would be another environment's, green.
    HostAliases,
    /// `/etc/hosts` says blue, and DNS says green.
    Hosts,
}

impl Naming {
    /// The program's own text of files of the resolver.
    pub(super) fn files(self, lab: &Lab) -> Vec<(&'static str, String)> {
        let resolv = |text: &str| vec![("resolv.conf", format!("nameserver {}\n{text}\n", lab.dns().address().ip()))];
        match self {
            Self::Plain => vec![],
            Self::Late(_) => resolv("options timeout:5 attempts:2"),
            Self::TcpOnly => resolv("options use-vc timeout:1 attempts:2"),
            Self::LocalDomain | Self::HostAliases => resolv(&format!("search {STAGING}\noptions timeout:1 attempts:2")),
            Self::Hosts => vec![("hosts", format!("127.0.0.1 localhost\n{} {ENDPOINT}\n", lab.blue().ip()))],
        }
    }

    /// The name that the application is given, if not the lab's.
    pub(super) fn host(self) -> Option<&'static str> {
        matches!(self, Self::LocalDomain | Self::HostAliases).then_some("db")
    }

    pub(super) fn apply(self, lab: &Lab, command: &mut Command) -> Result<()> {
        match self {
            Self::LocalDomain => drop(command.env("LOCALDOMAIN", DOMAIN)),
            Self::HostAliases => {
                let path = lab.directory().join("aliases");
                std::fs::write(&path, format!("db {ENDPOINT}\n")).map_err(Error::file("write", &path))?;
                command.env("HOSTALIASES", path);
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes DNS what the naming is about. Before the application starts.
    pub fn prepare(self, lab: &Lab) -> Result<()> {
        let dns = lab.dns();
        match self {
            Self::Plain => Ok(()),
            Self::Late(by) => {
                dns.set_mood(DnsMood::Late(by.as_millis() as u64));
                Ok(())
            }
            Self::TcpOnly => {
                dns.set_mood(DnsMood::TcpOnly);
                Ok(())
            }
            Self::LocalDomain | Self::HostAliases => {
                dns.set(&format!("db.{STAGING}"), &[lab.server(Side::Green).ip()], 1)
            }
            Self::Hosts => dns.set(ENDPOINT, &[lab.server(Side::Green).ip()], 1),
        }
    }
}

impl std::fmt::Display for Naming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain => f.write_str("DNS"),
            Self::Late(by) => write!(f, "DNS {} ms late", by.as_millis()),
            Self::TcpOnly => f.write_str("DNS over TCP"),
            Self::LocalDomain => f.write_str("LOCALDOMAIN"),
            Self::HostAliases => f.write_str("HOSTALIASES"),
            Self::Hosts => f.write_str("/etc/hosts"),
        }
    }
}
