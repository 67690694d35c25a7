//! A connect of the application to an endpoint: whether its new connection belongs where it leads, and what is done when a connect
//! fails.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::{
    line::{Level, Protected},
    probe::{self, BorrowedConnection},
};
use crate::{
    control::{
        config,
        log::{
            Level::{Debug, Info},
            say,
        },
    },
    endpoint::{
        Endpoint, Role,
        connects::Trouble,
        prober::{Need, Writability},
    },
    host::interruption::Recall,
    verdict::{evidence, failure::Failure},
};

/// Another attempt to connect: to that server, or to where DNS leads.
pub struct Attempt(pub Option<SocketAddr>);

/// When the application itself would give up a connect that began then; `patience`: the time limits that it has set.
pub fn deadline(patience: [Option<Duration>; 2], began: Instant) -> Option<Instant> {
    if config().hold_max_configured {
        return None;
    }
    patience.into_iter().flatten().min().map(|patience| began + patience)
}

/// A connect that has failed.
pub struct Failed<'a> {
    pub failure: &'a Failure,
    pub began: Instant,
    /// The server that it was led to; `None`: it went where the name led it.
    pub to: Option<SocketAddr>,
    /// Where the name led it.
    pub led: Vec<IpAddr>,
    /// When the application gives up.
    pub deadline: Option<Instant>,
}

impl Failed<'_> {
    /// Waits a moment, and says whether the connect is to be tried again. The endpoint has a writer.
    pub fn next_attempt(self, endpoint: &Endpoint, recall: &mut Option<Recall>) -> Option<Attempt> {
        let number = self.failure.number;
        let trouble = match trouble(number, &self.failure.text)? {
            // Of some other server under the name this says nothing of the writer.
            Trouble::GoingAway if self.to.is_none() && !endpoint.is_where_dns_leads() => Trouble::Nobody,
            trouble => trouble,
        };
        if self.to.is_none() {
            endpoint.on_resolved(self.led);
        }
        if self.to.is_none()
            && trouble == Trouble::Nobody
            && let Some(incumbent) =
                endpoint.writer_beside_dns(endpoint.now().saturating_duration_since(self.began) < AT_ONCE)
        {
            // DNS is wrong or silent; the writer may be where it was.
            return Some(Attempt(Some(incumbent)));
        }
        say!(Debug, "{}: a connect failed with error {number}", endpoint.name);
        endpoint.fall_back_on_inheritance();
        let recall = recall.get_or_insert_with(Recall::begins);
        endpoint.connect_may_try_again(trouble, self.deadline, recall).then_some(Attempt(None))
    }
}

impl dyn Protected + '_ {
    /// The connection was just opened, and the application has not seen it yet.
    pub fn is_opened(&self) {
        let endpoint = self.endpoint();
        let defended = || endpoint.has_a_writer() && self.level() != Level::Observe;
        let Some(peer) = ({ self.state().peer }) else { return };
        if endpoint.learns_role() {
            match probe::ask(self) {
                Writability::Writable => {
                    endpoint.seen_writable(peer);
                    self.learn_spacing();
                }
                Writability::ReadOnly if defended() => endpoint.fall_back_on_inheritance(),
                _ => {}
            }
        }
        let pulse = endpoint.pulse();
        let writer = endpoint.role() == Role::Writer;
        if writer && defended() && (!endpoint.on_connect(peer) || pulse.unsettled() || pulse.circuit_open()) {
            // DNS led here, which need not be where the writer is. The application has not seen the handle yet.
            self.redirect();
        } else {
            // What it is opened for may be a statement that would take an id that another transaction claims.
            let waits_for_replays = writer && endpoint.expects_replays();
            if writer && defended() {
                self.learn_spacing();
            }
            let mut state = self.state();
            (state.pulse, state.waits_for_replays) = (pulse, waits_for_replays);
        }
    }

    fn redirect(&self) {
        let endpoint = self.endpoint();
        let pulse = endpoint.pulse();
        let peer = { self.state().peer };
        let here = endpoint.incumbent() == peer;
        // Where getaddrinfo led to a writable server, the connection would stay without this library. The server becomes the
        // incumbent unless the name means the present one too.
        let stays = |peer| {
            probe::ask_in_time(self, peer) == Writability::Writable
                && (endpoint.adopt_where_led(peer) || endpoint.on_connect(peer))
        };
        if !here && peer.is_some_and(stays) {
            self.learn_spacing();
            endpoint.after_replays();
            self.has_come();
            return;
        }
        if pulse.circuit_open() || !here || endpoint.asks_before_sending() {
            let mut lent = BorrowedConnection::new(self, Need::Reads);
            let deadline = deadline([self.connect_patience(), self.read_timeout()], self.now());
            if self.writer(&mut lent, deadline).is_none() {
                say!(Info, "{}: connected without a verified writer", endpoint.name);
                return;
            }
        }
        endpoint.after_replays();
        self.has_come();
    }
}

/// A connect that failed within this was refused, or its name is unknown: another one costs the application nothing.
const AT_ONCE: Duration = Duration::from_millis(500);

/// What a connect's error says; `None`: it is the application's business (access denied, unknown database…).
fn trouble(number: u32, text: &[u8]) -> Option<Trouble> {
    match number {
        // CR_CONNECTION_ERROR, CR_CONN_HOST_ERROR, CR_UNKNOWN_HOST, CR_SERVER_GONE_ERROR, CR_SERVER_LOST,
        // CR_SERVER_LOST_EXTENDED.
        2002 | 2003 | 2005 | 2006 | 2013 | 2055 => Some(Trouble::Nobody),
        _ if evidence::is_cut_handshake(number, text) => Some(Trouble::Nobody),
        // ER_SERVER_SHUTDOWN, ER_SERVER_OFFLINE_MODE.
        1053 | 3032 => Some(Trouble::GoingAway),
        // ER_CON_COUNT_ERROR.
        1040 => Some(Trouble::Refused),
        // ER_ACCOUNT_HAS_BEEN_LOCKED of MySQL and of MariaDB.
        3118 | 4151 => Some(Trouble::Locked),
        _ => None,
    }
}
