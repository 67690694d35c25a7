//! Tags: which descriptor is a connection to which endpoint.
//!
//! Read and written by the doors of `connect`, `close`, `dup`…, that is: anywhere, also in signal handlers. So it is
//! two levels of atomics; only the first tag in a range of 1024 descriptors takes pages from the kernel (8 KiB, 32 MiB if every
//! range had one). A descriptor beyond all ranges has no tag: its silence goes unnoticed, everything else works.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::*},
    time::{Duration, Instant},
};

use once_cell::race::OnceRef;
use rustix_futex_sync::Mutex;

use crate::host::pages;

const CHUNK: usize = 1024;
/// 4 Mi descriptors: above every kernel's default for `fs.nr_open` (1 Mi).
const CHUNKS: usize = 4096;

type Chunk = [AtomicU64; CHUNK];

/// What we know of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Position in the process's list of endpoints.
    pub endpoint: u16,
    pub peer: SocketAddr,
    /// When it connected, to the second.
    pub since: Instant,
}

#[derive(Debug)]
pub struct Tags {
    chunks: Box<[OnceRef<'static, Chunk>]>,
    /// Peer addresses, interned: a tag fits into one atomic word then. Grows by one per server ever seen, 65,536 at most.
    peers: Mutex<Vec<SocketAddr>>,
    epoch: Instant,
}

impl Tags {
    pub fn new() -> Self {
        Tags {
            chunks: (0..CHUNKS).map(|_| OnceRef::new()).collect(),
            peers: Mutex::new(Vec::new()),
            epoch: Instant::now(),
        }
    }

    /// Tags `fd`, overwriting what an unseen close left behind. `None`: no room for it; else the old tag, if any.
    pub fn set(&self, fd: i32, endpoint: u16, peer: SocketAddr) -> Option<Option<Removed>> {
        let cell = self.cell_or_new(fd)?;
        let peer = self.intern(peer)?;
        let since = self.epoch.elapsed().as_secs() as u32;
        let word = (u64::from(endpoint) + 1) << 48 | u64::from(peer) << 32 | u64::from(since);
        Some(Removed::of(cell.swap(word, AcqRel)))
    }

    /// Takes the tag away, before the descriptor is really closed.
    pub fn clear(&self, fd: i32) -> Option<Removed> {
        let cell = self.cell(fd)?;
        // Most closes are of something else: a load is cheaper than a swap.
        if cell.load(Relaxed) == 0 { None } else { Removed::of(cell.swap(0, AcqRel)) }
    }

    /// The descriptor was not closed after all. False: it has a tag again already.
    pub fn put_back(&self, fd: i32, removed: Removed) -> bool {
        self.cell(fd).is_some_and(|cell| cell.compare_exchange(0, removed.0, AcqRel, Relaxed).is_ok())
    }

    /// Takes away the tag of every descriptor that was closed unseen. Calls `gone` with the endpoint of each.
    pub fn clear_if(&self, closed: impl Fn(i32, Tag) -> bool, mut gone: impl FnMut(u16)) {
        self.any(|fd, tag| {
            if let Some(cell) = self.cell(fd)
                && let word = cell.load(Acquire)
                && self.read(word) == Some(tag)
                && closed(fd, tag)
                && cell.compare_exchange(word, 0, AcqRel, Relaxed).is_ok()
            {
                gone(tag.endpoint);
            }
            false
        });
    }

    /// Clears `first..=last` (close_range). Calls `gone` with the endpoint of each tag.
    pub fn clear_range(&self, first: u32, last: u32, mut gone: impl FnMut(u16)) {
        let last = (last as usize).min(CHUNKS * CHUNK - 1);
        let mut fd = first as usize;
        while fd <= last {
            match self.chunks[fd / CHUNK].get() {
                None => fd = (fd / CHUNK + 1) * CHUNK,
                Some(chunk) => {
                    if let Some(removed) = Removed::of(chunk[fd % CHUNK].swap(0, AcqRel)) {
                        gone(removed.endpoint());
                    }
                    fd += 1;
                }
            }
        }
    }

