//! What an endpoint knows of its Blue/Green deployment: when to ask the table, and where green is.

use std::{net::IpAddr, sync::atomic::Ordering::*};

use super::topology::{self, Topology};
use crate::{
    control::log::{Level::*, say},
    endpoint::{Endpoint, life::Phase},
};

impl Endpoint {
    /// True for one caller each time the topology table is to be asked again, on a connection that is idle anyway.
    pub fn topology_is_due(&self) -> bool {
        let now = self.around.about_now();
        let at = self.topology_at.load(Relaxed);
        let next = now + topology::AVAILABLE_EVERY.as_millis() as u64;
        if now < at {
            self.topology_due.store(false, Relaxed);
            return false;
        }
        self.topology_at.compare_exchange(at, next, Relaxed, Relaxed).is_ok()
    }

    /// From time to time, on the watcher's thread.
    pub fn look_at_the_clock(&self) {
        self.expire_kept();
        if self.around.about_now() >= self.topology_at.load(Relaxed) {
            self.topology_due.store(true, Relaxed);
        }
    }

    /// What the table said; `None`: it is empty, missing, or not ours to read.
    pub fn on_topology(&self, topology: Option<Topology>) {
        let mut state = self.lock();
        let now = self.now();
        match &topology {
            Some(topology) if topology.moving => state.deployment.moving_at = Some(now),
            // The switchover was cancelled.
            Some(topology) if !topology.irrevocable => state.deployment.moving_at = None,
            Some(_) | None => {}
        }
        // While names are swapped the table may be empty: what was known before stays true.
        let is_gap = topology.is_none() && state.deployment.was_moving_within(topology::MOVED_WITHIN, now);
        let every = match &topology {
            None if is_gap => topology::AVAILABLE_EVERY,
            None => topology::UNKNOWN_EVERY,
            Some(topology) if topology.moving => topology::MOVING_EVERY,
            Some(_) => topology::AVAILABLE_EVERY,
        };
        self.topology_at.store(self.around.about_now() + every.as_millis() as u64, Relaxed);
        if is_gap {
            return;
        }
        // Once the names are swapped, the table's green is our own name; where green is was learnt before.
        if let Some(topology) = &topology
            && topology.target.0 != self.name.host
        {
            self.seek_host(&topology.target.0);
            self.around.watch(self, self.wanted());
        }
        if state.deployment.topology == topology {
            return;
        }
        match &topology {
            Some(topology) => say!(Info, "{}: rds_topology: {topology}", self.name),
            None => say!(Info, "{}: rds_topology has no deployment any more", self.name),
        }
        if topology.is_none() && state.life.phase() == Phase::Steady {
            state.deployment.addresses = Vec::new();
        }
        state.deployment.topology = topology;
    }

    /// DNS answered for some name, perhaps that of the deployment's green.
    pub fn on_green_answer(&self, host: &str, addresses: &[IpAddr]) {
        let mut state = self.lock();
        let green = state.deployment.topology.as_ref().map(|topology| topology.target.0.as_str());
        if green == Some(host) && host != self.name.host {
            state.deployment.addresses = addresses.to_vec();
        }
    }
}
