//! A name in a list of endpoints: `host` or `host:port`. Knows nothing of sockets or DNS.

use std::fmt;
use std::net::Ipv6Addr;

/// What [`EndpointName::parse`] accepts.
pub const ALLOWED: &str = "host or host:port, with [brackets] around an IPv6 address that has a port";

/// A host as the application would write it, with any port or just one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointName {
    /// Lower case, without a trailing dot, without brackets.
    pub host: String,
    /// TCP port; none means every port.
    pub port: Option<u16>,
}

impl EndpointName {
    /// Reads one entry; none when it is not [`ALLOWED`].
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                host.parse::<Ipv6Addr>().ok()?;
                match after {
                    "" => (host, None),
                    _ => (host, Some(after.strip_prefix(':')?)),
                }
            }
            None if text.parse::<Ipv6Addr>().is_ok() => (text, None),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            Some(digits) => Some(digits.parse().ok().filter(|port| *port != 0)?),
            None => None,
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let plausible = !host.is_empty()
            && host.len() <= 253
            && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'));
        plausible.then(|| Self { host: host.to_lowercase(), port })
    }

    /// Whether the application's `host` and `port` are meant. Case and a trailing dot do not matter.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.port.is_none_or(|own| own == port) && self.host.chars().eq(host.chars().flat_map(char::to_lowercase))
    }
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, self.host.contains(':')) {
            (None, _) => f.write_str(&self.host),
            (Some(port), false) => write!(f, "{}:{port}", self.host),
            (Some(port), true) => write!(f, "[{}]:{port}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_port_matches_every_port_in_any_case() {
        let name = EndpointName::parse("Orders.db.Example.").unwrap();
        assert!(name.matches("orders.DB.example", 3306));
        assert!(name.matches("orders.db.example.", 3307));
        assert!(!name.matches("orders.db.example.com", 3306));
    }

    #[test]
    fn a_name_with_a_port_matches_only_that_port() {
        let name = EndpointName::parse("orders:3307").unwrap();
        assert!(name.matches("orders", 3307));
        assert!(!name.matches("orders", 3306));
    }

    #[test]
    fn addresses_are_names_too_when_configured() {
        let bare = EndpointName::parse("fd00::7").unwrap();
        assert_eq!((bare.host.as_str(), bare.port), ("fd00::7", None));
        let bracketed = EndpointName::parse("[fd00::7]:3306").unwrap();
        assert_eq!(bracketed.to_string(), "[fd00::7]:3306");
        assert!(EndpointName::parse("10.0.0.7:3306").unwrap().matches("10.0.0.7", 3306));
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        for text in ["", ":3306", "a:0", "a:99999", "a:b", "a b", "mysql://u:p@h/d", "[a]:1", "[::1]x", "a:1:2"] {
            assert_eq!(EndpointName::parse(text), None, "{text:?}");
        }
    }
}
