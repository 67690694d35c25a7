//! When the application's own resolver is asked where the endpoint's name leads, besides the watcher.

use std::time::{Duration, Instant};

use super::{Caller, Life, Phase};

/// A watcher that knows the name, and has had no answer for so long since the trouble began, is blind. A resolver waits 5 s for
/// a name server by default.
const BLIND_AFTER: Duration = Duration::from_secs(6);

impl Life {
    /// Is the application's own resolver to be asked now, by a connection that looks for the writer since `began`? It is if
    /// the watcher does not know the name, or has no answer. A connection that has to be dialled goes where getaddrinfo
    /// leads at this moment; and no connection leaves a server that may be writable on the watcher's word alone.
    pub fn asks_resolver(&self, caller: Caller, began: Instant, now: Instant, settle: Duration) -> bool {
        if !self.names.resolver_is_due(now) {
            return false;
        }
        let answered = self.names.watched_at();
        let waited = now.saturating_duration_since(began) >= BLIND_AFTER;
        let blind = !self.names.watcher_knows() || waited && answered.is_none_or(|at| at < began);
        let unfit = self.phase == Phase::Switching;
        match caller {
            // An open connection need not ask what another thread is just asking.
            Caller::Stays if self.names.resolver_is_being_asked(now) => false,
            Caller::Stays => blind && unfit || self.name_has_moved(now, settle),
            Caller::Dials if blind => true,
            Caller::Dials => {
                let old = answered.is_none_or(|at| at < began);
                // A name server that has just failed the watcher would keep this thread waiting as well.
                let failed = self.asked_at > self.answered_at;
                !unfit && (self.leads_elsewhere() || old && !failed)
            }
        }
    }

    /// Was the last answer of the watcher and of getaddrinfo before `began`? Not if a name server has just failed the watcher:
    /// getaddrinfo would keep this thread waiting as well.
    pub fn answer_is_older_than(&self, began: Instant) -> bool {
        self.names.answered_at().is_none_or(|at| at < began) && self.asked_at <= self.answered_at
    }

    /// May getaddrinfo be asked again?
    pub fn resolver_is_due(&self, now: Instant) -> bool {
        self.names.resolver_is_due(now)
    }

    /// getaddrinfo is asked now, whatever it will answer.
    pub fn on_resolver_asked(&mut self, now: Instant) {
        self.names.on_resolver_asked(now);
    }

    /// getaddrinfo has come back, with or without an answer.
    pub fn on_resolver_through(&mut self, now: Instant) {
        self.names.on_resolver_through(now);
    }
}
