//! A guest's connection as the search for the writer borrows it.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::{
    attempts::Attempts,
    connection::Pending,
    dialled,
    line::{Answer, Protected},
    statement::Rules,
    writability,
};
use crate::{
    control::{
        config,
        counters::COUNTERS,
        log::{Level::*, say},
    },
    endpoint::{
        Pulse,
        behind::Server,
        logins::Attempt,
        prober::{ANSWER_WITHIN, Need, Prober, Refusal, Undialled, Whose, Writability},
        topology::{self, Topology},
    },
};

/// Remembers whether the connection was replaced while it was lent, so that its session is restored afterwards.
pub struct BorrowedConnection<'a> {
    guest: &'a dyn Protected,
    /// The connection was replaced: the session on it is a fresh one.
    pub fresh: bool,
    /// After a reconnect to the same server, its connection ids began anew.
    pub restarted: bool,
    /// What the application is about to do with it.
    need: Need,
    /// Which server refused its login, and how.
    refused: Option<(SocketAddr, Undialled)>,
    /// Where it led when it was lent.
    origin: Origin,
}

struct Origin {
    address: Option<SocketAddr>,
    server: Option<Server>,
    /// The server's id of the connection.
    thread: u64,
    since: Instant,
}

impl<'a> BorrowedConnection<'a> {
    pub fn new(guest: &'a dyn Protected, need: Need) -> Self {
        let origin = {
            let state = guest.state();
            Origin { address: state.peer, server: state.server, thread: guest.thread_id(), since: state.since }
        };
        BorrowedConnection { guest, fresh: false, restarted: false, need, refused: None, origin }
    }

    /// Which server refused its login, or has no room for it, and how.
    pub fn refusal(&self) -> Option<&(SocketAddr, Undialled)> {
        self.refused.as_ref()
    }

    /// Was the connection replaced by one to another server behind the same address?
    pub fn is_on_another_server(&self) -> bool {
        let here = || {
            let state = self.guest.state();
            (state.peer, state.server)
        };
        let Origin { address, server: own, since, .. } = self.origin;
        if !self.fresh || here().0 != address {
            return false;
        }
        if own.is_some() && here().1.is_none() {
            // The new server has not been asked yet who it is.
            ask(self.guest);
        }
        self.guest.endpoint().is_another(own, since, here().1)
    }

    /// As `dial`, after others that want to log in too: the search's own logins go before.
    pub fn dial_in_turn(&mut self, to: SocketAddr, deadline: Option<Instant>) -> Result<(), Undialled> {
        let _turn = self.guest.endpoint().handshake(deadline);
        self.dial(to)
    }
}

impl Prober for BorrowedConnection<'_> {
    fn address(&self) -> Option<SocketAddr> {
        if self.guest.hung_up() { None } else { self.guest.state().peer }
    }

    fn server(&self) -> Option<Server> {
        self.guest.state().server
    }

    fn opened(&self) -> Instant {
        self.guest.state().since
    }

    fn in_transaction(&self) -> bool {
        self.guest.in_transaction()
    }

    fn fd(&self) -> i32 {
        self.guest.fd()
    }

    fn others_are_alive_at(&self, server: SocketAddr) -> bool {
        self.guest.others_are_alive_at(server)
    }

    fn need(&self) -> Need {
        self.need
    }

    fn is_refused(&self) -> bool {
        matches!(self.refused, Some((_, Undialled::Refused(_) | Undialled::Spent)))
    }

    fn dial(&mut self, to: SocketAddr) -> Result<(), Undialled> {
        let is_open_there = self.address() == Some(to);
        let longest = self.guest.now() + config().hold_max;
        let until = self.guest.deadline(&mut Attempts::default()).map_or(longest, |deadline| longest.min(deadline));
        let attempt = self.guest.endpoint().may_log_in(to, self.guest.login(), until);
        let outcome = attempt.and_then(|mut attempt| {
            let outcome = self.log_in(to, until, &mut attempt);
            attempt.ends(&outcome);
            if let Err(why @ Undialled::Refused(_)) = &outcome {
                let all = matches!(why, Undialled::Refused(Refusal { whose: Whose::Account, .. }));
                let rest = if all { ": not tried again there with this login" } else { "" };
                say!(Warn, "{}: {to} {why}{rest}", self.guest.endpoint().name);
            }
            outcome
        });
        let outcome = outcome.map_err(|why| match why {
            // The application's connection there is of use still. That a server is going away shows by TLS that fails, too.
            Undialled::Refused(Refusal { whose: Whose::Handle, why, .. }) if is_open_there => Undialled::NotNow(why),
            why @ Undialled::Spent if is_open_there => Undialled::NotNow(why.to_string()),
            why => why,
        });
        self.refused = match &outcome {
            // Its connection to that address is still open.
            Err(Undialled::NotNow(_)) if is_open_there => self.refused.take(),
            Err(why @ (Undialled::Refused(_) | Undialled::Spent | Undialled::NotNow(_))) => Some((to, why.clone())),
            Err(_) => self.refused.take(),
            Ok(()) => None,
        };
        outcome
    }

    fn resolve(&mut self) -> Vec<IpAddr> {
        self.guest.resolve()
    }

    fn has_restarted(&self) -> bool {
        self.restarted
    }

    fn read_topology(&mut self) -> Option<Topology> {
        read_topology(self.guest)
    }

    fn ask(&mut self) -> Writability {
        ask(self.guest)
    }

    fn on_recall(&mut self) {
        self.guest.recalled().set(true);
    }
}

