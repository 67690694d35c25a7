//! Everything that touches a foreign structure or calls a foreign function. The only room of `client/` with `unsafe`.

pub mod calibration;
mod generated;
pub mod library;
pub mod native;
mod parameters;
pub mod reconnect;
mod statement_layout;
pub mod statements;
pub mod sys;
pub mod transplant;
