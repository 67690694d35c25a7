//! Commands and the shapes of their replies, as a table.

use super::kit::*;
use crate::wire::protocol::{Capabilities, Tracker};

const OLD: Capabilities = BASE;

fn with(base: Capabilities, more: Capabilities) -> Capabilities {
    Capabilities(base.0 | more.0)
}

/// A command, its reply, and what is told of the reply; the connection is idle behind it.
#[track_caller]
fn reply(capabilities: Capabilities, sends: &[u8], packets: &[Vec<u8>], told: &[&str]) {
    let mut tracker = logged_in(capabilities);
    let lines = sent(&mut tracker, sends);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(tracker.awaits_a_first_reply());
    let mut lines = received(&mut tracker, &frames(1, packets));
    assert_eq!(lines.pop().as_deref(), Some("idle"), "{lines:?}");
    assert_eq!(lines, told);
}

#[test]
fn replies_without_rows() {
    let done = ["first: Ok", "over: ok 3 9 0x2 1"];
    let refused = ["first: refused 1290 HY000 read-only", "over: error 1290"];
    let codes = [2, 3, 5, 6, 7, 8, 10, 12, 13, 14, 17, 23, 26, 27, 31, 0xFA];
    for capabilities in [OLD, MODERN] {
        for code in codes {
            let sends = command(code, b"\x01\0\0\0\0\x01\0\0\0");
            reply(capabilities, &sends, &[ok(AUTOCOMMIT)], &done);
            reply(capabilities, &sends, &[error(1290, "read-only")], &refused);
        }
        for code in [4, 9, 22, 28] {
            reply(capabilities, &command(code, b"x"), &[error(1290, "read-only")], &refused);
        }
    }
    // COM_SET_OPTION, COM_DEBUG and some statements are answered by an EOF.
    for code in [3, 13, 27] {
        reply(OLD, &command(code, b"\0\0"), &[eof(AUTOCOMMIT)], &["first: Ok", "over: ok 0 0 0x2 0"]);
        reply(MODERN, &command(code, b"\0\0"), &[end(AUTOCOMMIT)], &done);
    }
    let statistics = b"Uptime: 1".to_vec();
    reply(MODERN, &command(9, b""), &[statistics], &["first: Text", "over: silent"]);
}

#[test]
fn rows_in_both_forms() {
    let told = ["first: Columns(2)", "over: rows 0x2"];
    let old = [vec![2], definition(), definition(), eof(AUTOCOMMIT), row("a"), row("b"), eof(AUTOCOMMIT)];
    reply(OLD, &query("SELECT"), &old, &told);
    let modern = [vec![2], definition(), definition(), row("a"), row("b"), end(AUTOCOMMIT)];
    reply(MODERN, &query("SELECT"), &modern, &told);
    reply(OLD, &query("SELECT"), &[vec![1], definition(), eof(2), eof(2)], &["first: Columns(1)", "over: rows 0x2"]);
    reply(MODERN, &query("SELECT"), &[vec![1], definition(), end(2)], &["first: Columns(1)", "over: rows 0x2"]);
    let failed = ["first: Columns(1)", "over: error 1317"];
    reply(OLD, &query("SELECT"), &[vec![1], definition(), eof(2), row("a"), error(1317, "x")], &failed);
    reply(MODERN, &query("SELECT"), &[vec![1], definition(), row("a"), error(1317, "x")], &failed);
    reply(MODERN, &query("SELECT"), &[vec![1], error(1317, "x")], &failed);
    // NULL in the first column, and an empty text.
    reply(
        MODERN,
        &query("SELECT"),
        &[vec![1], definition(), vec![0xFB], vec![0], end(2)],
        &["first: Columns(1)", "over: rows 0x2"],
    );
    // A row whose first column says its length in eight bytes is an end only if it is short.
    let long = [&[0xFE, 10, 0, 0, 0, 0, 0, 0, 0][..], b"0123456789"].concat();
    reply(
        OLD,
        &query("SELECT"),
        &[vec![1], definition(), eof(2), long, eof(2)],
        &["first: Columns(1)", "over: rows 0x2"],
    );
}

