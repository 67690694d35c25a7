//! The front end for libmysqlclient and libmariadb: handles, their connections replaced in place, their statements.
//!
//! The library logs in again by itself, so every authentication plugin and TLS setting of the application works, and
//! no credential is kept here.

mod account;
mod arrival;
pub mod asynchronous;
mod attempts;
pub mod call;
pub mod connect;
mod dialled;
mod ending;
pub mod handle;
mod inherited;
pub mod layout;
mod look;
mod pinned;
pub mod prepared;
mod probe;
mod reader;
pub mod recent;
pub mod registry;
mod replay;
pub mod rescue;
mod restore;
pub mod results;
pub mod session_calls;
mod spacing;
mod state;
pub mod statement;
mod stay;
mod views;
mod writability;

pub use call::Call;
