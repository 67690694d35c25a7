//! What is done about one statement of the application, whichever front end it came through: looked at before it is sent,
//! judged after it was answered, and run again, replayed or given up when its server fails it.
//!
//! A front end implements [`line::Protected`] for its connections; nothing in here names a type of a client library.

mod arrival;
pub mod attempts;
pub mod connect;
pub mod connection;
mod dialled;
mod ending;
pub mod evict;
pub mod line;
pub mod look;
mod pinned;
pub mod probe;
mod replay;
mod replica;
pub mod rescue;
mod restore;
mod spacing;
pub mod statement;
mod stay;
mod views;
mod writability;