#[test]
fn several_results() {
    let told = ["first: Ok", "result over: ok 3 9 0xa 1", "result over: rows 0xa", "over: ok 3 9 0x2 1"];
    let modern = [ok(2 | MORE), vec![1], definition(), row("a"), end(2 | MORE), ok(2)];
    reply(MODERN, &query("a;b;c"), &modern, &told);
    let old = [ok(2 | MORE), vec![1], definition(), eof(2), row("a"), eof(2 | MORE), ok(2)];
    reply(OLD, &query("a;b;c"), &old, &told);
    // OUT parameters, as MySQL sends them.
    let told = ["first: Columns(1)", "result over: rows 0x2", "over: ok 3 9 0x2 1"];
    let out = [vec![1], definition(), eof(2 | MORE | OUT_PARAMETERS), row("a"), eof(2), ok(2)];
    reply(OLD, &command(23, &[5, 0, 0, 0, 0, 1, 0, 0, 0]), &out, &told);
    let failed = ["first: Ok", "result over: ok 3 9 0xa 1", "over: error 1290"];
    reply(MODERN, &query("a;b"), &[ok(2 | MORE), error(1290, "x")], &failed);
}

#[test]
fn prepared_statements() {
    let prepare = command(22, b"SELECT ?, ?");
    let first = |columns: u8, parameters: u8| vec![0, 5, 0, 0, 0, columns, 0, parameters, 0, 0, 0, 0];
    let told = |columns: u8, parameters: u8| {
        format!("first: Prepared {{ statement: 5, columns: {columns}, parameters: {parameters} }}")
    };
    for (columns, parameters) in [(0, 0), (1, 0), (0, 2), (3, 2)] {
        let told = told(columns, parameters);
        let (mut old, mut modern) = (vec![first(columns, parameters)], vec![first(columns, parameters)]);
        for part in [parameters, columns].into_iter().filter(|part| *part > 0) {
            old.extend(vec![definition(); usize::from(part)]);
            old.push(eof(2));
            modern.extend(vec![definition(); usize::from(part)]);
        }
        reply(OLD, &prepare, &old, &[&told, "over: silent"]);
        reply(MODERN, &prepare, &modern, &[&told, "over: silent"]);
    }
    let lacking = with(MODERN, Capabilities::OPTIONAL_METADATA);
    let flagged = |flag| [first(3, 2), vec![flag]].concat();
    reply(lacking, &prepare, &[flagged(0)], &[&told(3, 2), "over: silent"]);
    let mut full = vec![flagged(1)];
    full.extend(vec![definition(); 5]);
    reply(lacking, &prepare, &full, &[&told(3, 2), "over: silent"]);
}

#[test]
fn cursors() {
    let execute = |flags: u8| command(23, &[5, 0, 0, 0, flags, 1, 0, 0, 0]);
    let opened = ["first: Columns(1)", "over: rows 0x42"];
    reply(OLD, &execute(1), &[vec![1], definition(), eof(2 | CURSOR)], &opened);
    reply(MODERN, &execute(1), &[vec![1], definition(), end(2 | CURSOR)], &opened);
    // 8 asks for no cursor, and a cursor that was asked for need not be opened.
    let rows = ["first: Columns(1)", "over: rows 0x2"];
    reply(OLD, &execute(8), &[vec![1], definition(), eof(2 | CURSOR), row("a"), eof(2)], &rows);
    reply(OLD, &execute(1), &[vec![1], definition(), eof(2), row("a"), eof(2)], &rows);
    let fetch = command(28, b"\x05\0\0\0\x0A\0\0\0");
    let fetched = ["first: Row", "over: rows 0x42"];
    reply(OLD, &fetch, &[row("a"), row("b"), eof(2 | CURSOR)], &fetched);
    reply(MODERN, &fetch, &[row("a"), row("b"), end(2 | CURSOR)], &fetched);
    reply(MODERN, &fetch, &[end(2 | LAST_ROW)], &["first: Row", "over: rows 0x82"]);
    reply(OLD, &command(4, b"t\0"), &[definition(), definition(), eof(2)], &["first: Row", "over: rows 0x2"]);
}

