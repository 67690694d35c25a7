//! Bytes that chance draws, some of them nearly right: no panic, no wrong `Idle`, no more memory than promised.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    kit::*,
    oracle::{Side, Watched},
};
use crate::wire::protocol::Capabilities;

const STORIES: u64 = 20_000;

/// Numbers that a seed repeats (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.below(256) as u8).collect()
    }
}

fn server_packet(dice: &mut Dice) -> Vec<u8> {
    let status = [0, 1, 2, 3, 10, 66, 0x100A, 0x4002][dice.below(8)];
    match dice.below(12) {
        0 => ok(status),
        1 => eof(status),
        2 => end(status),
        3 => error([1290, 1064, 0xFFFF][dice.below(3)], "x"),
        4 => vec![dice.below(4) as u8],
        5 => vec![dice.below(4) as u8, dice.below(2) as u8],
        6 | 7 => definition(),
        8 => row("abc"),
        9 => vec![0xFB, b'f'],
        10 => vec![0, 5, 0, 0, 0, dice.below(3) as u8, 0, dice.below(3) as u8, 0, 0, 0, 0],
        _ => dice.bytes(20),
    }
}

fn client_packet(dice: &mut Dice) -> Vec<u8> {
    let codes = [1, 2, 3, 3, 3, 4, 9, 14, 17, 22, 23, 24, 25, 26, 27, 28, 31, 0xFA];
    let mut payload = vec![codes[dice.below(codes.len())]];
    payload.extend(dice.bytes(12));
    if dice.below(20) == 0 { dice.bytes(3) } else { payload }
}

/// Packets of both sides, mostly with the sequence number that is due.
fn story(dice: &mut Dice) {
    let mut watched = Watched::default();
    let more = [0, 1 << 23, 1 << 24, 1 << 25, 1 << 27, 1 << 32, 1 << 36];
    let capabilities = Capabilities((0..3).fold(BASE.0, |all, _| all | more[dice.below(more.len())]));
    let mut next = 0;
    let mut first = vec![(Side::Server, greeting(capabilities)), (Side::Client, login(capabilities))];
    if dice.below(4) > 0 {
        first.push((Side::Server, frame(2, &ok(2))));
    }
    for (side, bytes) in first {
        watched.feed(side, &bytes);
    }
    for _ in 0..dice.below(30) {
        let side = if dice.below(3) == 0 { Side::Client } else { Side::Server };
        let sequence = match dice.below(12) {
            0 => dice.below(256) as u8,
            1..=9 if side == Side::Client => 0,
            _ => next,
        };
        let payload = if side == Side::Client { client_packet(dice) } else { server_packet(dice) };
        next = sequence.wrapping_add(1);
        let mut bytes = frame(sequence, &payload);
        if dice.below(50) == 0 {
            bytes.truncate(dice.below(bytes.len()));
        }
        while !bytes.is_empty() {
            let rest = bytes.split_off(dice.below(bytes.len()) + 1);
            watched.feed(side, &bytes);
            bytes = rest;
        }
    }
}

fn noise(dice: &mut Dice) {
    let mut watched = Watched::default();
    if dice.below(2) == 0 {
        watched.feed(Side::Server, &greeting(MODERN));
        watched.feed(Side::Client, &login(MODERN));
        watched.feed(Side::Server, &frame(2, &ok(2)));
    }
    for _ in 0..dice.below(10) {
        let side = if dice.below(2) == 0 { Side::Client } else { Side::Server };
        watched.feed(side, &dice.bytes(40));
    }
}

#[test]
fn bytes_drawn_by_chance_never_make_it_panic_or_say_idle_too_early() {
    let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64);
    let seed = env::var("WIRE_SEED").map_or_else(|_| drawn(), |text| u64::from_str_radix(&text, 16).unwrap());
    println!("WIRE_SEED={seed:x}");
    for number in 0..STORIES {
        story(&mut Dice(seed.wrapping_add(number)));
        noise(&mut Dice(seed.wrapping_add(number)));
    }
}
