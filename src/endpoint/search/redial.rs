//! One address, another server: an address whose server says that it is read-only is dialled anew, since new connections may
//! reach another one (a balancer, a service, an address that has moved).

use std::{net::SocketAddr, time::Instant};

use super::{
    Found,
    behind::{Refused, Server},
    prober::{Prober, Writability},
};
use crate::{
    control::{
        config,
        log::{Level::*, say},
    },
    endpoint::{Endpoint, State},
};

impl Endpoint {
    /// A server at `address` has said who it is, and whether it accepts writes.
    pub fn on_server_said(&self, address: SocketAddr, server: Server, said: Writability) {
        let mut state = self.lock();
        let here = state.life.incumbent() == Some(address);
        match said {
            Writability::Writable if !here => state.behind.on_writable_elsewhere(address, server),
            Writability::Writable => {
                if state.behind.on_writable(server, self.now()) {
                    self.leads_to_another_server(&mut state, address);
                }
            }
            Writability::ReadOnly | Writability::Unfit if here => state.behind.on_unfit(server),
            Writability::ReadOnly | Writability::Unfit | Writability::Unclear | Writability::Lost => {}
        }
    }

    /// May a connection to the incumbent's address that was opened at `opened` lead to a server that is not the writer any more?
    pub fn may_lead_to_another(&self, own: Option<Server>, opened: Instant) -> bool {
        self.lock().behind.may_lead_to_another(own, opened)
    }

    /// Did a connection that was opened at `opened`, to `own`, lead to another server than `new`, which has answered at the same
    /// address?
    pub fn is_another(&self, own: Option<Server>, opened: Instant, new: Option<Server>) -> bool {
        self.lock().behind.is_another(own, opened, new)
    }

    /// The incumbent's address was dialled anew, and led to no server that accepts writes.
    pub fn on_redialled_in_vain(&self) {
        self.lock().behind.on_redialled_in_vain(self.now());
    }

    /// The prober's connection is open, and its server accepts no writes: does the address lead to another server, which does?
    /// Then the prober may dial it at once, without waiting for another thread.
    pub(super) fn leads_past_own(&self, state: &State, prober: &dyn Prober) -> Option<Found> {
        let address = state.life.incumbent()?;
        let refused = Self::standing(state, prober);
        let dials = state.behind.leads_past(refused.server)
            && state.behind.may_redial(refused, self.now())
            && !state.life.leads_elsewhere()
            && prober.address() == Some(address);
        dials.then(|| Found { address, generation: state.life.generation(), writable: true, redial: true })
    }

    /// The prober's server has just said that it accepts no writes. Is that no verdict about the address, because it is to be
    /// dialled anew, or because another connection leads to a server that accepts writes?
    pub(super) fn says_nothing_of_the_address(&self, state: &State, prober: &dyn Prober) -> bool {
        let (refused, now) = (Self::standing(state, prober), self.now());
        let served = state.behind.is_served_by_another(refused.server, now);
        !state.life.leads_elsewhere() && (served || state.behind.may_redial(refused, now))
    }

    /// Dials the incumbent's address anew, on which the prober's server has just given `answer`. `None`: that is no verdict about
    /// the address.
    pub(super) fn redial(
        &self,
        prober: &mut dyn Prober,
        incumbent: SocketAddr,
        answer: Writability,
    ) -> Option<Writability> {
        let opened = prober.opened();
        let dials = {
            let mut state = self.lock();
            let refused = Self::standing(&state, prober);
            !state.life.leads_elsewhere() && state.behind.takes_redial(refused, self.now())
        };
        let said = match dials.then(|| prober.dial(incumbent)) {
            Some(Ok(())) => self.ask(prober, incumbent),
            // The connection from before is still there. If the login was refused, its handle waits no longer.
            Some(Err(_)) | None => answer,
        };
        let mut state = self.lock();
        let now = self.now();
        if said == Writability::Writable {
            if prober.server().is_none() && state.behind.on_unknown_writable(opened, now) {
                self.leads_to_another_server(&mut state, incumbent);
            }
            return Some(said);
        }
        if dials {
            state.behind.on_redialled_in_vain(now);
        }
        let served = state.behind.is_served_by_another(prober.server(), now);
        (!served).then_some(said)
    }

    fn standing(state: &State, prober: &dyn Prober) -> Refused {
        Refused {
            server: prober.server(),
            opened: prober.opened(),
            in_transaction: prober.in_transaction(),
            switching_since: state.life.switching_since(),
        }
    }

    /// New connections to the incumbent's address reach another server than old ones, verified writable: a new generation.
    fn leads_to_another_server(&self, state: &mut State, address: SocketAddr) {
        let now = self.now();
        state.life.on_another_server();
        state.moved_at = Some(now);
        state.claims = None;
        say!(Warn, "{}: {address} leads to another server now, verified writable", self.name);
        if state.life.name_has_moved(now, config().settle) {
            self.publish(state);
        } else {
            self.stay_with_incumbent(state);
        }
    }
}
