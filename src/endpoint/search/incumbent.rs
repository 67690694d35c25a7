//! The search looks at the incumbent: first, as long as the name means it, or when no server that the name means was verified.

use std::{fmt, net::SocketAddr, time::Duration};

use rustix_futex_sync::MutexGuard;

use super::{
    PassOutcome, Search,
    prober::{Prober, Undialled, Writability},
};
use crate::{
    control::log::{Level::*, say},
    endpoint::{
        Endpoint, State,
        life::{Phase, names::RESOLVER_EVERY},
    },
};

/// How often the incumbent is asked again while the prober is busy with a candidate (a login each).
const INCUMBENT_EVERY: Duration = Duration::from_millis(400);
/// No server is asked again at once that took long to give no answer.
const PATIENCE_RATIO: u32 = 2;

/// Why what this connection heard proves nothing of the incumbent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoProof {
    LoginRefused,
    HandshakesSpent,
    ServerIsAlive,
    NoMeans,
}

impl fmt::Display for NoProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoProof::LoginRefused => "this login is refused, others are served",
            NoProof::HandshakesSpent => "its handshakes were given up too often",
            NoProof::ServerIsAlive => "others hear from its server",
            NoProof::NoMeans => "this process has no means for another connection",
        })
    }
}

impl Endpoint {
    /// The name means other servers, and none of them was verified. An incumbent that the name leaves out may be a server that
    /// crashed and came back when another one was the writer. Only a connection that has been open there all the time speaks
    /// against that: another one of this process, or the caller's own, from which the search dialled away. Without one
    /// the caller is held until the name means a server that is writable. Where getaddrinfo and the watcher disagree, a fresh
    /// answer of the watcher decides: one of them is out of date.
    pub(super) fn fall_back_on_incumbent<'a>(
        &'a self,
        prober: &mut dyn Prober,
        incumbent: SocketAddr,
        generation: u64,
        search: &mut Search,
    ) -> (MutexGuard<'a, State>, PassOutcome) {
        let named = self.lock().life.still_names_incumbent(search.began);
        let vouched = named || search.home == Some(incumbent) || prober.others_are_alive_at(incumbent);
        let due = search.ask_incumbent_at.is_none_or(|at| self.now() >= at);
        if vouched && due {
            return match self.ask_incumbent(prober, incumbent, generation, false, search) {
                Ok(_) => (self.lock(), PassOutcome::Done),
                Err(end) => end,
            };
        }
        let mut state = self.lock();
        if !vouched && state.life.generation() == generation && state.life.leaves_out_incumbent() {
            self.unfit(&mut state, incumbent, "is left out by DNS, and no connection to it is left");
        }
        (state, PassOutcome::Done)
    }

    /// Asks the incumbent: whether it is writable, and whether it could not be reached. `Err`: the look ends with that.
    pub(super) fn ask_incumbent<'a>(
        &'a self,
        prober: &mut dyn Prober,
        incumbent: SocketAddr,
        generation: u64,
        moved_away: bool,
        search: &mut Search,
    ) -> Result<(bool, Option<SocketAddr>), (MutexGuard<'a, State>, PassOutcome)> {
        let began = self.now();
        let open_since = (prober.address() == Some(incumbent)).then(|| prober.opened());
        // A lost connection goes where the name leads now: the incumbent may have come back after the name has moved.
        let may_have_moved = open_since.is_none() && search.home != Some(incumbent) && {
            let state = self.lock();
            // A search asks what the name means as it begins.
            let long = began.saturating_duration_since(search.began) >= RESOLVER_EVERY;
            (long || state.life.phase() == Phase::Switching) && !state.life.leads_elsewhere()
        };
        let mut answer = self.try_server(prober, incumbent);
        // It seemed to be open, and had ended: it was dialled anew, as a lost one.
        let was_lost = answer.is_ok() && open_since.is_some_and(|since| since != prober.opened());
        if let Ok(said @ (Writability::ReadOnly | Writability::Unfit)) = answer
            && open_since == Some(prober.opened())
        {
            match self.redial(prober, incumbent, said) {
                Some(said) => answer = Ok(said),
                None => return Err((self.lock(), PassOutcome::Done)),
            }
        }
        if answer == Ok(Writability::Writable) && (may_have_moved || was_lost) {
            self.ask_resolver_anew(prober, began);
        }
        let now = self.now();
        let took = now.saturating_duration_since(began);
        search.ask_incumbent_at = Some(now + INCUMBENT_EVERY.max(took * PATIENCE_RATIO));
        let switching = self.is_switching();
        let no_proof = match &answer {
            Ok(answer) => (*answer == Writability::Unclear).then_some(NoProof::LoginRefused),
            Err(Undialled::Refused(_)) => Some(NoProof::LoginRefused),
            Err(Undialled::Spent) => Some(NoProof::HandshakesSpent),
            // What was known of it before stays true.
            Err(Undialled::NotNow(_) | Undialled::Unreachable(_)) if switching => None,
            Err(Undialled::NotNow(_)) => prober.others_are_alive_at(incumbent).then_some(NoProof::LoginRefused),
            Err(Undialled::Unreachable(_)) => {
                self.around.traffic(self, incumbent).alive().then_some(NoProof::ServerIsAlive)
            }
            Err(Undialled::NotTried(_)) => Some(NoProof::NoMeans),
        };
        let mut state = self.lock();
        if state.life.generation() != generation {
            // This look took long, and another thread has found a writer meanwhile.
            return Err((state, PassOutcome::Done));
        }
        if let Some(why) = no_proof {
            return Err((state, PassOutcome::NoAnswer(why)));
        }
        if matches!(answer, Err(Undialled::Unreachable(_))) {
            search.home = None;
        }
        if answer.is_ok() && state.life.leads_elsewhere() && prober.has_restarted() {
            answer = Err(Undialled::Unreachable("it has restarted, and DNS leaves it out".to_owned()));
        }
        let writable = answer == Ok(Writability::Writable);
        if was_lost {
            search.home = None;
        }
        if writable && (may_have_moved || was_lost) && state.life.leads_elsewhere() {
            // The next look asks the servers that the name means first.
            search.led_away = true;
            return Err((state, PassOutcome::Done));
        }
        if writable && !moved_away {
            if state.life.phase() == Phase::Switching {
                say!(Warn, "{}: {incumbent} accepts writes again", self.name);
            }
            self.stay_with_incumbent(&mut state);
            return Err((state, PassOutcome::Done));
        }
        let unreached = answer.is_err().then_some(incumbent);
        if !writable {
            let why = if answer == Ok(Writability::Unfit) { Some(not_ready()) } else { answer.err() };
            self.incumbent_unfit(&mut state, incumbent, why);
        }
        Ok((writable, unreached))
    }
}

/// What is said of a server that answers and serves no account.
fn not_ready() -> Undialled {
    Undialled::NotNow("it is offline, or has lost its cluster".to_owned())
}
