//! Any bytes from both sides, some of them framed as packets: no panic, no wrong "idle", no more memory than promised,
//! and each event again when each byte comes alone.
#![no_main]

use std::fmt::{self, Write};

use libfuzzer_sys::fuzz_target;
use pointsman::wire::protocol::{Capabilities, Command, Event, MEMORY, Tracker};

/// What the two sides can agree on beyond the usual.
const MORE: [Capabilities; 7] = [
    Capabilities::DEPRECATE_EOF,
    Capabilities::SESSION_TRACK,
    Capabilities::OPTIONAL_METADATA,
    Capabilities::QUERY_ATTRIBUTES,
    Capabilities::MARIADB_PROGRESS,
    Capabilities::MARIADB_CACHE_METADATA,
    Capabilities::COMPRESS,
];

#[derive(Default)]
struct Watched {
    tracker: Tracker,
    digest: Digest,
    unread: [Unread; 2],
    commands: usize,
    replies: usize,
}

/// A second reading of the frames.
#[derive(Default)]
struct Unread {
    header: Vec<u8>,
    left: usize,
    continues: bool,
}

/// Of what was told, but for `Idle`.
#[derive(Default, PartialEq, Eq, Debug)]
struct Digest(u64);

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        Ok(())
    }
}

impl Unread {
    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.left > 0 {
                self.left -= 1;
            } else {
                self.header.push(*byte);
            }
            if let [a, b, c, _] = self.header[..] {
                self.left = u32::from_le_bytes([a, b, c, 0]) as usize;
                self.continues = self.left == 0xFF_FFFF;
                self.header.clear();
            }
        }
    }

    fn is_between_packets(&self) -> bool {
        self.header.is_empty() && self.left == 0 && !self.continues
    }
}

impl Watched {
    fn feed(&mut self, from_client: bool, bytes: &[u8]) {
        self.unread[usize::from(from_client)].feed(bytes);
        let Self { tracker, digest, commands, replies, .. } = self;
        let tell = &mut |event: Event<'_>| {
            if event == Event::Idle {
                return;
            }
            let _ = write!(digest, "{event:?}");
            match event {
                Event::Command(sent) => {
                    let has_none =
                        matches!(sent.command, Command::Quit | Command::CloseStatement | Command::SendLongData);
                    *commands += usize::from(!has_none);
                }
                Event::CommandOver(_) => *replies += 1,
                _ => {}
            }
        };
        if from_client {
            tracker.sent(bytes, tell)
        } else {
            tracker.received(bytes, tell)
        }
        assert!(self.tracker.memory() <= MEMORY);
        assert!(self.replies <= self.commands);
        if self.tracker.is_idle() {
            assert!(self.unread.iter().all(Unread::is_between_packets) && self.replies == self.commands);
        }
    }
}

fn frame(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes();
    bytes[3] = sequence;
    [&bytes[..], payload].concat()
}

/// Greeting, login, OK.
fn prelude(capabilities: Capabilities) -> [(bool, Vec<u8>); 3] {
    let bits = capabilities.0.to_le_bytes();
    let mut greeting = b"\x0A8.4.0\0\x07\0\0\0abcdefgh\0".to_vec();
    greeting.extend([bits[0], bits[1], 45, 2, 0, bits[2], bits[3], 21, 0, 0, 0, 0, 0, 0]);
    greeting.extend(&bits[4..]);
    greeting.extend(b"ijklmnopqrst\0caching_sha2_password\0");
    let mut login = bits[..4].to_vec();
    login.extend([0, 0, 0, 1, 45]);
    login.extend([0; 19]);
    login.extend(&bits[4..]);
    login.extend(b"ann\0\x03xyzshop\0caching_sha2_password\0");
    [(false, frame(0, &greeting)), (true, frame(1, &login)), (false, frame(2, &[0, 0, 0, 2, 0, 0, 0]))]
}

fuzz_target!(|input: &[u8]| {
    let Some(([chosen, length], mut rest)) = input.split_first_chunk() else { return };
    let mut pieces = Vec::new();
    let base = Capabilities::PROTOCOL_41.0 | Capabilities::SECURE_CONNECTION.0 | Capabilities::CONNECT_WITH_DB.0;
    let more = MORE.iter().enumerate().filter(|(at, _)| chosen & 1 << at != 0);
    let capabilities = Capabilities(more.fold(base | Capabilities::PLUGIN_AUTH.0, |all, (_, one)| all | one.0));
    pieces.extend(prelude(capabilities).into_iter().take(usize::from(*length % 4)));
    let mut next = 0_u8;
    while let Some(([how, length], more)) = rest.split_first_chunk() {
        let (payload, more) = more.split_at((*length as usize).min(more.len()));
        rest = more;
        let sequence = match how >> 1 & 7 {
            0 => {
                pieces.push((how & 1 != 0, payload.to_vec()));
                continue;
            }
            1 => *how,
            2..=4 => 0,
            _ => next,
        };
        next = sequence.wrapping_add(1);
        pieces.push((how & 1 != 0, frame(sequence, payload)));
    }
    let (mut whole, mut single) = (Watched::default(), Watched::default());
    for (from_client, bytes) in &pieces {
        whole.feed(*from_client, bytes);
        for byte in bytes {
            single.feed(*from_client, &[*byte]);
        }
        assert_eq!(whole.digest, single.digest);
        assert_eq!(whole.tracker.is_idle(), single.tracker.is_idle());
    }
});
