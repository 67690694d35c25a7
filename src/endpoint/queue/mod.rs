//! Who goes when: connects and logins of many threads, and of many processes, that want to one server.

pub mod connects;
pub mod handshakes;
pub mod logins;
pub mod turn;

#[cfg(test)]
mod simulated_tests;
