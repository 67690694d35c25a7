//! Logins of every kind.

use super::kit::*;
use crate::wire::protocol::{Capabilities, Tracker};

/// A tracker whose client has sent its first packet.
fn asked(capabilities: Capabilities) -> Tracker {
    let mut tracker = Tracker::new();
    received(&mut tracker, &greeting(capabilities));
    sent(&mut tracker, &login(capabilities));
    tracker
}

#[test]
fn greeting_and_login_are_read() {
    let mut tracker = Tracker::new();
    assert_eq!(
        received(&mut tracker, &greeting(MODERN)),
        ["greeting 8.4.0 7 caching_sha2_password abcdefghijklmnopqrst"]
    );
    // The client has one capability that the server lacks.
    let wanted = Capabilities(MODERN.0 | Capabilities::QUERY_ATTRIBUTES.0);
    assert_eq!(sent(&mut tracker, &login(wanted)), [format!("login {:#x} 45 ann@shop", MODERN.0)]);
    assert!(!tracker.is_idle());
    assert_eq!(received(&mut tracker, &frame(2, &ok(AUTOCOMMIT))), ["no transaction", "logged in 0x2", "idle"]);
}

#[test]
fn capabilities_of_mariadb_count_only_where_both_sides_say_so() {
    let own = Capabilities::MARIADB_CACHE_METADATA.0 | Capabilities::MARIADB_PROGRESS.0;
    let mut tracker = Tracker::new();
    received(&mut tracker, &greeting(Capabilities(BASE.0 | own)));
    sent(&mut tracker, &login(Capabilities(BASE.0 | Capabilities::MARIADB_CACHE_METADATA.0)));
    assert!(tracker.capabilities().has(Capabilities::MARIADB_CACHE_METADATA));
    assert!(!tracker.capabilities().has(Capabilities::MARIADB_PROGRESS));
    // With the bit of MySQL's the four bytes are nothing but filler.
    let mut tracker = Tracker::new();
    received(&mut tracker, &greeting(Capabilities(BASE.0 | own)));
    sent(&mut tracker, &login(Capabilities(BASE.0 | own | Capabilities::MYSQL.0)));
    assert!(!tracker.capabilities().has(Capabilities::MARIADB_CACHE_METADATA));
}

#[test]
fn questions_of_the_login_are_followed_to_its_end() {
    let logged_in = ["no transaction", "logged in 0x2", "idle"];
    let question = |payload: &[u8]| payload.to_vec();
    // Server and client in turns; the last packet is the server's OK.
    let logins: [(&str, Vec<Vec<u8>>); 6] = [
        ("switch", vec![question(b"\xFEmysql_native_password\0abcdefghijklmnopqrst\0"), vec![7; 20]]),
        ("old password", vec![question(b"\xFE"), vec![7; 9]]),
        (
            "full authentication",
            vec![question(b"\x01\x04"), question(b"\x02"), question(b"\x01-----BEGIN PUBLIC KEY-----"), vec![7; 256]],
        ),
        ("second factor", vec![question(b"\x02authentication_ldap\0x"), vec![7; 8], question(b"\x02third\0"), vec![]]),
        ("dialog", vec![question(b"\x04Password: "), question(b"secret\0")]),
        ("an empty question", vec![vec![], vec![7; 3]]),
    ];
    for (name, packets) in logins {
        let mut tracker = asked(MODERN);
        let mut sequence = 2;
        for pair in packets.chunks(2) {
            assert_eq!(received(&mut tracker, &frame(sequence, &pair[0])), [""; 0], "{name}");
            assert!(!tracker.is_idle(), "{name}");
            assert_eq!(sent(&mut tracker, &frame(sequence + 1, &pair[1])), [""; 0], "{name}");
            sequence += 2;
        }
        assert_eq!(received(&mut tracker, &frame(sequence, &ok(AUTOCOMMIT))), logged_in, "{name}");
    }
    // The fast way of caching_sha2_password: the OK follows at once.
    let mut tracker = asked(MODERN);
    assert_eq!(received(&mut tracker, &frames(2, &[b"\x01\x03".to_vec(), ok(AUTOCOMMIT)])), logged_in);
}

#[test]
fn a_refused_login_is_the_end() {
    let mut tracker = asked(MODERN);
    assert_eq!(received(&mut tracker, &frame(2, &error(1045, "Access denied"))), ["login refused 1045 Access denied"]);
    assert!(tracker.is_over() && !tracker.is_idle());
    assert_eq!(sent(&mut tracker, &query("SELECT 1")), [""; 0]);
    // In place of the greeting, without an SQLSTATE.
    let mut tracker = Tracker::new();
    assert_eq!(
        received(&mut tracker, &frame(0, b"\xFF\x10\x04Too many connections")),
        ["login refused 1040 Too many connections"]
    );
}

#[test]
fn the_user_is_changed_with_questions_and_without() {
    for questions in 0..3 {
        let mut tracker = logged_in(MODERN);
        assert_eq!(sent(&mut tracker, &command(17, b"bob\0\0\0")), ["ChangeUser bob\\x00\\x00\\x00"]);
        let mut sequence = 1;
        for at in 0..questions {
            let lines = received(&mut tracker, &frame(sequence, b"\xFEcaching_sha2_password\0abc\0"));
            assert_eq!(lines, if at == 0 { vec!["first: Question"] } else { vec![] });
            assert_eq!(sent(&mut tracker, &frame(sequence + 1, &[7; 32])), [""; 0]);
            sequence += 2;
        }
        let lines = received(&mut tracker, &frame(sequence, &ok(AUTOCOMMIT)));
        let (first, rest) = lines.split_at(usize::from(questions == 0));
        assert_eq!(first, if questions == 0 { vec!["first: Ok"] } else { vec![] });
        assert_eq!(rest, ["over: ok 3 9 0x2 1", "idle"]);
        assert_eq!(sent(&mut tracker, &query("SELECT 1")), ["Query SELECT 1"]);
    }
    // Refused, the connection goes on as the user that it was.
    let mut tracker = logged_in(MODERN);
    sent(&mut tracker, &command(17, b"bob\0\0\0"));
    let lines = received(&mut tracker, &frame(1, &error(1045, "no")));
    assert_eq!(lines, ["first: refused 1045 HY000 no", "over: error 1045", "idle"]);
}
