//! Why a login of ours failed, from the error that the client library gives: is it about the server, about this login, or
//! about this process?
//!
//! Pure. The numbers are those of the MySQL and the MariaDB server error references and of the client error reference.

use crate::{
    endpoint::{
        prober::{Refusal, Undialled, Whose},
        reach,
    },
    verdict::evidence,
};

/// CR_IPSOCK_ERROR: no socket could be made.
const NO_SOCKET: u32 = 2004;

/// `has_means`: could this process open one more descriptor just now?
pub fn why(number: u32, text: &[u8], has_means: bool) -> Undialled {
    let told = format!("error {number}: {}", String::from_utf8_lossy(text));
    let own_lack = number == NO_SOCKET || errno(text).is_some_and(reach::is_own_lack) || !has_means;
    match number {
        // CR_* are the client's own words.
        2000..=2999 | 5000..=5999 if own_lack => Undialled::NotTried(told),
        // CR_CONNECTION_ERROR, CR_CONN_HOST_ERROR, CR_UNKNOWN_HOST, CR_SERVER_HANDSHAKE_ERR, and a connection that was lost.
        2002 | 2003 | 2005 | 2012 => Undialled::Unreachable(told),
        evidence::TLS_BROKEN if evidence::is_cut_handshake(number, text) => Undialled::Unreachable(told),
        evidence::TLS_BROKEN => refused(number, told),
        _ if evidence::is_loss(number) => Undialled::Unreachable(told),
        _ if is_for_now(number, text) => Undialled::NotNow(told),
        _ => refused(number, told),
    }
}

fn refused(number: u32, why: String) -> Undialled {
    Undialled::Refused(Refusal { whose: whose(number), error: u16::try_from(number).unwrap_or(u16::MAX), why })
}

/// Had the other end accepted the connection when the login failed so?
pub fn was_accepted(number: u32) -> bool {
    !matches!(number, 2002 | 2003 | NO_SOCKET | 2005)
}

/// What the client library could not do depends on the options of a handle. So do ER_NOT_SUPPORTED_AUTH_MODE (an
/// authentication plugin) and ER_SECURE_TRANSPORT_REQUIRED (TLS); ER_DBACCESS_DENIED_ERROR and ER_BAD_DB_ERROR are about a
/// database, and come when the password was right. No server counts any of these.
fn whose(number: u32) -> Whose {
    match number {
        2000..=2999 | 5000..=5999 | 1044 | 1049 | 1251 | 3159 => Whose::Handle,
        _ => Whose::Account,
    }
}

/// Does the server let this login in another time, with nothing changed? What is not in this list is an answer about the
/// login: wrong password (1045, 1698), expired (1862), locked after wrong passwords (3955, 4150), no such database (1049) or none of
/// the account's (1044), a host that may not connect (1129, 1130), TLS wanted (3159), and whatever a server adds to these.
fn is_for_now(number: u32, text: &[u8]) -> bool {
    match number {
        // ER_CON_COUNT_ERROR, ER_OUT_OF_RESOURCES, ER_CANT_CREATE_THREAD, ER_TOO_MANY_USER_CONNECTIONS,
        // ER_USER_LIMIT_REACHED.
        1040 | 1041 | 1135 | 1203 | 1226 => true,
        // ER_BAD_HOST_ERROR, ER_HANDSHAKE_ERROR, ER_ABORTING_CONNECTION, ER_NET_*, ER_NEW_ABORTING_CONNECTION: the dialogue
        // broke off.
        1042 | 1043 | 1152 | 1156..=1161 | 1184 => true,
        // ER_ACCOUNT_HAS_BEEN_LOCKED of MySQL and of MariaDB: an operator's ACCOUNT LOCK, with which switchovers keep
        // applications out for a moment. No server counts attempts at such an account.
        3118 | 4151 => true,
        // Said by a Galera node that is not in the primary component.
        evidence::UNKNOWN_COMMAND => true,
        // ER_SERVER_ISNT_AVAILABLE, and a server that is going away or read-only (an init_command may write).
        3168 => true,
        _ => evidence::of_error(number, text).is_some(),
    }
}

/// Both libraries end the text of a connect that failed with its `errno`: "… on 'db.shop.example' (99)".
fn errno(text: &[u8]) -> Option<i32> {
    let text = String::from_utf8_lossy(text);
    text.rsplit_once('(').and_then(|(_, end)| end.strip_suffix(')')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(number: u32, text: &str, expected: fn(String) -> Undialled) {
        let told = format!("error {number}: {text}");
        assert_eq!(why(number, text.as_bytes(), true), expected(told));
    }

    #[test]
    fn an_answer_about_the_login_is_told_from_a_server_that_takes_no_more_for_now() {
        for number in [1045, 1129, 1130, 1142, 1524, 1698, 1820, 1862, 3955, 4150] {
            is_refused(number, "no", Whose::Account);
        }
        for number in [1040, 1047, 1053, 1158, 1203, 1226, 1836, 3032, 3118, 4151] {
            is(number, "not now", Undialled::NotNow);
        }
    }

    fn is_refused(number: u32, text: &str, whose: Whose) {
        let (error, told) = (number as u16, format!("error {number}: {text}"));
        assert_eq!(why(number, text.as_bytes(), true), Undialled::Refused(Refusal { whose, error, why: told }));
    }

    #[test]
    fn a_database_that_is_not_there_and_tls_that_is_wanted_speak_for_no_other_handle_of_the_account() {
        for number in [1044, 1049, 1251, 3159] {
            is_refused(number, "no", Whose::Handle);
        }
    }

    #[test]
    fn what_this_client_cannot_do_says_nothing_of_the_server() {
        is_refused(2026, "SSL connection error: SSL_CTX_set_default_verify_paths failed", Whose::Handle);
        is_refused(2026, "TLS/SSL error: certificate verify failed", Whose::Handle);
        for number in [2054, 2059, 2061] {
            is_refused(number, "Authentication plugin", Whose::Handle);
        }
        is(2004, "Can't create TCP/IP socket (24)", Undialled::NotTried);
        is(2003, "Can't connect to server on 'db.shop.example' (99)", Undialled::NotTried);
        assert_eq!(why(2002, b"x (115)", false), Undialled::NotTried("error 2002: x (115)".to_owned()));
    }

    #[test]
    fn a_server_that_does_not_speak_is_not_there() {
        is(2003, "Can't connect to server on 'db.shop.example' (111)", Undialled::Unreachable);
        is(2013, "Lost connection to server at 'reading initial communication packet'", Undialled::Unreachable);
        is(2026, "TLS/SSL error: Connection reset by peer (104)", Undialled::Unreachable);
    }
}