#[test]
fn definitions_that_the_server_leaves_out() {
    let told = ["first: Columns(1)", "over: rows 0x2"];
    let mariadb = |base: Capabilities| with(base, Capabilities::MARIADB_CACHE_METADATA);
    let mariadb_modern = mariadb(with(BASE, Capabilities::DEPRECATE_EOF));
    let execute = command(23, &[5, 0, 0, 0, 0, 1, 0, 0, 0]);
    reply(mariadb_modern, &execute, &[vec![1, 0], row("a"), end(2)], &told);
    reply(mariadb_modern, &execute, &[vec![1, 1], definition(), row("a"), end(2)], &told);
    reply(mariadb(OLD), &execute, &[vec![1, 0], eof(2), row("a"), eof(2)], &told);
}

#[test]
fn progress_reports() {
    let report = b"\xFF\xFF\xFF\x01\x01\x02\x10\x27\0\x04stag".to_vec();
    let capabilities = with(BASE, Capabilities::MARIADB_PROGRESS);
    let told = ["first: Ok", "over: ok 3 9 0x2 1"];
    reply(capabilities, &query("ALTER TABLE t"), &[report.clone(), report.clone(), ok(2)], &told);
    let mut tracker = logged_in(OLD);
    sent(&mut tracker, &query("ALTER TABLE t"));
    assert_eq!(received(&mut tracker, &frame(1, &report)), ["aside: the server sent a packet that was not due"]);
}

