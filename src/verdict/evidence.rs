//! From an error number and its text to evidence: what does this failure say about the statement's fate?
//!
//! Pure. Sources: MySQL 8.4/9.x and MariaDB 10.11 error references, and the measured behaviour of both client
//! libraries. It does not know whether the endpoint is a writer; the caller does.

use super::Evidence;

/// ER_OPTION_PREVENTS_STATEMENT: read-only only if the text says so; the number serves other options too.
pub const OPTION_PREVENTS_STATEMENT: u32 = 1290;
/// ER_READ_ONLY_MODE.
pub const READ_ONLY_MODE: u32 = 1836;
/// ER_LOCK_DEADLOCK: what a victim gets.
pub const LOCK_DEADLOCK: u32 = 1213;
/// CR_SERVER_GONE_ERROR: the command could not be written.
pub const SERVER_GONE: u32 = 2006;
/// CR_SERVER_LOST: the command was written, no answer came.
pub const SERVER_LOST: u32 = 2013;
/// CR_SSL_CONNECTION_ERROR: libmariadb's word for a connection under TLS that ended in the middle.
pub const TLS_BROKEN: u32 = 2026;
/// ER_CLIENT_INTERACTION_TIMEOUT of MySQL 8.0.24 and newer; on MariaDB ER_REFERENCED_TRG_DOES_NOT_EXIST.
const CLIENT_INTERACTION_TIMEOUT: u32 = 4031;
/// ER_UNKNOWN_COM_ERROR.
pub const UNKNOWN_COMMAND: u32 = 1047;
/// How a Galera node begins that has lost its cluster, or is told to serve no client: with a command that it does know (MariaDB
/// manual, "MariaDB Galera Cluster - Known Limitations"). No server translates it.
const WITHOUT_CLUSTER: &[u8] = b"WSREP has not yet prepared node";
/// CR_SERVER_LOST_EXTENDED.
pub const SERVER_LOST_EXTENDED: u32 = 2055;

/// The evidence in an error, or `None` if the error is the application's own business.
pub fn of_error(number: u32, text: &[u8]) -> Option<Evidence> {
    match number {
        OPTION_PREVENTS_STATEMENT if names_read_only(text) => Some(Evidence::ReadOnly),
        READ_ONLY_MODE => Some(Evidence::ReadOnly),
        // ER_SERVER_SHUTDOWN, ER_NORMAL_SHUTDOWN, ER_SHUTDOWN_COMPLETE, ER_SERVER_OFFLINE_MODE.
        1053 | 1077 | 1079 | 3032 => Some(Evidence::GoingAway),
        // MySQL says it to a connection that asked for nothing in time, and so before the statement. (MariaDB's error of
        // that number speaks of a trigger.)
        CLIENT_INTERACTION_TIMEOUT if holds(text, b"wait_timeout") && holds(text, b"interactive_timeout") => {
            Some(Evidence::NotSent)
        }
        UNKNOWN_COMMAND if text.starts_with(WITHOUT_CLUSTER) => Some(Evidence::Unready),
        SERVER_GONE => Some(Evidence::NotSent),
        // 1927 is MariaDB's ER_CONNECTION_KILLED: the statement may have got anywhere.
        SERVER_LOST | SERVER_LOST_EXTENDED | TLS_BROKEN | 1927 => Some(Evidence::Unknown),
        _ => None,
    }
}

/// A client library's word for a lost connection.
pub fn is_loss(number: u32) -> bool {
    matches!(number, SERVER_GONE | SERVER_LOST | SERVER_LOST_EXTENDED | TLS_BROKEN | 1927)
}

/// CR_SSL_CONNECTION_ERROR of a handshake whose connection ended, not of one that a side refused (a certificate, a
/// version, a cipher). libmariadb 3.3 gives `strerror` and the number, both libraries OpenSSL's own words.
pub fn is_cut_handshake(number: u32, text: &[u8]) -> bool {
    // OpenSSL has no error of its own where the socket has failed: `error:00000000:lib(0)::reason(0)`.
    const CUT: [&[u8]; 6] = [b"(32)", b"(104)", b"unexpected eof", b"reset by peer", b"roken pipe", b":lib(0):"];
    number == TLS_BROKEN && CUT.iter().any(|words| holds(text, words))
}

