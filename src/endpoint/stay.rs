//! Where the application's name leads its connections, and which open connection may stay where it is.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use super::{
    Endpoint, State,
    life::{Caller, Phase, kept::Stay},
    search::prober::Prober,
};
use crate::control::{
    config,
    log::{Level::*, say},
};

impl Endpoint {
    /// getaddrinfo has led a connect of this process to these addresses: the name means them.
    pub fn on_resolved(&self, addresses: Vec<IpAddr>) {
        if addresses.is_empty() {
            return;
        }
        let mut state = self.lock();
        let before = state.life.phase();
        let now = self.now();
        state.pool.on_answer(&addresses, now);
        if state.life.on_resolved(addresses, now) {
            say!(Debug, "{}: getaddrinfo answers; the name means {:?}", self.name, state.life.named());
            self.name_means_another(&mut state, before);
        }
        self.publish(&state);
    }

    /// A new connection, which getaddrinfo led to `peer`, was found writable there. Becomes the incumbent if the name leads to
    /// `peer` and not to the incumbent: without this library the connection would stay there, too.
    pub fn adopt_where_led(&self, peer: SocketAddr) -> bool {
        let mut state = self.lock();
        if state.life.incumbent() == Some(peer) || !state.life.may_adopt_led(peer) {
            return false;
        }
        self.adopt(&mut state, peer, None);
        true
    }

    /// Is the incumbent where a connection has to be dialled that was lost? Not while the name means other servers: they
    /// are asked first.
    pub fn incumbent_to_dial(&self) -> Option<SocketAddr> {
        let state = self.lock();
        state.life.incumbent().filter(|_| !state.life.leads_elsewhere())
    }

    /// What a connection does that is open to `peer`, which the name has left out; `None`: nothing lets it stay there.
    pub fn stay(&self, peer: SocketAddr) -> Option<Stay> {
        self.lock().life.stay(peer, self.now(), config().settle)
    }

    /// A connection has asked the server `peer`, which it is open to: it accepts writes.
    pub fn on_said_writable(&self, peer: SocketAddr) {
        let mut state = self.lock();
        if state.life.incumbent() == Some(peer) && state.life.phase() == Phase::Suspect {
            self.stay_with_incumbent(&mut state);
        }
    }

    /// A connection has asked the server `peer`, which it is open to: it accepts no writes, or the connection is lost.
    pub fn on_said_unfit(&self, peer: SocketAddr) {
        let mut state = self.lock();
        if state.life.incumbent() == Some(peer) {
            // The search looks into it.
            let generation = state.life.generation();
            state.life.on_failure(generation);
        } else {
            state.life.on_kept_unfit(peer);
            self.publish(&state);
        }
    }

    /// Former incumbents to which no connection is open any more are forgotten.
    pub(super) fn expire_kept(&self) {
        let mut state = self.lock();
        if state.life.expire_kept(self.now(), config().settle) {
            self.publish(&state);
        }
    }

    /// Asks the application's own resolver if that is due, on the thread of the connection that looks for the writer since
    /// `began`.
    pub fn ask_resolver(&self, prober: &mut dyn Prober, caller: Caller, began: Instant) {
        let now = self.now();
        if self.lock().life.asks_resolver(caller, began, now, config().settle) {
            self.resolve(prober, now);
        }
    }

    /// Asks the application's own resolver, once a second at most, before an open connection leaves a server that may be
    /// writable for good.
    pub fn ask_resolver_before_leaving(&self, prober: &mut dyn Prober) {
        let now = self.now();
        if self.lock().life.resolver_is_due(now) {
            self.resolve(prober, now);
        }
    }

    /// Asks the application's own resolver, unless the watcher has had an answer since `began`, or name servers do not answer just
    /// now.
    pub(super) fn ask_resolver_anew(&self, prober: &mut dyn Prober, began: Instant) {
        if self.lock().life.answer_is_older_than(began) {
            self.resolve(prober, self.now());
        }
    }

    /// No lock is held meanwhile, since getaddrinfo may wait for name servers.
    fn resolve(&self, prober: &mut dyn Prober, now: Instant) {
        self.lock().life.on_resolver_asked(now);
        let addresses = prober.resolve();
        self.lock().life.on_resolver_through(self.now());
        self.on_resolved(addresses);
    }

    /// How a connection to `server` stands that looks for the writer.
    pub(super) fn caller_at(state: &State, server: Option<SocketAddr>) -> Caller {
        if server.is_some() && server == state.life.incumbent() { Caller::Stays } else { Caller::Dials }
    }
}
