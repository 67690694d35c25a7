//! What stands between an application and its server.

pub mod proxy;
pub mod relay;
pub mod slow;
