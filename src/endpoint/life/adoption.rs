//! Who may be adopted as the endpoint's writer. Split brain is the one unforgivable mistake: writable alone is never enough.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{Caller, Life, Phase};

impl Life {
    /// Whether `address`, verified, may become the incumbent. `incumbent_writable` is what the incumbent said last.
    pub fn may_adopt(
        &self,
        address: SocketAddr,
        incumbent_writable: bool,
        caller: Caller,
        now: Instant,
        settle: Duration,
    ) -> bool {
        if Some(address) == self.incumbent {
            return true;
        }
        // Switching: the incumbent itself said, or showed, that it is not the writer. Not having heard of it is no proof.
        let unfit = self.phase == Phase::Switching && !incumbent_writable;
        // Without this library the connection would be opened on a server that is named, whatever the incumbent says. Only
        // a connection that is open would have stayed.
        let led = caller == Caller::Dials && self.may_adopt_led(address);
        // The name has moved for good, even though the old server still accepts writes.
        self.names.leads_to(address.ip()) && (unfit || led || self.name_has_moved(now, settle))
    }

    /// Whether `address`, verified, may become the incumbent because a connect without this library would go there now, and
    /// not to the incumbent.
    pub fn may_adopt_led(&self, address: SocketAddr) -> bool {
        self.leads_elsewhere() && self.names.latest().contains(&address.ip())
    }

    /// Whether a configured candidate, verified, may become the incumbent although DNS does not name it: the incumbent
    /// must have said that it is read-only, or be gone.
    pub fn may_adopt_configured(&self, incumbent_writable: bool) -> bool {
        self.phase == Phase::Switching && !incumbent_writable
    }

    /// Whether green, verified, may become the incumbent although DNS does not name it yet: the topology table must say
    /// that the switchover cannot be cancelled any more.
    pub fn may_adopt_green(&self, irrevocable: bool, incumbent_writable: bool) -> bool {
        self.phase == Phase::Switching && irrevocable && !incumbent_writable
    }
}