    /// Does any tagged descriptor satisfy `wanted`?
    pub fn any(&self, mut wanted: impl FnMut(i32, Tag) -> bool) -> bool {
        self.chunks.iter().enumerate().filter_map(|(at, chunk)| Some((at, chunk.get()?))).any(|(at, chunk)| {
            (0..CHUNK).filter(|offset| chunk[*offset].load(Relaxed) != 0).any(|offset| {
                let fd = (at * CHUNK + offset) as i32;
                self.get(fd).is_some_and(|tag| wanted(fd, tag))
            })
        })
    }

    /// `new` is a duplicate of `old`, fresh: a tag that it has is of a connection whose close was not seen. Returns the
    /// endpoint of the tag that it carries now, and that old tag.
    pub fn copy(&self, old: i32, new: i32) -> (Option<u16>, Option<Removed>) {
        let word = self.cell(old).map_or(0, |cell| cell.load(Acquire));
        let cell = if word == 0 { self.cell(new) } else { self.cell_or_new(new) };
        let Some(cell) = cell else { return (None, None) };
        (Removed::of(word).map(|tag| tag.endpoint()), Removed::of(cell.swap(word, AcqRel)))
    }

    /// Without a lock: for the doors that look at every descriptor.
    pub fn is_tagged(&self, fd: i32) -> bool {
        self.cell(fd).is_some_and(|cell| cell.load(Relaxed) != 0)
    }

    pub fn get(&self, fd: i32) -> Option<Tag> {
        self.read(self.cell(fd)?.load(Acquire))
    }

    fn read(&self, word: u64) -> Option<Tag> {
        let endpoint = Removed::of(word)?.endpoint();
        let peers = self.peers.lock();
        let peer = *peers.get((word >> 32 & 0xffff) as usize)?;
        Some(Tag { endpoint, peer, since: self.epoch + Duration::from_secs(word & 0xffff_ffff) })
    }

    /// `None`: no descriptor of its chunk was ever tagged.
    fn cell(&self, fd: i32) -> Option<&AtomicU64> {
        let fd = usize::try_from(fd).ok()?;
        Some(&self.chunks.get(fd / CHUNK)?.get()?[fd % CHUNK])
    }

    /// `None`: no room for it.
    fn cell_or_new(&self, fd: i32) -> Option<&AtomicU64> {
        let fd = usize::try_from(fd).ok()?;
        let chunk = self.chunks.get(fd / CHUNK)?.get_or_try_init(|| pages::words().ok_or(())).ok()?;
        Some(&chunk[fd % CHUNK])
    }

    fn intern(&self, peer: SocketAddr) -> Option<u16> {
        let mut peers = self.peers.lock();
        let at = peers.iter().position(|known| *known == peer).unwrap_or(peers.len());
        let number = u16::try_from(at).ok()?;
        if at == peers.len() {
            peers.push(peer);
        }
        Some(number)
    }
}

impl Default for Tags {
    fn default() -> Self {
        Tags::new()
    }
}

/// A tag that was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed(u64);

impl Removed {
    fn of(word: u64) -> Option<Self> {
        (word != 0).then_some(Removed(word))
    }

