//! Follows one connection of a MySQL or MariaDB client, as its socket sees it: bytes in, [`Event`]s out.
//!
//! Sans I/O: the caller feeds what the driver sent and what the driver received, cut anywhere, and acts on the events.
//! The tracker changes no byte, allocates only where a packet that matters was cut or commands are pipelined, and holds
//! at most [`MEMORY`] bytes. Rows are passed over, never kept. What the tracker does not understand for certain makes
//! it step aside for good ([`Aside`]): from then on it knows nothing of the connection.
//!
//! | file | idea |
//! |---|---|
//! | `tracker` | the whole: which side may speak, what is under way, is the connection idle |
//! | `packets` | frames of a byte stream put together to packets, of which only a head is kept |
//! | `greeting`, `login` | the first packet of each side |
//! | `commands` | which commands there are, and in what shape each is answered; the queue of unanswered ones |
//! | `replies` | one command's reply, packet by packet, to its end |
//! | `endings` | the packets OK, EOF and ERR |
//! | `attributes` | where the text of a query with attributes begins |
//! | `capabilities`, `status` | the two sets of flags that decide how packets are read |
//! | `fields` | numbers and texts inside a packet |
//! | `events`, `aside` | what the caller is told |
//!
//! Only std is imported, so that the tests' package and the fuzzer can compile the directory as a module of their own.
//! The crate `mysql_common` is not used: its types want whole packets in memory and own copies of them, it has neither
//! framing that streams nor a machine of commands and replies, and what would remain, some thirty constants and five
//! packets to be read, does not outweigh 29 more crates and 30 KB in a library that is preloaded into every process.

#![forbid(unsafe_code)]

mod aside;
mod attributes;
mod capabilities;
mod commands;
mod endings;
mod events;
mod fields;
mod greeting;
mod login;
mod packets;
mod replies;
mod status;
mod tracker;

pub use aside::Aside;
pub use capabilities::Capabilities;
pub use commands::Command;
pub use endings::{Done, ServerError};
pub use events::{End, Event, FirstReply, Sent, Text};
pub use greeting::Greeting;
pub use login::Login;
pub use status::Status;
pub use tracker::{MEMORY, Tracker};
