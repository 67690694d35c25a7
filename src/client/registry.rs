//! The protected handles of this process, by the address of their `MYSQL`.
//!
//! Tolerates a structure that is copied out and back (DBD::mysql), reused after close, or embedded in the
//! application's own object: whoever finds an entry checks the connection id before he believes it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::*},
    },
};

use rustix_futex_sync::Mutex;

use super::{handle::Handle, layout::native::Active};

/// Handles are spread so that threads rarely meet.
const SHARDS: usize = 16;

type Shard = Mutex<BTreeMap<usize, Arc<Handle>>>;

#[derive(Default)]
pub struct Registry {
    shards: [Shard; SHARDS],
    /// Counts handles that came and went.
    epoch: AtomicU64,
}

impl Registry {
    pub fn get(&self, key: usize) -> Option<Arc<Handle>> {
        self.shard(key).lock().get(&key).cloned()
    }

    /// Another number means that what was looked up may not be so any more.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Acquire)
    }

    pub fn insert(&self, key: usize, handle: Arc<Handle>) {
        let replaced = self.shard(key).lock().insert(key, handle);
        self.changed(replaced);
    }

    pub fn any(&self, mut wanted: impl FnMut(&Handle) -> bool) -> bool {
        let mut shards = self.shards.iter().map(|shard| shard.lock());
        shards.any(|shard| shard.values().any(|handle| wanted(handle)))
    }

    pub fn remove(&self, key: usize) {
        let removed = self.shard(key).lock().remove(&key);
        self.changed(removed);
    }

    /// The number is another one before a handle can be gone: whoever remembers its address goes by that.
    fn changed(&self, gone: Option<Arc<Handle>>) {
        self.epoch.fetch_add(1, AcqRel);
        drop(gone);
    }

    /// Read in a child, of its parent's: a lock that was held at that moment will never be free.
    pub fn peek(&self, key: usize) -> Option<Arc<Handle>> {
        self.shard(key).try_lock()?.get(&key).cloned()
    }

    fn shard(&self, key: usize) -> &Shard {
        // Structures are larger than 1 KiB: the low bits say nothing.
        &self.shards[(key >> 10) % SHARDS]
    }
}

/// Which handle an object of the library belongs to, by address: streaming results, prepared statements.
#[derive(Default)]
pub struct Owners {
    count: AtomicUsize,
    by_address: Mutex<BTreeMap<usize, Active>>,
    epoch: AtomicU64,
}

impl Owners {
    /// Without a lock: most processes never have any.
    pub fn is_empty(&self) -> bool {
        self.count.load(Acquire) == 0
    }

    /// As for the registry.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Acquire)
    }

    pub fn insert(&self, address: usize, mysql: Active) {
        self.change(|map| map.insert(address, mysql));
    }

    pub fn get(&self, address: usize) -> Option<Active> {
        self.by_address.lock().get(&address).copied()
    }

    pub fn remove(&self, address: usize) -> Option<Active> {
        self.change(|map| map.remove(&address))
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<usize, Active>) -> T) -> T {
        let mut map = self.by_address.lock();
        let outcome = change(&mut map);
        self.count.store(map.len(), Release);
        self.epoch.fetch_add(1, AcqRel);
        outcome
    }
}
