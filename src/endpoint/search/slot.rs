//! Single flight: one thread looks for the writer at a time.

use std::time::Instant;

use crate::endpoint::{Endpoint, State};

/// The right to probe, since when. Given back even if the prober panics, unless another thread has taken it over.
pub(super) struct Slot<'a>(pub &'a Endpoint, pub Instant);

impl Slot<'_> {
    pub fn give_back(self, state: &mut State) {
        if state.probing == Some(self.1) {
            state.probing = None;
        }
        self.0.changed.tell_all();
        std::mem::forget(self);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.probing == Some(self.1) {
            state.probing = None;
        }
        self.0.changed.tell_all();
    }
}
