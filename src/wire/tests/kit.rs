//! Packets to be fed, and events as short lines.

use crate::wire::protocol::{Capabilities, End, Event, FirstReply, Status, Tracker};

pub const BASE: Capabilities = Capabilities(
    Capabilities::PROTOCOL_41.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::CONNECT_WITH_DB.0
        | 1 << 16,
);

pub const MODERN: Capabilities =
    Capabilities(BASE.0 | Capabilities::DEPRECATE_EOF.0 | Capabilities::SESSION_TRACK.0 | Capabilities::MYSQL.0);

/// Status flags.
pub const IN_TRANSACTION: u16 = 1;
pub const AUTOCOMMIT: u16 = 2;
pub const MORE: u16 = 8;
pub const CURSOR: u16 = 64;
pub const LAST_ROW: u16 = 128;
pub const OUT_PARAMETERS: u16 = 1 << 12;
pub const CHANGED: u16 = 1 << 14;

/// A packet of one frame.
pub fn frame(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    bytes.push(sequence);
    bytes.extend_from_slice(payload);
    bytes
}

/// Packets of one frame each, numbered from `first` on.
pub fn frames(first: u8, payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut sequence = first;
    let mut bytes = Vec::new();
    for payload in payloads {
        bytes.extend(frame(sequence, payload));
        sequence = sequence.wrapping_add(1);
    }
    bytes
}

pub fn greeting(capabilities: Capabilities) -> Vec<u8> {
    let bits = capabilities.0.to_le_bytes();
    let mut payload = b"\x0A8.4.0\0\x07\0\0\0abcdefgh\0".to_vec();
    payload.extend([bits[0], bits[1], 45, 2, 0, bits[2], bits[3], 21]);
    payload.extend([0; 6]);
    payload.extend(&bits[4..]);
    payload.extend(b"ijklmnopqrst\0caching_sha2_password\0");
    frame(0, &payload)
}

pub fn login(capabilities: Capabilities) -> Vec<u8> {
    let bits = capabilities.0.to_le_bytes();
    let mut payload = bits[..4].to_vec();
    payload.extend([0, 0, 0, 1, 45]);
    payload.extend([0; 19]);
    payload.extend(&bits[4..]);
    payload.extend(b"ann\0\x03xyzshop\0caching_sha2_password\0");
    frame(1, &payload)
}

pub fn ok(status: u16) -> Vec<u8> {
    let [low, high] = status.to_le_bytes();
    vec![0, 3, 9, low, high, 1, 0]
}

/// An OK in place of an EOF.
pub fn end(status: u16) -> Vec<u8> {
    let mut payload = ok(status);
    payload[0] = 0xFE;
    payload
}

pub fn eof(status: u16) -> Vec<u8> {
    let [low, high] = status.to_le_bytes();
    vec![0xFE, 0, 0, low, high]
}

pub fn error(number: u16, text: &str) -> Vec<u8> {
    let [low, high] = number.to_le_bytes();
    [&[0xFF, low, high][..], b"#HY000", text.as_bytes()].concat()
}

pub fn definition() -> Vec<u8> {
    b"\x03def\0\0\0\x01a\0\x0C\x3F\0\x01\0\0\0\x03\x81\0\0\0\0".to_vec()
}

pub fn row(text: &str) -> Vec<u8> {
    let mut payload = vec![text.len() as u8];
    payload.extend(text.as_bytes());
    payload
}

pub fn query(text: &str) -> Vec<u8> {
    frame(0, &[b"\x03", text.as_bytes()].concat())
}

pub fn command(code: u8, rest: &[u8]) -> Vec<u8> {
    frame(0, &[&[code], rest].concat())
}

/// A tracker behind a login with these capabilities.
pub fn logged_in(capabilities: Capabilities) -> Tracker {
    let mut tracker = Tracker::new();
    let mut ignore = |_: Event<'_>| {};
    tracker.received(&greeting(capabilities), &mut ignore);
    tracker.sent(&login(capabilities), &mut ignore);
    tracker.received(&frame(2, &ok(AUTOCOMMIT)), &mut ignore);
    assert!(tracker.is_idle());
    tracker
}

pub fn sent(tracker: &mut Tracker, bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    tracker.sent(bytes, &mut |event| lines.push(brief(&event)));
    lines
}

pub fn received(tracker: &mut Tracker, bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    tracker.received(bytes, &mut |event| lines.push(brief(&event)));
    lines
}

fn text(bytes: &[u8]) -> String {
    let shown = bytes.get(..60).unwrap_or(bytes);
    let rest = if shown.len() < bytes.len() { format!("… ({} bytes)", bytes.len()) } else { String::new() };
    format!("{}{rest}", shown.escape_ascii())
}

fn flags(status: Status) -> String {
    let transaction = if status.in_transaction() { "in transaction" } else { "no transaction" };
    format!("{transaction}{}", if status.autocommit() { "" } else { ", no autocommit" })
}

fn ending(end: &End<'_>) -> String {
    match end {
        End::Ok(done) => format!("ok {} {} {:#x} {}", done.affected, done.insert_id, done.status.0, done.warnings),
        End::Rows(done) => format!("rows {:#x}", done.status.0),
        End::Error(error) => format!("error {}", error.number),
        End::Silent => "silent".to_owned(),
    }
}

/// An event as a line.
pub fn brief(event: &Event<'_>) -> String {
    match event {
        Event::Greeting(greeting) => format!(
            "greeting {} {} {} {}",
            text(greeting.version),
            greeting.connection,
            text(greeting.plugin.unwrap_or_default()),
            text(&greeting.nonce)
        ),
        Event::Login(login) => format!(
            "login {:#x} {} {}@{}{}",
            login.capabilities.0,
            login.collation,
            text(login.user),
            text(login.database.unwrap_or(b"-")),
            if login.begins_tls { " tls" } else { "" }
        ),
        Event::LoggedIn(done) => format!("logged in {:#x}", done.status.0),
        Event::LoginRefused(error) => format!("login refused {} {}", error.number, text(error.text)),
        Event::Command(sent) => {
            let statement = sent.statement.map_or(String::new(), |statement| format!(" {statement}"));
            let cut = if sent.text.is_whole { "" } else { " cut" };
            format!("{:?}{statement} {}{cut}", sent.command, text(sent.text.bytes)).trim_end().to_owned()
        }
        Event::FirstReply(FirstReply::Refused(error)) => {
            format!("first: refused {} {} {}", error.number, text(error.state.unwrap_or(b"-")), text(error.text))
        }
        Event::FirstReply(first) => format!("first: {first:?}"),
        Event::ResultOver(end) => format!("result over: {}", ending(end)),
        Event::CommandOver(end) => format!("over: {}", ending(end)),
        Event::Status(status) => flags(*status),
        Event::SessionChanged(changes) => format!("session {}", text(changes)),
        Event::Farewell(error) => format!("farewell {} {}", error.number, text(error.text)),
        Event::Idle => "idle".to_owned(),
        Event::Aside(reason) => format!("aside: {reason}"),
    }
}
