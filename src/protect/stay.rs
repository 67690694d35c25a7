//! An open connection to a server that is not the incumbent, or that the name has left out: it may stay there.

use super::{
    line::Protected,
    probe::{self, BorrowedConnection},
};
use crate::endpoint::{
    kept::Stay,
    prober::{Need, Writability},
};

impl dyn Protected + '_ {
    /// Before a statement is sent: the name means other servers, or this connection is open to one of several that it means.
    /// Does it stay where it is? It asks its own server, so that it waits for no other connection, and so that what becomes of
    /// another server does not move it.
    pub(super) fn stays_where_it_is(&self) -> bool {
        let endpoint = self.endpoint();
        let peer = { self.state().peer };
        let Some(peer) = peer else { return false };
        let stays = match endpoint.stay(peer) {
            None => false,
            Some(Stay::Sends) => true,
            Some(Stay::Asks) => match probe::ask_in_time(self, peer) {
                Writability::Writable => {
                    if endpoint.adopt_where_led(peer) {
                        self.learn_spacing();
                    } else {
                        endpoint.on_said_writable(peer);
                    }
                    true
                }
                Writability::ReadOnly | Writability::Unfit | Writability::Lost => {
                    endpoint.on_said_unfit(peer);
                    false
                }
                // No proof of anything: it is asked again a second later.
                Writability::Unclear => true,
            },
            // The last word is with the application's own resolver: it may still name this server.
            Some(Stay::Leaves) => {
                endpoint.ask_resolver_before_leaving(&mut BorrowedConnection::new(self, Need::Reads));
                matches!(endpoint.stay(peer), Some(Stay::Sends | Stay::Asks))
            }
        };
        let pulse = endpoint.pulse();
        if stays && !pulse.unsettled() && !pulse.circuit_open() {
            self.state().pulse = pulse;
        }
        stays
    }
}
