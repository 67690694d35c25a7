//! The protected handles of this process, by the address of their `MYSQL`.
//!
//! Tolerates a structure that is copied out and back (DBD::mysql), reused after close, or embedded in the
//! application's own object: code that finds an entry checks the connection id before it believes it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::*},
    },
};

use rustix_futex_sync::Mutex;

use super::{handle::Handle, layout::native::Active};
use crate::{
    endpoint::{Endpoint, turn::Claim},
    process::{Process, front_end::FrontEnd},
};

/// What the application has of client libraries.
pub struct Handles {
    pub handles: Registry,
    /// Results that are read row by row, and prepared statements, with their handles.
    pub streams: Owners,
    pub statements: Owners,
}

/// Has this process, or one that it was forked from, ever read a result row by row, or had a prepared statement? Most never
/// do, and are spared the look into a table.
static ANY_STREAMS: AtomicBool = AtomicBool::new(false);
static ANY_STATEMENTS: AtomicBool = AtomicBool::new(false);

pub fn any_streams() -> bool {
    ANY_STREAMS.load(Relaxed)
}

pub fn any_statements() -> bool {
    ANY_STATEMENTS.load(Relaxed)
}

impl Default for Handles {
    fn default() -> Self {
        let handles = Registry::default();
        Handles { handles, streams: Owners::new(&ANY_STREAMS), statements: Owners::new(&ANY_STATEMENTS) }
    }
}

impl Handles {
    pub fn of(process: &Process) -> Option<&Self> {
        process.front_end()
    }

    /// As long as it stays, objects of client libraries belong to the handles that they belonged to.
    pub fn epoch(&self) -> u64 {
        // Both only grow.
        self.handles.epoch().wrapping_add(self.statements.epoch())
    }
}

impl FrontEnd for Handles {
    fn waits_for(&self, endpoint: &Endpoint, server: SocketAddr) -> bool {
        self.handles.any(|handle| handle.waits_for(endpoint, server))
    }

    fn claims(&self, endpoint: &Endpoint, generation: u64) -> Option<Claim> {
        let mut most = None;
        self.handles.any(|handle| {
            most = most.max(handle.claims_ids_before(endpoint, generation));
            most == Some(Claim::InCall)
        });
        most
    }

    fn had_at_fork(&self, key: usize, thread: u64, peer: SocketAddr) -> bool {
        self.handles.peek(key).is_some_and(|handle| handle.was_at_fork(thread, peer))
    }
}

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

    /// The number is another one before a handle can be gone: code that remembers its address goes by that.
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
pub struct Owners {
    /// Set by the first.
    any: &'static AtomicBool,
    by_address: Mutex<BTreeMap<usize, Active>>,
    epoch: AtomicU64,
}

impl Owners {
    fn new(any: &'static AtomicBool) -> Self {
        Owners { any, by_address: Mutex::default(), epoch: AtomicU64::new(0) }
    }

    /// Another number means that what was looked up may not be so any more.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Acquire)
    }

    pub fn insert(&self, address: usize, mysql: Active) {
        self.any.store(true, Relaxed);
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
        self.epoch.fetch_add(1, AcqRel);
        outcome
    }
}
