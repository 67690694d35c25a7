//! The front end for drivers that speak the protocol themselves, on a socket of their own (PHP, Java, Node, PyMySQL…).
//!
//! So far it has [`protocol`] only, which follows one connection without touching it. Nothing uses it yet.

pub mod protocol;
#[cfg(test)]
mod tests;