impl BorrowedConnection<'_> {
    fn log_in(&mut self, to: SocketAddr, until: Instant, attempt: &mut Attempt) -> Result<(), Undialled> {
        let guest = self.guest;
        let thread = guest.thread_id();
        let question = guest.endpoint().logging_in(to, guest.connect_patience());
        if !self.fresh {
            guest.is_about_to_leave();
            guest.keep_increment();
        }
        let outcome = guest.log_in(to, question.id, until.saturating_duration_since(guest.now()));
        drop(question);
        // A login that succeeded and was lost right after has replaced the session all the same.
        if outcome.is_ok() || guest.thread_id() != thread {
            COUNTERS.moves.count();
            self.fresh = true;
            guest.has_arrived();
            let mut state = guest.state();
            state.peer = Some(to);
            state.server = None;
            state.sent = None;
            state.result = Pending::None;
            state.refused = false;
            // Not in order before the session was restored.
            state.pulse = Pulse::default();
        }
        outcome.map_err(|failure| {
            if dialled::was_accepted(failure.number) {
                attempt.was_accepted();
            }
            dialled::why(failure.number, &failure.text, guest.has_means())
        })?;
        guest.state().since = guest.now();
        let id = guest.thread_id();
        if self.origin.address == Some(to) && !self.restarted {
            // Connection ids only grow while a server runs (MySQL manual, CONNECTION_ID()); after a busy start they may
            // have grown past ours, so it is asked how long it has been up.
            let age = guest.now().saturating_duration_since(self.origin.since);
            self.restarted = id < self.origin.thread || uptime(guest).is_some_and(|up| up + UPTIME_STEP < age);
        }
        Ok(())
    }
}

impl dyn Protected + '_ {
    /// Asks something of the library's own, of which the session learns nothing. Without autocommit a client library believes that
    /// any result set opens a transaction; a question does not.
    pub fn asks<T>(&self, question: impl FnOnce() -> T) -> T {
        let in_transaction = self.status_in_transaction();
        self.state().session.on_question();
        let answer = question();
        if !in_transaction {
            self.clear_status_in_transaction();
        }
        answer
    }
}

/// `Uptime` is in whole seconds.
const UPTIME_STEP: Duration = Duration::from_secs(1);

/// How long the connected server has been up (MySQL manual, "Server Status Variables").
fn uptime(guest: &dyn Protected) -> Option<Duration> {
    match guest.query(b"SHOW GLOBAL STATUS LIKE 'Uptime'") {
        Ok(Answer::Rows(rows)) => {
            let seconds = rows.first()?.get(1)?.as_deref()?;
            Some(Duration::from_secs(std::str::from_utf8(seconds).ok()?.parse().ok()?))
        }
        _ => None,
    }
}

/// Asks the connected server's topology table. An error (no such table, no such column, not ours to read) and an empty
/// table both say that there is nothing to be known.
pub fn read_topology(guest: &dyn Protected) -> Option<Topology> {
    let answer = guest.asks(|| {
        let answer = guest.query(topology::QUESTION);
        if answer.is_err() {
            // MariaDB keeps the error for SHOW WARNINGS until a statement names a table. Nothing is lost with the answer.
            let _ = guest.query(b"SELECT 1 FROM (SELECT 1) AS clear");
        }
        answer
    });
    match answer {
        Ok(Answer::Rows(rows)) => topology::read(&rows, &guest.endpoint().name.host),
        _ => None,
    }
}

/// Was an id generated on this connection? An OK packet tells of explicit ones, too.
pub fn has_insert_id(guest: &dyn Protected) -> bool {
    match guest.asks(|| guest.query(b"SELECT LAST_INSERT_ID()")) {
        Ok(Answer::Rows(rows)) => {
            !matches!(rows.as_slice(), [row] if matches!(row.as_slice(), [Some(id)] if id == b"0"))
        }
        _ => false,
    }
}

/// Does the question have an answer here, and not NULL or nothing?
pub fn was_left(guest: &dyn Protected, question: &[u8]) -> bool {
    match guest.asks(|| guest.query(question)) {
        Ok(Answer::Rows(rows)) => {
            matches!(rows.as_slice(), [row] if matches!(row.as_slice(), [Some(value)] if !value.is_empty()))
        }
        _ => false,
    }
}

/// Asks the connected server `peer` whether it accepts writes. A server that takes longer than a second to say so ends the
/// connection, on which nothing is under way.
pub fn ask_in_time(guest: &dyn Protected, peer: SocketAddr) -> Writability {
    let _question = guest.endpoint().asking(peer, Some(guest.fd()), ANSWER_WITHIN);
    ask(guest)
}

/// Asks the connected server whether it accepts writes, whether it serves at all, and who it is.
pub fn ask(guest: &dyn Protected) -> Writability {
    let (answer, server) = guest.asks(|| writability::ask(guest));
    let peer = {
        let mut state = guest.state();
        state.server = server.or(state.server);
        state.peer
    };
    if let (Some(peer), Some(server)) = (peer, server) {
        guest.endpoint().on_server_said(peer, server, answer);
    }
    answer
}
