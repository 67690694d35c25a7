//! Connections that a forked child has inherited: they are the parent's, who goes on using them. What the child does on
//! them passes through; but when it closes a handle (many do so without knowing, as they end or collect garbage), the
//! library would say goodbye to the server in the parent's name.

use super::{Call, layout::native::Active};
use crate::{
    control::{config, option::Mode},
    guard::{self, decide},
    host::ending,
    process::current,
};

/// The child is about to close this handle: if it is its parent's, and the parent lives, the descriptor is made to lead
/// nowhere, in the child, where no other thread has it.
pub fn spare_the_parent(call: Call, mysql: Active) {
    let Some(parents) = current::parents() else { return };
    if call.nested() || guard::ourselves() || config().mode == Mode::Observe {
        return;
    }
    decide(|| {
        let Some(native) = call.native(mysql) else { return };
        let Some(peer) = native.peer() else { return };
        if parents.had_at_fork(mysql.key(), native.thread_id(), peer) && parents.is_alive() {
            ending::lead_nowhere(native.fd());
        }
    });
}
