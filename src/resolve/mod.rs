//! The DNS watcher: one thread per process that keeps asking what the protected names mean now.
//!
//! It asks the truth each time, past every cache in this process, in the order in which glibc would (`files dns`,
//! the search list, one name server after the other), and reports each answer to one callback. It must not know what
//! an answer is good for: whether to move is decided elsewhere. It is never given a literal address.
//!
//! From rule to I/O: `cadence` says when, `schedule` which name, `families` what of it, `search` under which full
//! names, `hosts` and `servers` answer, `union` adds up what several servers say, `round` brings them together while
//! questions are in flight, `watcher` is the thread. Between rounds no descriptor is open, and a forked child leaks
//! the whole and starts its own.

pub mod answer;
pub mod cadence;
mod families;
mod hosts;
mod jitter;
mod round;
mod schedule;
mod search;
mod servers;
mod sources;
#[cfg(test)]
mod test_dns;
mod tracked_file;
mod union;
pub mod watcher;

pub use self::answer::{Answer, Failure};
pub use self::cadence::Pace;
pub use self::jitter::Jitter;
pub use self::watcher::{Start, Watcher};
