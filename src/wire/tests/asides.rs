//! What the tracker does not follow, it leaves for good, and says so once.

use super::kit::*;
use crate::wire::protocol::{Aside, Capabilities, MEMORY, Tracker};

#[track_caller]
fn leaves(tracker: &mut Tracker, told: &[String], reason: Aside) {
    assert_eq!(told.last(), Some(&format!("aside: {reason}")), "{told:?}");
    assert_eq!(tracker.aside(), Some(reason));
    assert_eq!(tracker.memory(), size_of::<Tracker>());
    assert_eq!(sent(tracker, &query("SELECT 1")), [""; 0]);
    assert_eq!(received(tracker, &frame(1, &ok(2))), [""; 0]);
    assert!(!tracker.is_idle() && !tracker.is_over());
}

#[test]
fn connections_that_are_not_mysqls() {
    for bytes in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"+PONG\r\n", b"\x0A\0\0\0\x09abcdefghi", b"\x03\0\0\0\x0Aab"] {
        let mut tracker = Tracker::new();
        let told = received(&mut tracker, bytes);
        leaves(&mut tracker, &told, Aside::NotMySql);
    }
    let mut tracker = Tracker::new();
    let told = sent(&mut tracker, b"GET / HTTP/1.1\r\n");
    leaves(&mut tracker, &told, Aside::NotMySql);
}

#[test]
fn logins_that_hide_what_follows() {
    let tls = Capabilities(MODERN.0 | Capabilities::SSL.0);
    let mut tracker = Tracker::new();
    received(&mut tracker, &greeting(tls));
    let request = frame(1, &login(tls)[4..36]);
    let told = sent(&mut tracker, &[&request[..], b"\x16\x03\x01"].concat());
    assert!(told[0].starts_with("login ") && told[0].ends_with("@- tls"), "{told:?}");
    leaves(&mut tracker, &told, Aside::Tls);

    for one in [Capabilities::COMPRESS, Capabilities::ZSTD] {
        let compressed = Capabilities(MODERN.0 | one.0);
        let mut tracker = Tracker::new();
        received(&mut tracker, &greeting(compressed));
        sent(&mut tracker, &login(compressed));
        let told = received(&mut tracker, &frame(2, &ok(2)));
        assert!(told.contains(&"logged in 0x2".to_owned()), "{told:?}");
        leaves(&mut tracker, &told, Aside::Compression);
    }

    let mut tracker = Tracker::new();
    received(&mut tracker, &greeting(MODERN));
    let told = sent(&mut tracker, &frame(1, b"\x85\x24\0\0\0ann\0"));
    leaves(&mut tracker, &told, Aside::OldProtocol);
}

#[test]
fn commands_that_are_not_followed() {
    for code in [18, 19, 20, 21, 30, 32] {
        let mut tracker = logged_in(MODERN);
        let told = sent(&mut tracker, &command(code, &[0; 10]));
        leaves(&mut tracker, &told, Aside::Replication(code));
    }
    for code in [0, 11, 15, 16, 29, 33, 0xFE] {
        let mut tracker = logged_in(MODERN);
        let told = sent(&mut tracker, &command(code, &[0; 10]));
        leaves(&mut tracker, &told, Aside::UnknownCommand(code));
    }
    let mut tracker = logged_in(MODERN);
    let told = sent(&mut tracker, &frame(0, b""));
    leaves(&mut tracker, &told, Aside::Malformed);
}

