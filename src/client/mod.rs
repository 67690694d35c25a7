//! The front end for libmysqlclient and libmariadb: handles, their connections replaced in place, their statements.
//!
//! The library logs in again by itself, so every authentication plugin and TLS setting of the application works, and
//! no credential is kept here.

mod account;
pub mod asynchronous;
pub mod call;
pub mod connect;
pub mod handle;
mod inherited;
pub mod layout;
mod line;
pub mod prepared;
pub mod recent;
pub mod registry;
pub mod results;
pub mod session_calls;
mod state;
pub mod text;

pub use call::Call;
