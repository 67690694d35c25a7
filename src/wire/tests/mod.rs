//! Proofs of the tracker that need no server.

mod asides;
mod kit;
mod logins;
mod oracle;
mod random;
mod recordings;
mod replies;
