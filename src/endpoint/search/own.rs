//! A thread whose own connection to the incumbent is open asks on that connection. It does not wait for another thread,
//! whose connection may be in trouble of its own.

use super::{
    Found,
    prober::{Prober, Writability},
};
use crate::{
    control::{
        config,
        log::{Level::*, say},
    },
    endpoint::{Endpoint, life::Phase},
};

impl Endpoint {
    /// What the prober's own connection says of a doubted incumbent. `None`: it decides nothing, a writer has to be looked for.
    pub(super) fn own_connection_vouches(&self, prober: &mut dyn Prober) -> Option<Found> {
        let (incumbent, generation) = {
            let state = self.lock();
            let life = &state.life;
            let doubted = match life.phase() {
                Phase::Steady => false,
                Phase::Suspect => true,
                // Another thread could not reach it, or was told by its server, which need not be this connection's.
                Phase::Switching => !state.meanwhile.read_only || !state.behind.is_unfit(prober.server()),
            };
            let asked = doubted && !life.circuit_open() && !life.name_has_moved(self.now(), config().settle);
            (life.incumbent().filter(|_| asked)?, life.generation())
        };
        if prober.address() != Some(incumbent) {
            return None;
        }
        let answer = self.ask(prober, incumbent);
        let mut state = self.lock();
        if state.life.generation() != generation {
            return None;
        }
        match answer {
            Writability::Writable => {
                if state.life.phase() == Phase::Switching {
                    say!(Warn, "{}: {incumbent} accepts writes again", self.name);
                }
                self.stay_with_incumbent(&mut state);
                Some(Found { address: incumbent, generation, writable: true, redial: false })
            }
            Writability::ReadOnly => {
                if !self.says_nothing_of_the_address(&state, prober) {
                    self.incumbent_unfit(&mut state, incumbent, None);
                }
                None
            }
            Writability::Unfit | Writability::Unclear | Writability::Lost => None,
        }
    }
}