fn holds(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len()).any(|window| window == words)
}

/// After this error the connection is of no use any more.
pub fn ends_connection(evidence: Evidence) -> bool {
    !evidence.is_refusal()
}

/// The option named between quotes or spaces is `read-only`, `read_only`, `super-read-only` or `super_read_only`,
/// in every language that a server may speak: the option's name is not translated.
fn names_read_only(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    [&b"read-only"[..], b"read_only"].iter().any(|name| {
        lower.windows(name.len()).enumerate().any(|(at, window)| {
            // `innodb-read-only`, `super-read-only` end in it too; `transaction_read_only_x` must not.
            window == *name && !lower.get(at + name.len()).is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_is_recognised_in_every_servers_words() {
        for text in [
            "The MySQL server is running with the --read-only option so it cannot execute this statement",
            "The MySQL server is running with the --super-read-only option so it cannot execute this statement",
            "The MariaDB server is running with the --read-only option so it cannot execute this statement",
            "El servidor MySQL está rodando con la opción --read-only tal que no puede ejecutar esta sentencia",
            "The MySQL server is running with the READ_ONLY option so it cannot execute this statement",
        ] {
            assert_eq!(of_error(1290, text.as_bytes()), Some(Evidence::ReadOnly), "{text}");
        }
    }

    #[test]
    fn error_1290_for_another_option_is_the_applications_own() {
        for option in ["--skip-grant-tables", "--secure-file-priv", "--event-scheduler=DISABLED"] {
            let text =
                format!("The MySQL server is running with the {option} option so it cannot execute this statement");
            let expected = None;
            assert_eq!(of_error(1290, text.as_bytes()), expected, "{option}");
        }
    }

    #[test]
    fn a_galera_node_that_has_lost_its_cluster_is_told_from_a_command_that_no_server_knows() {
        let without_cluster = b"WSREP has not yet prepared node for application use";
        assert_eq!(of_error(1047, without_cluster), Some(Evidence::Unready));
        for text in [&b"Unknown command"[..], b"WSREP", b"no WSREP has not yet prepared node"] {
            assert_eq!(of_error(1047, text), None);
        }
    }

    #[test]
    fn a_handshake_that_was_cut_is_told_from_one_that_was_refused() {
        for text in [
            "TLS/SSL error: Broken pipe (32)",
            "TLS/SSL error: unexpected eof while reading",
            "SSL connection error: error:0A000126:SSL routines::unexpected eof while reading",
            "SSL connection error: error:00000000:lib(0)::reason(0)",
            "TLS/SSL error: Connexion ré-initialisée par le correspondant (104)",
        ] {
            assert!(is_cut_handshake(2026, text.as_bytes()), "{text}");
        }
        for text in [
            "TLS/SSL error: certificate verify failed",
            "TLS/SSL error: Validation of SSL server certificate failed",
            "SSL connection error: error:0A000102:SSL routines::unsupported protocol",
        ] {
            assert!(!is_cut_handshake(2026, text.as_bytes()), "{text}");
        }
        assert!(!is_cut_handshake(1045, b"(32)"));
    }

    #[test]
    fn the_applications_own_read_only_transaction_is_not_a_switchover() {
        assert_eq!(of_error(1792, b"Cannot execute statement in a READ ONLY transaction."), None);
    }

    #[test]
    fn number_4031_is_a_time_out_on_mysql_and_speaks_of_a_trigger_on_mariadb() {
        let mysql = "The client was disconnected by the server because of inactivity. See wait_timeout and \
                     interactive_timeout for configuring this behavior.";
        assert_eq!(of_error(4031, mysql.as_bytes()), Some(Evidence::NotSent));
        for trigger in ["nosuch", "wait_timeout"] {
            let text =
                format!("Referenced trigger '{trigger}' for the given action time and event type does not exist");
            assert_eq!(of_error(4031, text.as_bytes()), None);
        }
    }

    #[test]
    fn ordinary_errors_are_no_evidence() {
        for number in [1062, 1064, 1146, 1205, 1213, 1045, 2014, 2027] {
            assert_eq!(of_error(number, b"read-only"), None, "{number}");
        }
    }
}