#[test]
fn uploads() {
    let mut tracker = logged_in(MODERN);
    sent(&mut tracker, &query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t"));
    assert_eq!(received(&mut tracker, &frame(1, b"\xFBf")), ["first: Upload"]);
    let file = frames(2, &vec![vec![b'x'; 900]; 300]);
    assert_eq!(sent(&mut tracker, &file), [""; 0]);
    assert!(!tracker.is_idle() && !tracker.awaits_a_first_reply());
    assert_eq!(sent(&mut tracker, &frame(302_u32 as u8, b"")), [""; 0]);
    assert_eq!(received(&mut tracker, &frame(303_u32 as u8, &ok(2))), ["over: ok 3 9 0x2 1", "idle"]);
    // As the second of three, with an empty file, and refused.
    let mut tracker = logged_in(MODERN);
    sent(&mut tracker, &query("a; LOAD; c"));
    received(&mut tracker, &frames(1, &[ok(2 | MORE), b"\xFBf".to_vec()]));
    sent(&mut tracker, &frame(3, b""));
    assert_eq!(received(&mut tracker, &frame(4, &ok(2 | MORE))), ["result over: ok 3 9 0xa 1"]);
    assert_eq!(received(&mut tracker, &frame(5, &error(1148, "x"))), ["over: error 1148", "idle"]);
}

#[test]
fn commands_without_a_reply() {
    let mut tracker = logged_in(MODERN);
    assert_eq!(sent(&mut tracker, &command(25, &[5, 0, 0, 0])), ["CloseStatement 5", "idle"]);
    assert_eq!(sent(&mut tracker, &command(24, &[5, 0, 0, 0, 1, 0, 7])), ["SendLongData 5", "idle"]);
    let both = [command(25, &[5, 0, 0, 0]), query("SELECT 1")].concat();
    assert_eq!(sent(&mut tracker, &both), ["CloseStatement 5", "Query SELECT 1"]);
    received(&mut tracker, &frame(1, &ok(2)));
    assert_eq!(sent(&mut tracker, &command(1, b"")), ["Quit"]);
    assert!(tracker.is_over() && !tracker.is_idle());
}

#[test]
fn commands_that_do_not_wait_for_each_other() {
    let mut tracker = logged_in(MODERN);
    let sends = [query("a"), command(22, b"b"), command(25, &[5, 0, 0, 0]), command(14, b""), command(1, b"")];
    assert_eq!(sent(&mut tracker, &sends.concat()), ["Query a", "Prepare b", "CloseStatement 5", "Ping", "Quit"]);
    let first = frames(1, &[vec![1], definition(), row("a"), end(2)]);
    assert_eq!(received(&mut tracker, &first), ["first: Columns(1)", "over: rows 0x2"]);
    let second = frame(1, &[0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let told = received(&mut tracker, &second);
    assert_eq!(told, ["first: Prepared { statement: 5, columns: 0, parameters: 0 }", "over: silent"]);
    assert!(!tracker.is_idle() && !tracker.is_over());
    assert_eq!(received(&mut tracker, &frame(1, &ok(2))), ["first: Ok", "over: ok 3 9 0x2 1"]);
    assert!(tracker.is_over());
}

#[test]
fn what_the_server_says_of_the_session() {
    let mut tracker = logged_in(MODERN);
    sent(&mut tracker, &query("USE x"));
    let [low, high] = (CHANGED | IN_TRANSACTION).to_le_bytes();
    let changed = [&[0, 0, 0, low, high, 0, 0][..], b"\x02hi\x04\x01\x02\x01x"].concat();
    let told = received(&mut tracker, &frame(1, &changed));
    let session = "session \\x01\\x02\\x01x";
    assert_eq!(told, ["first: Ok", session, "in transaction, no autocommit", "over: ok 0 0 0x4001 0", "idle"]);
    assert!(tracker.status().in_transaction());
    // An ERR carries no status.
    sent(&mut tracker, &query("x"));
    received(&mut tracker, &frame(1, &error(1064, "x")));
    assert!(tracker.status().in_transaction());
}

#[test]
fn the_text_behind_attributes() {
    let capabilities = with(MODERN, Capabilities::QUERY_ATTRIBUTES);
    let texts: [(&[u8], &str); 5] = [
        (b"\0\x01SELECT 1", "Query SELECT 1"),
        (b"\x02\x01\0\x01\xFE\0\x01a\x03\0\x01b\x03xyz\x01\0\0\0SELECT 2", "Query SELECT 2"),
        // The first is NULL, the second a date of four bytes.
        (b"\x02\x01\x01\x01\xFE\0\x01a\x0A\0\x01b\x04\xE8\x07\x01\x02SELECT 3", "Query SELECT 3"),
        (b"\x01\x01\0\x01\x63\0\x01a\x03SELECT 4", "Query  cut"),
        (b"\x01", "Query  cut"),
    ];
    for (payload, told) in texts {
        let mut tracker = logged_in(capabilities);
        assert_eq!(sent(&mut tracker, &command(3, payload)), [told]);
        assert_eq!(received(&mut tracker, &frame(1, &ok(2))), ["first: Ok", "over: ok 3 9 0x2 1", "idle"]);
    }
}

/// A payload as frames, as its length asks for.
fn long(mut sequence: u8, mut payload: &[u8]) -> (Vec<u8>, u8) {
    let mut bytes = Vec::new();
    loop {
        let now = &payload[..payload.len().min(0xFF_FFFF)];
        bytes.extend(frame(sequence, now));
        sequence = sequence.wrapping_add(1);
        payload = &payload[now.len()..];
        if now.len() < 0xFF_FFFF {
            return (bytes, sequence);
        }
    }
}

fn in_pieces(tracker: &mut Tracker, is_client: bool, bytes: &[u8]) -> Vec<String> {
    bytes
        .chunks(70_001)
        .flat_map(|piece| if is_client { sent(tracker, piece) } else { received(tracker, piece) })
        .collect()
}

#[test]
fn packets_of_16_mib_and_more_take_no_memory() {
    for length in [0xFF_FFFE, 0xFF_FFFF, 0x1FF_FFFE, 0x1FF_FFFF] {
        let mut text = b"\x03SELECT ".to_vec();
        text.resize(length, b'x');
        let (bytes, next) = long(0, &text);
        let mut tracker = logged_in(MODERN);
        let told = in_pieces(&mut tracker, true, &bytes);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("Query SELECT xxx") && told[0].ends_with("(65535 bytes) cut"), "{}", told[0]);
        // The row begins as an end does.
        let mut row = vec![0xFE];
        row.resize(length.max(0xFF_FFFF), b'x');
        let (bytes, after) = long(next + 2, &row);
        received(&mut tracker, &frames(next, &[vec![1], definition()]));
        assert_eq!(in_pieces(&mut tracker, false, &bytes), [""; 0]);
        assert!(tracker.memory() < 5_000, "{}", tracker.memory());
        assert_eq!(received(&mut tracker, &frame(after, &end(2))), ["over: rows 0x2", "idle"]);
    }
}
