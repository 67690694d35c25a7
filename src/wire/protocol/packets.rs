//! Puts the frames of a byte stream together to packets. A packet's bytes are counted, and kept only as far as asked.

use super::aside::Aside;

/// The length of a frame that is continued in the next one (which may be empty).
pub(super) const FULL: u32 = 0xFF_FFFF;
const HEADER: usize = 4;
/// What is left allocated between two packets.
const SMALL: usize = 4096;

/// What is known of a packet when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Of its first frame.
    pub(super) sequence: u8,
    /// Of its first frame.
    pub(super) length: u32,
    /// Its first byte; an empty packet has none.
    pub(super) first: Option<u8>,
}

/// A packet that is over.
#[derive(Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) head: Head,
    /// As much as was asked for.
    pub(super) kept: &'a [u8],
    /// Nothing was left out of `kept`.
    pub(super) is_whole: bool,
    /// The sequence number that its successor has.
    pub(super) next: u8,
}

/// One direction of a connection.
#[derive(Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Stream {
    header: [u8; HEADER],
    /// How many bytes of the header are there.
    have: usize,
    /// Bytes of the frame that have not come yet.
    left: u32,
    /// The packet under way.
    head: Option<Head>,
    /// The sequence number of the frame.
    sequence: u8,
    /// How much of the packet is kept.
    keep: usize,
    kept: Vec<u8>,
    /// Some of the packet was left out of `kept`.
    is_cut: bool,
}

/// What came of some bytes.
pub(super) enum Step {
    /// More bytes are needed.
    Starved,
    /// A packet begins: the caller says how much of it is to be kept, by [`Stream::keep`].
    Begun(Head),
    /// The packet is over: [`Stream::release`] has it.
    Over,
}

/// A packet that came in pieces.
pub(super) struct Released {
    head: Head,
    kept: Vec<u8>,
    is_whole: bool,
    next: u8,
}

impl Released {
    pub(super) fn packet(&self) -> Packet<'_> {
        Packet { head: self.head, kept: &self.kept, is_whole: self.is_whole, next: self.next }
    }
}

impl Stream {
    /// Nothing of a packet is there.
    pub(super) fn is_between_packets(&self) -> bool {
        self.have == 0 && self.head.is_none()
    }

    /// A packet of one frame that lies in `bytes` as a whole: the usual case, in which nothing is copied.
    pub(super) fn whole<'a>(&self, bytes: &mut &'a [u8]) -> Option<(Head, &'a [u8])> {
        if !self.is_between_packets() {
            return None;
        }
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let (length, sequence) = read(*header);
        if length == FULL {
            return None;
        }
        let (payload, rest) = rest.split_at_checked(length as usize)?;
        *bytes = rest;
        Some((Head { sequence, length, first: payload.first().copied() }, payload))
    }

    /// Takes from `bytes` what belongs to the packet under way.
    pub(super) fn take(&mut self, bytes: &mut &[u8]) -> Result<Step, Aside> {
        loop {
            while self.have < HEADER {
                let Some((byte, rest)) = bytes.split_first() else { return Ok(Step::Starved) };
                if let Some(place) = self.header.get_mut(self.have) {
                    *place = *byte;
                }
                self.have += 1;
                *bytes = rest;
                if self.have == HEADER {
                    let (length, sequence) = read(self.header);
                    if self.head.is_some() && sequence != self.sequence.wrapping_add(1) {
                        return Err(Aside::OutOfSequence);
                    }
                    (self.left, self.sequence) = (length, sequence);
                }
            }
            if self.head.is_none() {
                let first = bytes.first().copied().filter(|_| self.left > 0);
                if first.is_none() && self.left > 0 {
                    return Ok(Step::Starved);
                }
                let head = Head { sequence: self.sequence, length: self.left, first };
                self.head = Some(head);
                return Ok(Step::Begun(head));
            }
            let (now, rest) = bytes.split_at(bytes.len().min(self.left as usize));
            *bytes = rest;
            // No more than `left`, which is no more than 24 bits.
            self.left -= now.len() as u32;
            self.append(now);
            if self.left > 0 {
                return Ok(Step::Starved);
            }
            if read(self.header).0 < FULL {
                return Ok(Step::Over);
            }
            self.have = 0;
        }
    }

    pub(super) fn keep(&mut self, length: usize) {
        self.keep = length;
    }

    /// Hands the packet out and is ready for the next one.
    pub(super) fn release(&mut self) -> Released {
        let head = self.head.take().unwrap_or(Head { sequence: self.sequence, length: 0, first: None });
        let is_whole = !std::mem::take(&mut self.is_cut);
        (self.have, self.keep) = (0, 0);
        Released { head, kept: std::mem::take(&mut self.kept), is_whole, next: self.sequence.wrapping_add(1) }
    }

    /// Takes the memory of a released packet back, for the next one.
    pub(super) fn reuse(&mut self, released: Released) {
        if released.kept.capacity() <= SMALL {
            self.kept = released.kept;
            self.kept.clear();
        }
    }

    pub(super) fn forget(&mut self) {
        self.kept = Vec::new();
    }

    /// What is allocated.
    pub(super) fn allocated(&self) -> usize {
        self.kept.capacity()
    }

    fn append(&mut self, bytes: &[u8]) {
        let room = self.keep.saturating_sub(self.kept.len());
        let now = bytes.get(..room).unwrap_or(bytes);
        self.is_cut |= now.len() < bytes.len();
        let needed = self.kept.len() + now.len();
        if needed > self.kept.capacity() {
            // Twice as much, but never more than what may be kept at all.
            let wanted = needed.max(2 * self.kept.capacity()).min(self.keep);
            self.kept.reserve_exact(wanted - self.kept.len());
        }
        self.kept.extend_from_slice(now);
    }
}

/// Length and sequence number.
fn read([a, b, c, sequence]: [u8; HEADER]) -> (u32, u8) {
    (u32::from_le_bytes([a, b, c, 0]), sequence)
}
