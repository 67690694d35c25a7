//! Logins that a server refused, and logins that are tried for the first time.
//!
//! A server counts wrong passwords, and locks the account of everybody after a few (`FAILED_LOGIN_ATTEMPTS`,
//! `max_password_errors`). So a login that a server has refused is not tried there again, and a login that has not lately
//! succeeded there is tried by one connection first, while the others with the same login wait for the outcome. What a login
//! failed for besides its account, its database for example, is not remembered: another handle may have another one.
//!
//! The connections are those of all processes of the host: what this process does not know of a login, it asks the `ledger`.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    control::log::{Level::*, say},
    endpoint::{
        Endpoint,
        ledger::{End, Ledger, Turn},
        search::prober::{Refusal, Undialled, Whose},
    },
};

/// A login without an outcome by then was left by a jump of the application's (a handler of SIGALRM), or hangs: another
/// connection tries it.
const LOST: Duration = Duration::from_secs(10);
/// An account may have been unlocked, or made, meanwhile. Servers do not forget failed logins by themselves.
const REMEMBERED: Duration = Duration::from_secs(600);
/// A login that has just succeeded succeeds again: all of a pool come back within such a time.
const LATELY: Duration = Duration::from_secs(1);
/// A server that takes no more logins is asked for another one after this.
const FULL: Duration = Duration::from_millis(400);
/// How often the ledger is looked at while another process makes the same login.
const LOOKS_EVERY: Duration = Duration::from_millis(20);
/// How long that is waited for, unless connections of this process hear from the server: a search has other servers to ask.
const OTHERS_WITHIN: Duration = Duration::from_secs(1);
/// A login that came to nothing after this long has been given up. A server that goes away says so at once.
const GIVEN_UP_AFTER: Duration = Duration::from_millis(500);
/// How often the log tells of a spent budget of handshakes.
const SPENT_TOLD_EVERY: Duration = Duration::from_secs(10);
/// Logins that are remembered. An application has a handful.
const KEPT: usize = 256;

/// What stands for the login of a handle: user, password, and whether by TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// In this process; zero if nothing is known.
    pub here: u64,
    /// In every process.
    pub everywhere: u64,
}

#[derive(Debug)]
enum Standing {
    UnderWay,
    Accepted,
    Refused(Refusal),
}

/// One login at one server.
#[derive(Debug)]
struct Known {
    server: SocketAddr,
    login: u64,
    standing: Standing,
    since: Instant,
}

#[derive(Debug, Default)]
pub(in crate::endpoint) struct Logins {
    known: Vec<Known>,
    /// Servers that took no login just now.
    full: Vec<(SocketAddr, Instant, String)>,
    /// A server at which the budget of handshakes was found spent, and when that was logged last.
    spent: Option<(SocketAddr, Instant)>,
}

impl Logins {
    fn at(&mut self, server: SocketAddr, login: u64) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.server == server && known.login == login)
    }

    fn forget(&mut self, server: SocketAddr, login: u64) {
        self.known.retain(|known| known.server != server || known.login != login);
    }

    fn note(&mut self, server: SocketAddr, login: u64, standing: Standing, now: Instant) {
        self.forget(server, login);
        if self.known.len() >= KEPT {
            self.known.remove(0);
        }
        self.known.push(Known { server, login, standing, since: now });
    }
}

/// The right to try a login at a server. Given back with its outcome.
pub struct Attempt<'a> {
    endpoint: &'a Endpoint,
    server: SocketAddr,
    login: Login,
    since: Instant,
    /// Others of this process wait for the outcome.
    first: bool,
    /// The ledger has to be told how it ended: other processes wait, too.
    noted: bool,
    /// The server's end had accepted the connection when the login came to nothing.
    accepted: bool,
}

