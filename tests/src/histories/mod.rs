//! What a session lives through, and whether a move showed.

pub mod comparison;
pub mod grammar;
pub mod phrases;
pub mod reasons;
pub mod states;
pub mod twins;
