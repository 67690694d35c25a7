//! A handle is brought to where the writer is: found, dialled, and waited for where it has no room.

use std::time::{Duration, Instant};

use super::{line::Protected, probe::BorrowedConnection, restore::restore, statement::Rules};
use crate::{
    control::{
        config,
        log::{Level::*, say},
    },
    endpoint::{
        prober::{Need, Prober, Undialled, Writability},
        search::Found,
    },
    verdict::failure::Failure,
};

/// How often a verified writer may not be reached, or have no room, before the search is given up.
const DIALS: u32 = 5;
/// Before a server that has no room for this login is asked again.
const FULL: Duration = Duration::from_secs(1);

impl dyn Protected + '_ {
    /// Finds the writer and sees to it that this handle is connected to it.
    pub fn writer(&self, lent: &mut BorrowedConnection<'_>, deadline: Option<Instant>) -> Option<Found> {
        let endpoint = self.endpoint();
        if self.recalled().get() {
            return None;
        }
        let longest = self.now() + config().hold_max;
        let mut dials = 0;
        while dials < DIALS && self.now() < longest {
            let found = endpoint.find_writer(lent, deadline)?;
            dials += u32::from(found.writable);
            if lent.address() == Some(found.address) && !found.redial {
                return Some(found);
            }
            match lent.dial_in_turn(found.address, deadline) {
                Ok(()) if !found.redial || endpoint.ask(lent, found.address) == Writability::Writable => {
                    return Some(found);
                }
                Ok(()) => endpoint.on_redialled_in_vain(),
                // No other attempt of this login would be answered otherwise.
                Err(Undialled::Refused(_) | Undialled::Spent) => return None,
                // Only for as long as there is no writer: it is looked for on.
                Err(why @ (Undialled::NotNow(_) | Undialled::Unreachable(_))) if !found.writable => {
                    say!(Info, "{}: {} {why}", endpoint.name, found.address);
                    endpoint.on_found_in_vain(found.address, matches!(why, Undialled::Unreachable(_)));
                }
                Err(why @ Undialled::NotNow(_)) => {
                    say!(Info, "{}: {} {why}", endpoint.name, found.address);
                    let left = deadline.map_or(FULL, |deadline| deadline.saturating_duration_since(self.now()));
                    if left.is_zero() {
                        return None;
                    }
                    if endpoint.wait_for_news(left.min(FULL)) {
                        self.recalled().set(true);
                        return None;
                    }
                }
                Err(why) => {
                    say!(Info, "{}: {} {why}", endpoint.name, found.address);
                    endpoint.suspect(found.generation);
                }
            }
        }
        None
    }

    /// The connection has come to where the writer was found: its next statement is sent without a close look, unless the writer is
    /// another one by now. (Another thread may have found that while this one logged in.)
    pub(super) fn has_come(&self) {
        let endpoint = self.endpoint();
        let pulse = endpoint.pulse();
        let incumbent = endpoint.incumbent();
        let mut state = self.state();
        if state.peer == incumbent {
            state.pulse = pulse;
        }
    }

    /// Has the writer, or the server that may become it, refused this login, or is there no room for it? Then the connection
    /// is of no more use, since the server that it is connected to is not the writer: the application has to log in anew.
    pub(super) fn is_turned_away(&self, lent: &BorrowedConnection<'_>) -> bool {
        let Some((server, why)) = lent.refusal() else { return false };
        say!(Info, "{}: {server} {why}; the connection is reported lost", self.endpoint().name);
        true
    }

    /// A write was refused on an endpoint that was never seen writable: a genuine replica, or a process that started
    /// in the middle of a switchover. If DNS leads elsewhere by now, that server is asked, once; nothing is held.
    pub(super) fn look_where_dns_leads(&self, original: &Failure) {
        let endpoint = self.endpoint();
        let peer = self.state().peer;
        if self.in_transaction() || self.state().session.pinned().is_some() {
            return;
        }
        let mut lent = BorrowedConnection::new(self, Need::Writer);
        // What getaddrinfo said at the connect may be out of date, and the watcher may not know the name.
        endpoint.ask_resolver_before_leaving(&mut lent);
        let elsewhere = endpoint.named_other_than(peer);
        let Some(elsewhere) = elsewhere.filter(|server| self.state().dns_checked.replace(*server) != Some(*server))
        else {
            return self.set_failure(original);
        };
        if lent.dial(elsewhere).is_ok() {
            let writable = lent.ask() == Writability::Writable;
            if restore(self).is_err() {
                self.condemn();
            } else if writable {
                endpoint.seen_writable(elsewhere);
                self.has_come();
            }
        }
        self.set_failure(original);
    }
}
