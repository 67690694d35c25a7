//! What stands between an application and its server.

pub mod proxy;
pub mod recorder;
pub mod relay;
pub mod slow;