impl Endpoint {
    /// Waits, until `until` at most, while another connection tries the same login.
    pub fn may_log_in(&self, server: SocketAddr, login: Login, until: Instant) -> Result<Attempt<'_>, Undialled> {
        let attempt = self.may_log_in_here(server, login, until)?;
        if attempt.first { self.may_log_in_everywhere(attempt, until) } else { Ok(attempt) }
    }

    /// As far as this process knows.
    fn may_log_in_here(&self, server: SocketAddr, login: Login, until: Instant) -> Result<Attempt<'_>, Undialled> {
        let mut recall = self.around.recall();
        let mut state = self.lock();
        loop {
            let now = self.now();
            state.logins.full.retain(|(_, at, _)| now.saturating_duration_since(*at) < FULL);
            if let Some((.., why)) = state.logins.full.iter().find(|(full, ..)| *full == server) {
                return Err(Undialled::NotNow(why.clone()));
            }
            let attempt =
                |first| Ok(Attempt { endpoint: self, server, login, since: now, first, noted: false, accepted: false });
            if login.here == 0 {
                return attempt(false);
            }
            let ago = |since: &Instant| now.saturating_duration_since(*since);
            match state.logins.at(server, login.here) {
                Some(Known { standing: Standing::Refused(refusal), since, .. }) if ago(since) < REMEMBERED => {
                    return Err(Undialled::Refused(refusal.clone()));
                }
                Some(Known { standing: Standing::Accepted, since, .. }) if ago(since) < LATELY => {
                    return attempt(false);
                }
                Some(Known { standing: Standing::UnderWay, since, .. }) if ago(since) >= LOST => {
                    state.logins.note(server, login.here, Standing::UnderWay, now);
                    return attempt(true);
                }
                Some(Known { standing: Standing::UnderWay, .. }) if now < until && !recall.wanted() => {}
                Some(Known { standing: Standing::UnderWay, .. }) => {
                    return Err(Undialled::NotNow("another connection is still trying the same login".to_owned()));
                }
                _ => {
                    state.logins.note(server, login.here, Standing::UnderWay, now);
                    return attempt(true);
                }
            }
            state = self.wait(state, &self.changed, until.saturating_duration_since(now), &mut recall);
        }
    }

    /// As far as all processes of the host know.
    fn may_log_in_everywhere<'a>(&'a self, mut attempt: Attempt<'a>, until: Instant) -> Result<Attempt<'a>, Undialled> {
        let (server, login) = (attempt.server, attempt.login);
        let mut recall = self.around.recall();
        loop {
            match self.on_ledger(|ledger, now| ledger.begin_login(server, login.everywhere, now)) {
                Turn::Own => attempt.noted = true,
                Turn::Known => {}
                Turn::Others => {
                    let waited = self.now().saturating_duration_since(attempt.since);
                    let waits = waited < OTHERS_WITHIN || self.around.traffic(self, server).alive();
                    if !waits || self.now() >= until || recall.wanted() {
                        return Err(Undialled::NotNow("another process is still trying the same login".to_owned()));
                    }
                    drop(self.wait(self.lock(), &self.changed, LOOKS_EVERY, &mut recall));
                    continue;
                }
                Turn::Refused(error) => {
                    let why = format!("error {error}, as another process of this host was told");
                    let refused = Undialled::Refused(Refusal { whose: Whose::Account, error, why });
                    attempt.ends(&Err(refused.clone()));
                    say!(Warn, "{}: {server} {refused}: not tried there with this login", self.name);
                    return Err(refused);
                }
                Turn::Spent => {
                    self.tell_of_spent_handshakes(server);
                    return Err(Undialled::Spent);
                }
            }
            attempt.since = self.now();
            return Ok(attempt);
        }
    }

    /// One warning for all connections that cannot be moved. The application's own connect is not counted: it finds the
    /// server as soon as that is well again.
    fn tell_of_spent_handshakes(&self, server: SocketAddr) {
        let told_lately = {
            let spent = &mut self.lock().logins.spent;
            let now = self.now();
            let is_recent = |at: Instant| now.saturating_duration_since(at) < SPENT_TOLD_EVERY;
            let lately = spent.is_some_and(|(told, at)| told == server && is_recent(at));
            if !lately {
                *spent = Some((server, now));
            }
            lately
        };
        if !told_lately {
            say!(Warn, "{}: {server} {}: statements get their errors", self.name, Undialled::Spent);
        }
    }

    /// The application has logged in at `server` by itself.
    pub fn logged_in(&self, server: SocketAddr, login: Login) {
        let was_refused = {
            let mut state = self.lock();
            let known = login.here != 0 && state.logins.at(server, login.here).is_some();
            let refused = |known: &mut Known| matches!(known.standing, Standing::Refused(_));
            let was_refused = known && state.logins.at(server, login.here).is_some_and(refused);
            if known {
                state.logins.note(server, login.here, Standing::Accepted, self.now());
            }
            was_refused
        };
        self.tell_of_login(server);
        if was_refused {
            self.on_ledger(|ledger, now| ledger.end_login(server, login.everywhere, End::Accepted, false, now));
        }
    }
}

impl Attempt<'_> {
    /// The server, or its kernel, had accepted the connection when the login came to nothing.
    pub fn was_accepted(&mut self) {
        self.accepted = true;
    }

    pub fn ends(mut self, outcome: &Result<(), Undialled>) {
        let (server, login) = (self.server, self.login.here);
        let mut state = self.endpoint.lock();
        let now = self.endpoint.now();
        match outcome {
            Ok(()) if login != 0 => state.logins.note(server, login, Standing::Accepted, now),
            Err(Undialled::Refused(refusal)) if login != 0 && refusal.whose == Whose::Account => {
                state.logins.note(server, login, Standing::Refused(refusal.clone()), now);
            }
            Err(Undialled::NotNow(why)) => state.logins.full.push((server, now, why.clone())),
            _ => {}
        }
        drop(state);
        self.tell_the_ledger(outcome);
        self.is_over(outcome.is_err());
    }

    fn tell_the_ledger(&mut self, outcome: &Result<(), Undialled>) {
        let noted = std::mem::take(&mut self.noted);
        let no_answer = matches!(outcome, Err(Undialled::Unreachable(_)));
        let took = || self.endpoint.now().saturating_duration_since(self.since);
        let given_up = no_answer && self.accepted && took() >= GIVEN_UP_AFTER;
        if given_up {
            self.endpoint.lock().greetings.note(self.server);
        }
        if outcome.is_ok() {
            self.endpoint.tell_of_login(self.server);
        }
        if noted || given_up {
            let end = match outcome {
                Ok(()) => End::Accepted,
                Err(Undialled::Refused(Refusal { whose: Whose::Account, error, .. })) => End::Refused(*error),
                // Also of a handle's own trouble: another process makes the login by itself.
                Err(_) => End::Open,
            };
            let (server, account) = (self.server, self.login.everywhere);
            let end_login = |ledger: &mut Ledger, now| ledger.end_login(server, account, end, given_up, now);
            self.endpoint.on_ledger(end_login);
        }
    }

    /// Those that wait for the outcome look.
    fn is_over(&mut self, failed: bool) {
        if !std::mem::take(&mut self.first) {
            return;
        }
        if failed {
            let mut state = self.endpoint.lock();
            let (server, login) = (self.server, self.login.here);
            if matches!(state.logins.at(server, login), Some(Known { standing: Standing::UnderWay, .. })) {
                state.logins.forget(server, login);
            }
        }
        self.endpoint.changed.tell_all();
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.noted {
            self.tell_the_ledger(&Err(Undialled::NotTried(String::new())));
        }
        self.is_over(true);
    }
}

#[cfg(test)]
#[path = "logins_tests.rs"]
mod tests;
