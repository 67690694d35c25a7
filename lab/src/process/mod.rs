//! Processes that die with us, what they see, and the waiting for them.

pub(crate) mod child;
pub mod interrupt;
pub(crate) mod sandbox;
pub(crate) mod wait;