#[test]
fn packets_out_of_sequence() {
    let mut tracker = logged_in(MODERN);
    let told = sent(&mut tracker, &frame(1, b"\x03SELECT 1"));
    leaves(&mut tracker, &told, Aside::OutOfSequence);

    let mut tracker = logged_in(MODERN);
    sent(&mut tracker, &query("a"));
    let told = received(&mut tracker, &frame(2, &ok(2)));
    leaves(&mut tracker, &told, Aside::OutOfSequence);

    // A row.
    let mut tracker = logged_in(MODERN);
    sent(&mut tracker, &query("a"));
    received(&mut tracker, &frames(1, &[vec![1], definition(), row("a")]));
    let told = received(&mut tracker, &frame(5, &row("b")));
    leaves(&mut tracker, &told, Aside::OutOfSequence);

    // A command behind one that turned out to ask the client for something.
    for (code, wish) in [(3, &b"\xFBf"[..]), (17, b"\xFEx\0y")] {
        let mut tracker = logged_in(MODERN);
        sent(&mut tracker, &[command(code, b"x"), command(14, b"")].concat());
        let told = received(&mut tracker, &frame(1, wish));
        leaves(&mut tracker, &told, Aside::OutOfSequence);
        let mut tracker = logged_in(MODERN);
        sent(&mut tracker, &[&command(code, b"x")[..], &[1]].concat());
        let told = received(&mut tracker, &frame(1, wish));
        leaves(&mut tracker, &told, Aside::OutOfSequence);
    }

    // The server speaks in the middle of a file.
    let mut tracker = logged_in(MODERN);
    sent(&mut tracker, &query("LOAD"));
    received(&mut tracker, &frame(1, b"\xFBf"));
    let told = received(&mut tracker, &frame(2, &ok(2)));
    leaves(&mut tracker, &told, Aside::OutOfSequence);

    let mut tracker = logged_in(MODERN);
    sent(&mut tracker, &command(1, b""));
    assert!(tracker.is_over());
}

#[test]
fn replies_that_cannot_be() {
    let mut tracker = logged_in(MODERN);
    let told = received(&mut tracker, &frame(1, &ok(2)));
    leaves(&mut tracker, &told, Aside::Unexpected);
    let wrong: [(u8, &[u8]); 6] =
        [(3, b""), (14, b"\x01"), (22, b"\x01"), (14, b"\xFBf"), (3, b"\xFE012345678901234"), (14, b"")];
    for (code, payload) in wrong {
        let mut tracker = logged_in(BASE);
        sent(&mut tracker, &command(code, b"x"));
        let told = received(&mut tracker, &frame(1, payload));
        leaves(&mut tracker, &told, Aside::Unexpected);
    }
    for (code, payload) in [(3, &b"\0\xFC"[..]), (22, b"\0\x01"), (3, b"\xFC\0"), (3, b"\xFC\0\0"), (3, b"\xFF\x01")] {
        let mut tracker = logged_in(MODERN);
        sent(&mut tracker, &command(code, b"x"));
        let told = received(&mut tracker, &frame(1, payload));
        leaves(&mut tracker, &told, Aside::Malformed);
    }
}

#[test]
fn commands_without_end() {
    let mut tracker = logged_in(MODERN);
    const { assert!(MEMORY < 132 * 1024) };
    for _ in 0..=16 * 1024 {
        assert_eq!(sent(&mut tracker, &command(14, b"")), ["Ping"]);
    }
    let told = sent(&mut tracker, &command(14, b""));
    assert_eq!(told[0], "Ping");
    leaves(&mut tracker, &told, Aside::TooManyCommands);
}

#[test]
fn a_server_that_says_goodbye() {
    // While nothing waits, and while a command is under way that the server has not read.
    for commands in [vec![], query("SELECT 1")] {
        let mut tracker = logged_in(MODERN);
        sent(&mut tracker, &commands);
        let told = received(&mut tracker, &frame(0, &error(4031, "gone")));
        assert_eq!(told, ["farewell 4031 gone"]);
        assert!(tracker.is_over() && !tracker.is_idle());
        assert_eq!(sent(&mut tracker, &query("SELECT 1")), [""; 0]);
    }
    // Half of it came before the command was sent.
    let mut tracker = logged_in(MODERN);
    let goodbye = frame(1, &error(1927, "killed"));
    assert_eq!(received(&mut tracker, &goodbye[..9]), [""; 0]);
    assert!(!tracker.is_idle());
    sent(&mut tracker, &query("SELECT 1"));
    assert_eq!(received(&mut tracker, &goodbye[9..]), ["farewell 1927 killed"]);
}
