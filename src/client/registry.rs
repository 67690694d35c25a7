//! The protected handles of this process, by the address of their `MYSQL`.
//!
//! Tolerates a structure that is copied out and back (DBD::mysql), reused after close, or embedded in the
//! application's own object: whoever finds an entry checks the connection id before he believes it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::*},
    },
};

use super::{handle::Handle, layout::native::Active};

/// Handles are spread so that threads rarely meet.
const SHARDS: usize = 16;

type Shard = Mutex<BTreeMap<usize, Arc<Handle>>>;

#[derive(Default)]
pub struct Registry {
    shards: [Shard; SHARDS],
    /// Counts handles that came and went: as long as it stays, what was looked up is still so.
    epoch: AtomicU64,
}

impl Registry {
    pub fn get(&self, key: usize) -> Option<Arc<Handle>> {
        self.shard(key).lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    pub fn insert(&self, key: usize, handle: Arc<Handle>) {
        self.shard(key).lock().unwrap_or_else(PoisonError::into_inner).insert(key, handle);
        self.epoch.fetch_add(1, AcqRel);
    }

    pub fn any(&self, mut wanted: impl FnMut(&Handle) -> bool) -> bool {
        let mut shards = self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
        shards.any(|shard| shard.values().any(|handle| wanted(handle)))
    }

    pub fn remove(&self, key: usize) {
        self.shard(key).lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        self.epoch.fetch_add(1, AcqRel);
    }

    /// Read in a child, of its parent's: a lock that was held at that moment will never be free.
    pub fn peek(&self, key: usize) -> Option<Arc<Handle>> {
        self.shard(key).try_lock().ok()?.get(&key).cloned()
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
    by_address: Mutex<BTreeMap<usize, Owner>>,
}

struct Owner {
    mysql: Active,
    /// Its handle, in this epoch of the registry.
    handle: Option<(u64, Arc<Handle>)>,
}

impl Owners {
    /// Without a lock: most processes never have any.
    pub fn is_empty(&self) -> bool {
        self.count.load(Acquire) == 0
    }

    pub fn insert(&self, address: usize, mysql: Active) {
        let mut map = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(address, Owner { mysql, handle: None });
        self.count.store(map.len(), Release);
    }

    pub fn get(&self, address: usize) -> Option<Active> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner).get(&address).map(|owner| owner.mysql)
    }

    /// The same, with its protected handle.
    pub fn handle_of(&self, address: usize, handles: &Registry) -> Option<(Active, Arc<Handle>)> {
        let mut map = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = map.get_mut(&address)?;
        let epoch = handles.epoch.load(Acquire);
        if let Some((since, handle)) = &owner.handle
            && *since == epoch
        {
            return Some((owner.mysql, Arc::clone(handle)));
        }
        let handle = handles.get(owner.mysql.key());
        owner.handle = handle.clone().map(|handle| (epoch, handle));
        Some((owner.mysql, handle?))
    }

    pub fn remove(&self, address: usize) -> Option<Active> {
        let mut map = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = map.remove(&address);
        self.count.store(map.len(), Release);
        owner.map(|owner| owner.mysql)
    }
}
