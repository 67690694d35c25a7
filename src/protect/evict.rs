//! What is done about a connection in whose calls nothing may wait: errors reach the application as they are, and a connection that
//! has to be left is reported lost, before a statement is sent.

use super::{
    connection::Pending,
    line::{Level, Protected},
    statement::Rules,
};
use crate::{
    control::{
        counters::COUNTERS,
        log::{Level::Warn, say},
    },
    endpoint::Role,
    sql::Statement,
    verdict::{Evidence, evidence},
};

impl dyn Protected + '_ {
    /// Is this not the server that the statement should go to? It cannot wait for the other one here.
    pub fn has_to_be_left(&self, statement: &Statement) -> bool {
        let endpoint = self.endpoint();
        if self.level() == Level::Observe || !self.idle() {
            return false;
        }
        if self.state().session.misses(statement, self.warning_count()) {
            return true;
        }
        if endpoint.role() != Role::Writer {
            return false;
        }
        let pulse = endpoint.pulse();
        let known = !pulse.unsettled() && !pulse.circuit_open();
        let here = endpoint.incumbent() == self.state().peer;
        let pinned = self.in_transaction() || statement.uses_previous || self.state().session.pinned().is_some();
        let (refused, server, since) = {
            let state = self.state();
            (state.refused, state.server, state.since)
        };
        let over = refused && known && here && !endpoint.may_lead_to_another(server, since);
        let mut state = self.state();
        state.refused &= !over;
        state.refused || known && !here && !pinned
    }

    /// The server or the connection failed, and the application is being told. What was open there is gone, or cannot
    /// be taken along.
    pub fn was_told(&self, evidence: Evidence) {
        let endpoint = self.endpoint();
        self.state().result = Pending::None;
        if self.level() == Level::Observe {
            return;
        }
        if evidence == Evidence::ReadOnly {
            endpoint.fall_back_on_inheritance();
        }
        let writer = endpoint.role() == Role::Writer;
        if writer {
            COUNTERS.surfaced.count();
            say!(
                Warn,
                "{}: error {} reaches the application: nothing waits or runs again inside an asynchronous call",
                endpoint.name,
                self.failure().number
            );
            let generation = self.state().pulse.generation();
            endpoint.suspect(generation);
        }
        let ended = evidence::ends_connection(evidence);
        if self.in_transaction() && (ended || writer) {
            let told = self.failure();
            self.condemn();
            self.set_failure(&told);
        }
        self.state().refused = writer && !ended;
    }
}
