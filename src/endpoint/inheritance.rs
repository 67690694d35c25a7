//! What a forked child takes over from its parent: where the writer was. It counts only if the child finds no writer where
//! DNS leads.

use std::{net::SocketAddr, sync::atomic::Ordering::*};

use super::{Endpoint, Role};
use crate::control::log::{Level::*, say};

impl Endpoint {
    /// The process that forked this one knew where its writer was.
    pub fn inheriting(self, writer: Option<SocketAddr>) -> Self {
        let inherited = writer.filter(|_| self.role() == Role::Unknown);
        Endpoint { inherited, ..self }
    }

    /// Worth waiting for: there is a writer, or there was one when this process was forked.
    pub fn has_a_writer(&self) -> bool {
        self.role() == Role::Writer || self.inherited.is_some()
    }

    /// This process found no writer where DNS led, but was forked from one that knew one: then a switchover is under way,
    /// or the one before is not over in DNS.
    pub fn fall_back_on_inheritance(&self) {
        let Some(inherited) = self.inherited.filter(|_| self.role() == Role::Unknown) else { return };
        let mut state = self.lock();
        if state.life.incumbent().is_none() {
            state.life.inherit(inherited);
            self.role.store(Role::Writer as u8, Release);
            self.publish(&state);
            say!(Info, "{}: protected, writer was {inherited} when this process was forked", self.name);
        }
    }

    /// Read in a child, of its parent's: a lock that was held at that moment will never be free.
    pub fn writer_at_fork(&self) -> Option<SocketAddr> {
        let state = self.state.try_lock()?;
        state.life.incumbent().or(self.inherited)
    }
}