    pub fn endpoint(self) -> u16 {
        ((self.0 >> 48) as u16).wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 3306))
    }

    #[test]
    fn a_tag_says_endpoint_and_peer_until_it_is_cleared() {
        let tags = Tags::new();
        assert_eq!(tags.set(7, 3, peer(1)), Some(None));
        assert_eq!(tags.get(7).map(|tag| (tag.endpoint, tag.peer)), Some((3, peer(1))));
        assert_eq!(tags.get(8), None);
        assert_eq!(tags.clear(7).map(Removed::endpoint), Some(3));
        assert_eq!((tags.get(7), tags.clear(7)), (None, None));
    }

    #[test]
    fn a_reused_number_carries_the_new_tag_only() {
        let tags = Tags::new();
        tags.set(7, 1, peer(1));
        assert_eq!(tags.set(7, 2, peer(2)).flatten().map(Removed::endpoint), Some(1));
        assert_eq!(tags.get(7).map(|tag| tag.endpoint), Some(2));
    }

    #[test]
    fn duplicates_carry_the_tag_and_outlive_the_original() {
        let tags = Tags::new();
        tags.set(7, 1, peer(1));
        assert_eq!(tags.copy(7, 1_500_000), (Some(1), None));
        tags.clear(7);
        assert_eq!(tags.get(1_500_000).map(|tag| tag.peer), Some(peer(1)));
        assert_eq!(tags.copy(9, 10), (None, None));
    }

    #[test]
    fn a_fresh_duplicate_does_not_keep_the_tag_of_a_close_that_was_not_seen() {
        let tags = Tags::new();
        tags.set(7, 1, peer(1));
        tags.set(8, 2, peer(2));
        let (now, before) = tags.copy(7, 8);
        assert_eq!((now, before.map(Removed::endpoint)), (Some(1), Some(2)));
        let (now, before) = tags.copy(9, 8);
        assert_eq!((now, before.map(Removed::endpoint), tags.get(8)), (None, Some(1), None));
    }

    #[test]
    fn a_tag_is_put_back_unless_there_is_another_one() {
        let tags = Tags::new();
        tags.set(7, 1, peer(1));
        let before = tags.get(7);
        let removed = tags.clear(7).unwrap();
        assert!(tags.put_back(7, removed));
        assert_eq!(tags.get(7), before);
        assert!(!tags.put_back(7, removed));
    }

    #[test]
    fn tags_of_unseen_closes_are_swept_and_no_others() {
        let tags = Tags::new();
        for fd in [7, 8, 2_000_000] {
            tags.set(fd, 1, peer(1));
        }
        let mut gone = Vec::new();
        tags.clear_if(|fd, tag| fd != 8 && tag.peer == peer(1), |endpoint| gone.push(endpoint));
        assert_eq!(gone, [1, 1]);
        assert!(tags.get(8).is_some() && tags.get(7).is_none() && tags.get(2_000_000).is_none());
    }

    #[test]
    fn neither_many_peers_nor_high_descriptors_cost_memory_without_bound() {
        let tags = Tags::new();
        let many = |number: u32| SocketAddr::from((std::net::Ipv4Addr::from(number), 3306));
        {
            // As if each of them had been seen; the first by one who tags it.
            let mut peers = tags.peers.lock();
            peers.extend((0..1 << 16).map(many));
        }
        assert_eq!(tags.set(7, 1, many(1 << 16)), None);
        assert_eq!(tags.set(7, 1, many(9)), Some(None));
        assert_eq!(tags.peers.lock().len(), 1 << 16);
        for fd in (CHUNKS * CHUNK..).step_by(CHUNK).take(100) {
            assert_eq!(tags.set(fd as i32, 1, many(9)), None);
        }
        let chunks = || tags.chunks.iter().filter(|chunk| chunk.get().is_some()).count();
        assert_eq!(chunks(), 1);
        assert_eq!(tags.copy(7, 1_100_000), (Some(1), None));
        assert_eq!(chunks(), 2);
    }

    #[test]
    fn close_range_clears_what_lies_in_it() {
        let tags = Tags::new();
        for fd in [3, 1023, 1024, 70_000] {
            tags.set(fd, (fd % 100) as u16, peer(1));
        }
        let mut gone = Vec::new();
        tags.clear_range(4, u32::MAX, |endpoint| gone.push(endpoint));
        assert_eq!(gone, [23, 24, 0]);
        assert!(tags.get(3).is_some());
    }

    #[test]
    fn impossible_descriptors_are_ignored() {
        let tags = Tags::new();
        assert_eq!((tags.set(-1, 1, peer(1)), tags.clear(-1), tags.clear(i32::MAX)), (None, None, None));
    }
}
