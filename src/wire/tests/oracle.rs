//! What must hold of the tracker whatever it is fed, judged by a second, simpler reading of the same bytes.

use super::kit::brief;
use crate::wire::protocol::{Command, Event, MEMORY, Tracker};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// A tracker under watch.
#[derive(Clone, Default)]
pub struct Watched {
    pub tracker: Tracker,
    /// Every event but `Idle`, which depends on the cuts.
    pub events: Vec<(Side, String)>,
    unread: [Unread; 2],
    commands: usize,
    replies: usize,
    has_logged_in: bool,
    asides: usize,
}

/// Bytes of a packet that is not complete.
#[derive(Clone, Default)]
struct Unread {
    bytes: Vec<u8>,
    continues: bool,
}

impl Unread {
    fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let mut at = 0;
        while let Some([a, b, c, _]) = self.bytes.get(at..at + 4) {
            let length = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
            if self.bytes.len() - at - 4 < length {
                break;
            }
            self.continues = length == 0xFF_FFFF;
            at += 4 + length;
        }
        self.bytes.drain(..at);
    }

    fn is_between_packets(&self) -> bool {
        self.bytes.is_empty() && !self.continues
    }
}

impl Watched {
    /// Panics where the tracker breaks a promise.
    pub fn feed(&mut self, side: Side, bytes: &[u8]) {
        self.unread[side as usize].feed(bytes);
        let mut has_told_idle = false;
        let was_silent = self.tracker.aside().is_some() || self.tracker.is_over();
        let Self { tracker, events, commands, replies, has_logged_in, asides, .. } = self;
        let mut told = 0;
        let tell = &mut |event: Event<'_>| {
            told += 1;
            assert!(!has_told_idle, "{event:?} behind `Idle`");
            match &event {
                Event::Idle => {
                    has_told_idle = true;
                    return;
                }
                Event::Command(sent) => {
                    let is_answered =
                        !matches!(sent.command, Command::Quit | Command::CloseStatement | Command::SendLongData);
                    *commands += usize::from(is_answered);
                }
                Event::CommandOver(_) => *replies += 1,
                Event::LoggedIn(_) => *has_logged_in = true,
                Event::Aside(_) => *asides += 1,
                _ => {}
            }
            events.push((side, brief(&event)));
        };
        match side {
            Side::Client => tracker.sent(bytes, tell),
            Side::Server => tracker.received(bytes, tell),
        }
        assert!(told == 0 || !was_silent, "{told} events of a connection that is not followed");
        assert_eq!(has_told_idle, self.tracker.is_idle() && !bytes.is_empty(), "{:?}", self.events);
        if self.tracker.is_idle() {
            let is_between = self.unread.iter().all(Unread::is_between_packets);
            assert!(is_between, "idle in the middle of a packet: {:?}", self.events);
            assert!(self.has_logged_in && self.commands == self.replies, "idle too early: {:?}", self.events);
        }
        assert!(self.replies <= self.commands, "{:?}", self.events);
        assert_eq!(self.asides, usize::from(self.tracker.aside().is_some()));
        assert!(self.tracker.memory() <= MEMORY);
    }
}
