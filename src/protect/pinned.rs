//! A pinned session whose server fails it: it cannot be moved, so it waits a moment for that server, and is reported lost then.

use std::{net::SocketAddr, time::Duration};

use super::{
    attempts::Attempts,
    ending::Afterwards,
    line::Protected,
    rescue::{FailedStatement, Next},
};
use crate::{
    control::{
        counters::COUNTERS,
        log::{Level::*, say},
    },
    session::reasons::PinReason,
    sql::Statement,
    verdict::{Action, Class, Evidence, Incumbent, Session, verdict},
};

/// A pinned session waits for its own server at most so long, and its statement is tried so often meanwhile.
const BLIP: Duration = Duration::from_secs(1);
const BLIP_TRIES: u32 = 6;

impl dyn Protected + '_ {
    /// `pin`: what the session holds that no other server has.
    pub(super) fn stay_pinned(
        &self,
        failed: &FailedStatement,
        statement: &Statement,
        attempts: &Attempts,
        pin: PinReason,
    ) -> Next {
        let class = Class::of(statement);
        if let Some(server) = self.server_to_wait_for(failed, statement, class, attempts) {
            if attempts.made() == 1 {
                let name = &self.endpoint().name;
                say!(
                    Info,
                    "{name}: {server} refuses a write of a session pinned by {pin}: tried again there for {BLIP:?}"
                );
            }
            if self.waits_for(server, attempts) {
                COUNTERS.reruns.count();
                return Next::Send;
            }
        }
        let session =
            Session { in_transaction: failed.in_transaction, replayable: false, pinned: true, still_open: false };
        match verdict(failed.evidence, class, session, Incumbent::Replaced) {
            Action::PassOn => self.deliver(&failed.original, failed.code, Afterwards::Good),
            action => self.lose_pinned(failed, action, pin),
        }
    }

    /// The session's own server, if that may be read-only for a moment only, and the refused statement may be run again there.
    fn server_to_wait_for(
        &self,
        failed: &FailedStatement,
        statement: &Statement,
        class: Class,
        attempts: &Attempts,
    ) -> Option<SocketAddr> {
        let refused = [failed.evidence, failed.latest].iter().all(|evidence| *evidence == Evidence::ReadOnly);
        // A server may refuse at the end what it has executed: what that left in the session (a user variable, a lock) would be
        // left twice. And an error takes away what the statement before it left.
        let leaves_nothing = statement.session.is_empty() && !statement.uses_previous;
        let may_run_again = refused && class.atomic && !class.commits && leaves_nothing && !failed.gone;
        if !may_run_again || self.recalled().get() || self.endpoint().circuit_open() {
            return None;
        }
        let server = {
            let state = self.state();
            state.peer.filter(|_| state.session.pins_last())
        };
        server.filter(|_| attempts.made() > 1 || !failed.in_transaction || self.transaction_is_open())
    }

    /// Waits as long as no other server is the writer. True: it is time to run the statement again.
    fn waits_for(&self, server: SocketAddr, attempts: &Attempts) -> bool {
        let endpoint = self.endpoint();
        let until = self.now() + BLIP / BLIP_TRIES;
        while endpoint.incumbent() == Some(server) && attempts.time(self.now()) < BLIP {
            let left = until.saturating_duration_since(self.now());
            if left.is_zero() {
                return true;
            }
            if endpoint.wait_for_news(left) {
                self.recalled().set(true);
                return false;
            }
        }
        false
    }
}
