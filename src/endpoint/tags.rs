//! Tags: which descriptor is a connection to which endpoint.
//!
//! Read and written by the doors of `connect`, `close`, `dup`…, that is: anywhere, also in signal handlers. So it is
//! two levels of atomics; the first tag in a range of 1024 descriptors takes pages from the kernel.

use std::{
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::*},
    },
    time::{Duration, Instant},
};

use once_cell::race::OnceRef;

use crate::hooks::raw;

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
    /// Peer addresses, interned: a tag fits into one atomic word then. Grows by one per server ever seen.
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

    /// Tags `fd`, overwriting what an unseen close left behind. Returns the endpoint of the old tag.
    pub fn set(&self, fd: i32, endpoint: u16, peer: SocketAddr) -> Option<u16> {
        let cell = self.cell(fd, true)?;
        let peer = self.intern(peer)?;
        let since = self.epoch.elapsed().as_secs() as u32;
        let word = (u64::from(endpoint) + 1) << 48 | u64::from(peer) << 32 | u64::from(since);
        endpoint_of(cell.swap(word, AcqRel))
    }

    /// Takes the tag away, before the descriptor is really closed. Returns its endpoint.
    pub fn clear(&self, fd: i32) -> Option<u16> {
        let cell = self.cell(fd, false)?;
        // Most closes are of something else: a load is cheaper than a swap.
        if cell.load(Relaxed) == 0 { None } else { endpoint_of(cell.swap(0, AcqRel)) }
    }

    /// Clears `first..=last` (close_range). Calls `gone` with the endpoint of each tag.
    pub fn clear_range(&self, first: u32, last: u32, mut gone: impl FnMut(u16)) {
        let last = (last as usize).min(CHUNKS * CHUNK - 1);
        let mut fd = first as usize;
        while fd <= last {
            match self.chunks[fd / CHUNK].get() {
                None => fd = (fd / CHUNK + 1) * CHUNK,
                Some(chunk) => {
                    if let Some(endpoint) = endpoint_of(chunk[fd % CHUNK].swap(0, AcqRel)) {
                        gone(endpoint);
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

    /// `new` is a duplicate of `old`. Returns the endpoint of the tag that it now carries.
    pub fn copy(&self, old: i32, new: i32) -> Option<u16> {
        let word = self.cell(old, false)?.load(Acquire);
        let endpoint = endpoint_of(word)?;
        self.cell(new, true)?.store(word, Release);
        Some(endpoint)
    }

    /// Without a lock: for the doors that look at every descriptor.
    pub fn is_tagged(&self, fd: i32) -> bool {
        self.cell(fd, false).is_some_and(|cell| cell.load(Relaxed) != 0)
    }

    pub fn get(&self, fd: i32) -> Option<Tag> {
        let word = self.cell(fd, false)?.load(Acquire);
        let endpoint = endpoint_of(word)?;
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let peer = *peers.get((word >> 32 & 0xffff) as usize)?;
        Some(Tag { endpoint, peer, since: self.epoch + Duration::from_secs(word & 0xffff_ffff) })
    }

    fn cell(&self, fd: i32, make: bool) -> Option<&AtomicU64> {
        let fd = usize::try_from(fd).ok()?;
        let chunk = self.chunks.get(fd / CHUNK)?;
        let chunk = match chunk.get() {
            Some(chunk) => chunk,
            None if make => chunk.get_or_try_init(|| raw::words().ok_or(())).ok()?,
            None => return None,
        };
        Some(&chunk[fd % CHUNK])
    }

    fn intern(&self, peer: SocketAddr) -> Option<u16> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let at = peers.iter().position(|known| *known == peer).unwrap_or_else(|| {
            peers.push(peer);
            peers.len() - 1
        });
        u16::try_from(at).ok()
    }
}

impl Default for Tags {
    fn default() -> Self {
        Tags::new()
    }
}

fn endpoint_of(word: u64) -> Option<u16> {
    ((word >> 48) as u16).checked_sub(1)
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
        assert_eq!(tags.set(7, 3, peer(1)), None);
        assert_eq!(tags.get(7).map(|tag| (tag.endpoint, tag.peer)), Some((3, peer(1))));
        assert_eq!(tags.get(8), None);
        assert_eq!(tags.clear(7), Some(3));
        assert_eq!((tags.get(7), tags.clear(7)), (None, None));
    }

    #[test]
    fn a_reused_number_carries_the_new_tag_only() {
        let tags = Tags::new();
        tags.set(7, 1, peer(1));
        assert_eq!(tags.set(7, 2, peer(2)), Some(1));
        assert_eq!(tags.get(7).map(|tag| tag.endpoint), Some(2));
    }

    #[test]
    fn duplicates_carry_the_tag_and_outlive_the_original() {
        let tags = Tags::new();
        tags.set(7, 1, peer(1));
        assert_eq!(tags.copy(7, 1_500_000), Some(1));
        tags.clear(7);
        assert_eq!(tags.get(1_500_000).map(|tag| tag.peer), Some(peer(1)));
        assert_eq!(tags.copy(9, 10), None);
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
