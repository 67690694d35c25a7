//! The name of an endpoint: host and port as the application named them.
//!
//! Decides what is an endpoint at all. Literal addresses, `localhost` and a list of hosts as a whole are not.

use std::{fmt, net::IpAddr};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// Lower case, without a trailing dot (RFC 4343, RFC 1034 3.1).
    pub host: String,
    pub port: u16,
}

/// The port that both client libraries use when the application names none.
pub const DEFAULT_PORT: u16 = 3306;

impl Name {
    /// `None` if the host is not a host name that DNS can be asked for.
    pub fn of(host: &[u8], port: u16) -> Option<Self> {
        let host = std::str::from_utf8(host).ok()?;
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        // RFC 1035 2.3.4: 255 octets. Anything beyond letters, digits, `-`, `_`, `.` is a connection string,
        // a list of hosts or a scoped literal address.
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        if host.is_empty() || host.len() > 255 || !host.bytes().all(plain) || host == "localhost" {
            return None;
        }
        if host.parse::<IpAddr>().is_ok() || is_short_literal(&host) {
            return None;
        }
        Some(Name { host, port: if port == 0 { DEFAULT_PORT } else { port } })
    }

    /// RDS and Aurora name reader endpoints `*.cluster-ro-*`; many private zones follow with `-ro-`.
    pub fn looks_like_reader(&self) -> bool {
        self.host.contains("-ro-") || self.host.contains("-ro.")
    }
}

/// `127.1`, `2130706433`, `0x7f.1`: inet_aton(3) takes these for addresses, and so does getaddrinfo.
fn is_short_literal(host: &str) -> bool {
    host.split('.').all(|part| {
        let digits = part.strip_prefix("0x").map_or((part, 10), |hex| (hex, 16));
        !digits.0.is_empty() && digits.0.chars().all(|c| c.is_digit(digits.1))
    })
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_addresses_sockets_and_host_lists_are_not_endpoints() {
        for host in [
            "127.0.0.1",
            "::1",
            "fe80::1%eth0",
            "localhost",
            "LOCALHOST",
            "",
            "127.1",
            "0x7f.1",
            "1",
            "a,b",
            "tcp://h",
            "host=db",
            "a;b",
        ] {
            assert_eq!(Name::of(host.as_bytes(), 3306), None, "{host}");
        }
        assert_eq!(Name::of(b"\xff\xfe", 3306), None);
    }

    #[test]
    fn case_and_the_root_dot_do_not_make_another_endpoint() {
        assert_eq!(Name::of(b"DB.Shop.Example.", 0), Name::of(b"db.shop.example", 3306));
        assert_ne!(Name::of(b"db.shop.example", 3307), Name::of(b"db.shop.example", 3306));
    }

    #[test]
    fn reader_endpoints_are_known_by_name() {
        let reader = |host: &str| Name::of(host.as_bytes(), 0).unwrap().looks_like_reader();
        assert!(reader("shop.cluster-ro-abc.eu-west-1.rds.amazonaws.com"));
        assert!(reader("db-ro-1.shop.example") && reader("db-ro.shop.example"));
        assert!(!reader("shop.cluster-abc.eu-west-1.rds.amazonaws.com") && !reader("retro.shop.example"));
    }
}
