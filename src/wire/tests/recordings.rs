//! Conversations of real drivers with real servers (`tests/recordings`, made by `tests/tests/conversations.rs`), cut at
//! every byte, and with replies that come later than they came: the tracker tells of them what it told of the whole.

use std::{fs, path::Path, sync::OnceLock};

use proptest::{prelude::*, test_runner::Config};

use super::{
    oracle::{Side, Watched},
    random::Dice,
};

struct Recording {
    name: String,
    /// How many replies, and how many of them were refusals, as the recorder saw it.
    counts: String,
    end: String,
    pieces: Vec<(Side, Vec<u8>)>,
}

fn recordings() -> &'static [Recording] {
    static RECORDINGS: OnceLock<Vec<Recording>> = OnceLock::new();
    RECORDINGS.get_or_init(|| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
        let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| read(&fs::read_to_string(path).unwrap())).collect()
    })
}

fn read(text: &str) -> Recording {
    let mut head = text.lines().filter_map(|line| line.strip_prefix("# ")).map(str::to_owned);
    let (name, counts, end) = (head.next().unwrap(), head.next().unwrap(), head.next().unwrap());
    let pieces = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (sign, bytes) = line.split_at(2);
        (if sign == "> " { Side::Client } else { Side::Server }, unescaped(bytes))
    });
    Recording { name, counts, end, pieces: pieces.collect() }
}

/// Undoes `escape_ascii`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |digit: Option<u8>| char::from(digit.unwrap()).to_digit(16).unwrap() as u8;
        bytes.push(match byte {
            b'\\' => match rest.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => digit(rest.next()) << 4 | digit(rest.next()),
                other => other,
            },
            other => other,
        });
    }
    bytes
}

fn followed(pieces: &[(Side, Vec<u8>)]) -> Watched {
    let mut watched = Watched::default();
    for (side, bytes) in pieces {
        watched.feed(*side, bytes);
    }
    watched
}

/// What was told while one side spoke.
fn told_of(watched: &Watched, side: Side) -> Vec<&str> {
    watched.events.iter().filter(|(of, _)| *of == side).map(|(_, line)| &**line).collect()
}

#[test]
fn conversations_of_real_drivers_are_understood_to_their_end() {
    assert!(recordings().len() > 40, "only {} recordings", recordings().len());
    for Recording { name, counts, end, pieces } in recordings() {
        let watched = followed(pieces);
        let count = |start: &str| told_of(&watched, Side::Server).iter().filter(|line| line.starts_with(start)).count();
        assert_eq!(*counts, format!("{} replies, {} refusals", count("over: "), count("over: error")), "{name}");
        match end.split_once(": ") {
            Some(("aside", reason)) => assert_eq!(watched.tracker.aside().unwrap().to_string(), reason, "{name}"),
            Some(("farewell" | "login refused", _)) => assert!(watched.tracker.is_over(), "{name}"),
            _ => assert_eq!(watched.tracker.is_over(), end == "quit", "{name}"),
        }
    }
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    for Recording { name, pieces, .. } in recordings() {
        let mut watched = Watched::default();
        for (side, bytes) in pieces {
            let mut whole = watched.clone();
            whole.feed(*side, bytes);
            for cut in 1..bytes.len() {
                let mut parts = watched.clone();
                parts.feed(*side, &bytes[..cut]);
                parts.feed(*side, &bytes[cut..]);
                assert_eq!(parts.events, whole.events, "{name}, cut at {cut}");
                assert_eq!(parts.tracker.is_idle(), whole.tracker.is_idle(), "{name}, cut at {cut}");
            }
            watched = whole;
            watched.events.clear();
        }
    }
}

#[test]
fn single_bytes_are_enough() {
    for Recording { name, pieces, .. } in recordings() {
        let mut single = Watched::default();
        for (side, bytes) in pieces {
            for byte in bytes {
                single.feed(*side, &[*byte]);
            }
        }
        assert_eq!(single.events, followed(pieces).events, "{name}");
    }
}

/// A packet, and which command it belongs to.
struct Packet {
    side: Side,
    bytes: Vec<u8>,
    command: usize,
    /// The client's packet begins a command.
    begins: bool,
}

/// The packets of a conversation that is followed to its end, in their order. Every frame is taken for a packet, since
/// frames of 16 MiB are not recorded.
fn packets(pieces: &[(Side, Vec<u8>)]) -> Vec<Packet> {
    let mut watched = Watched::default();
    let mut packets = Vec::new();
    let mut open: [Vec<u8>; 2] = Default::default();
    for (side, bytes) in pieces {
        for byte in bytes {
            let packet = &mut open[*side as usize];
            packet.push(*byte);
            let before = watched.events.len();
            let replies = told_of(&watched, Side::Server).iter().filter(|line| line.starts_with("over: ")).count();
            watched.feed(*side, &[*byte]);
            let is_whole = packet.len() >= 4
                && packet.len() == 4 + u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
            if !is_whole {
                continue;
            }
            let told = &watched.events[before..];
            let begins = *side == Side::Client && told.iter().any(|(_, line)| !line.starts_with("login"));
            // The login is the first; what the client says on its own belongs to the command that it begins.
            packets.push(Packet { side: *side, bytes: std::mem::take(packet), command: replies + 1, begins });
        }
    }
    packets
}

/// Lets replies come late, as if the driver had not waited for them, wherever the protocol allows for that: not in the
/// login, and not where the server asks the client for something. Cuts the bytes anew.
fn told_again(pieces: &[(Side, Vec<u8>)], dice: &mut Dice) -> Watched {
    let packets = packets(pieces);
    let mut watched = Watched::default();
    let mut late: Vec<u8> = Vec::new();
    let mut choice = Dice(dice.below(usize::MAX) as u64);
    let mut feed = |side: Side, mut bytes: &[u8]| {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(dice.below(bytes.len().min(40)) + 1);
            watched.feed(side, now);
            bytes = rest;
        }
    };
    let has_questions = |command: usize| {
        packets.iter().any(|packet| packet.command == command && packet.side == Side::Client && !packet.begins)
    };
    for (at, packet) in packets.iter().enumerate() {
        if packet.side == Side::Server {
            late.extend(&packet.bytes);
            if packet.command > 1 && !has_questions(packet.command) && choice.below(3) > 0 {
                continue;
            }
        }
        let is_waited_for = !packet.begins
            || packets[at..]
                .iter()
                .any(|later| later.command == packet.command && later.side == Side::Client && !later.begins);
        if packet.side == Side::Client && !is_waited_for {
            // A part of what is late, then the command.
            let now = choice.below(late.len() + 1);
            let rest = late.split_off(now);
            feed(Side::Server, &late);
            late = rest;
        } else {
            feed(Side::Server, &std::mem::take(&mut late));
        }
        if packet.side == Side::Client {
            feed(Side::Client, &packet.bytes);
        }
    }
    feed(Side::Server, &late);
    watched
}

proptest! {
    #![proptest_config(Config { cases: 300, failure_persistence: None, ..Config::default() })]

    #[test]
    fn late_replies_and_other_cuts_change_nothing(which in 0..1000_usize, seed: u64) {
        let all: Vec<_> = recordings().iter().filter(|recording| !recording.end.starts_with("aside")).collect();
        let Recording { name, pieces, .. } = all[which % all.len()];
        let (as_it_was, again) = (followed(pieces), told_again(pieces, &mut Dice(seed)));
        for side in [Side::Client, Side::Server] {
            prop_assert_eq!(told_of(&again, side), told_of(&as_it_was, side), "{}, {:x}", name, seed);
        }
    }
}
