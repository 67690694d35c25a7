//! Pointsman keeps every MySQL connection of an unchanged process on the server that its host name *means*.
//!
//! The map of the rooms: a call enters through a door ([`doors`]), the socket's tag leads to its [`endpoint`],
//! the [`session`] says what can be rebuilt, the statement is sent, its evidence and its [`sql`] class go into the
//! [`verdict`], and the front end ([`client`]) carries the action out. [`resolve`] watches DNS, [`control`] holds
//! configuration, log and counters, [`abi`] is the C interface. [`wire`] is to become a second front end.

pub mod abi;
pub mod client;
pub mod control;
pub mod doors;
pub mod endpoint;
pub mod guard;
pub mod host;
pub mod process;
pub mod protect;
pub mod resolve;
pub mod session;
#[cfg(test)]
mod simulation;
pub mod sql;
pub mod verdict;
pub mod wire;
