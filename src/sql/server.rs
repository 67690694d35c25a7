//! Which server reads the text, as far as that decides what a name means.

/// Family and version, as the server says them in its greeting: 10.11.6 is 101106, 8.0.36 is 80036.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Server {
    MariaDb(u32),
    MySql(u32),
    /// What is not built into every server is not built into this one.
    #[default]
    Unknown,
}

/// As a version: never.
pub(super) const NEVER: u32 = u32::MAX;

impl Server {
    /// `info`: what `mysql_get_server_info` says ("10.11.6-MariaDB-log", "5.5.5-10.4.32-MariaDB", "8.0.36-28").
    pub fn of(info: &[u8]) -> Self {
        // The first letter says no to nearly all of them, and this is asked about each text that takes a lexer to read.
        let begins = |word: &[u8]| word[0] | 0x20 == b'm';
        let is_mariadb = info.windows(7).any(|word| begins(word) && word.eq_ignore_ascii_case(b"mariadb"));
        // What MariaDB says to those who do not know it: libmysqlclient hands it on.
        let version = info.strip_prefix(b"5.5.5-").filter(|_| is_mariadb).unwrap_or(info);
        let mut parts = version.split(|byte| !byte.is_ascii_digit()).map(number);
        let version = match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor), patch) => major * 10_000 + minor * 100 + patch.unwrap_or(0),
            _ => return Server::Unknown,
        };
        if is_mariadb { Server::MariaDb(version) } else { Server::MySql(version) }
    }

    /// It has what MySQL has in versions from `mysql` to before `removed`, and MariaDB from `mariadb` on.
    pub(super) fn has(self, (mysql, removed): (u32, u32), mariadb: u32) -> bool {
        match self {
            Server::MariaDb(version) => version >= mariadb,
            Server::MySql(version) => (mysql..removed).contains(&version),
            Server::Unknown => false,
        }
    }
}

/// Up to two digits.
fn number(digits: &[u8]) -> Option<u32> {
    (1..=2).contains(&digits.len()).then(|| digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn family_and_version_are_read_from_every_greeting() {
        for (info, server) in [
            ("10.11.6-MariaDB-0+deb12u1-log", Server::MariaDb(101106)),
            ("5.5.5-10.4.32-MariaDB", Server::MariaDb(100432)),
            ("11.8.3-mariadb", Server::MariaDb(110803)),
            ("8.0.36-28", Server::MySql(80036)),
            ("9.7.0", Server::MySql(90700)),
            ("5.7.44-log", Server::MySql(50744)),
            ("8.0.mysql_aurora.3.05.2", Server::MySql(80000)),
            ("", Server::Unknown),
            ("proxy", Server::Unknown),
            ("8", Server::Unknown),
        ] {
            assert_eq!(Server::of(info.as_bytes()), server, "{info}");
        }
    }
}
