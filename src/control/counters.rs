//! What the library did in this process, counted. Plain atomics: any thread, any moment, no lock. Knows nothing of
//! who reads them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts one.
    pub fn count(&self) {
        self.add(1);
    }

    /// Counts `amount` at once.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The process's counters; [`COUNTERS`] is the only one that matters outside tests.
        #[derive(Debug)]
        pub struct Counters { $($(#[$doc])* pub $name: Counter,)* }

        /// All counters as they were at one moment (each by itself; they are not read as one).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Snapshot { $($(#[$doc])* pub $name: u64,)* }

        impl Counters {
            /// All at zero.
            #[allow(clippy::new_without_default, reason = "const is the point: this is for statics")]
            pub const fn new() -> Self {
                Self { $($name: Counter::new(),)* }
            }

            pub fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.get(),)* }
            }

            /// Back to zero: a forked child counts its own deeds.
            pub fn reset_in_child(&self) {
                $(self.$name.0.store(0, Relaxed);)*
            }
        }

        impl Snapshot {
            /// Name and value of each counter, in the order of the declaration.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Connections that got a tag.
    protected_connections,
    /// Connections left alone: a literal address, a Unix socket, not configured, switched off.
    passed_through,
    /// Times an endpoint became suspect.
    suspects,
    /// Statements and connects that waited for a writer.
    holds,
    /// Milliseconds that they waited, summed up.
    held_ms,
    /// Handles moved to another server.
    moves,
    /// Single statements run again.
    reruns,
    /// Transactions replayed.
    replays,
    /// Transactions that could not be replayed.
    victims,
    /// Errors that the application saw because nothing better was safe.
    surfaced,
    /// Times a waiter was let go with its original error because `hold_max` was over.
    failed_open,
    /// Moves refused because the session holds what cannot be rebuilt.
    pinned,
    /// DNS answers received by the watcher.
    dns_answers,
    /// Lookups of the watcher that failed.
    dns_failures,
    /// Log lines that the log did not take.
    log_lines_dropped,
}

/// The counters of this process.
pub static COUNTERS: Counters = Counters::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_holds_every_counter_under_its_name() {
        let counters = Counters::new();
        counters.moves.count();
        counters.held_ms.add(250);
        let snapshot = counters.snapshot();
        assert_eq!((snapshot.moves, snapshot.held_ms, snapshot.holds), (1, 250, 0));
        assert!(snapshot.named().any(|named| named == ("held_ms", 250)));
    }

    #[test]
    fn a_child_begins_at_zero() {
        let counters = Counters::new();
        counters.suspects.count();
        counters.reset_in_child();
        assert_eq!(counters.snapshot(), Snapshot::default());
    }
}
