//! Logins that a server refused, and logins that are tried for the first time.
//!
//! A server counts wrong passwords, and locks the account of everybody after a few (`FAILED_LOGIN_ATTEMPTS`,
//! `max_password_errors`). So a login that a server has refused is not tried there again, and a login that has not lately
//! succeeded there is tried by one connection first, while the others with the same login wait for the outcome. What a login
//! failed for besides its account, its database for example, is not remembered: another handle may have another one.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    Endpoint,
    prober::{Refusal, Undialled, Whose},
};
use crate::hooks::recall::Recall;

/// An account may have been unlocked, or made, meanwhile. Servers do not forget failed logins by themselves.
const REMEMBERED: Duration = Duration::from_secs(600);
/// A login that has just succeeded succeeds again: all of a pool come back within such a time.
const LATELY: Duration = Duration::from_secs(1);
/// A server that takes no more logins is asked for another one after this.
const FULL: Duration = Duration::from_millis(400);
/// Logins that are remembered. An application has a handful.
const KEPT: usize = 256;

#[derive(Debug)]
enum Standing {
    UnderWay,
    Accepted,
    Refused(String),
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
pub(super) struct Logins {
    known: Vec<Known>,
    /// Servers that took no login just now.
    full: Vec<(SocketAddr, Instant, String)>,
}

impl Logins {
    fn at(&mut self, server: SocketAddr, login: u64) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.server == server && known.login == login)
    }

    fn forget(&mut self, server: SocketAddr, login: u64) {
        self.known.retain(|known| known.server != server || known.login != login);
    }

    fn note(&mut self, server: SocketAddr, login: u64, standing: Standing) {
        self.forget(server, login);
        if self.known.len() >= KEPT {
            self.known.remove(0);
        }
        self.known.push(Known { server, login, standing, since: Instant::now() });
    }
}

/// The right to try a login at a server. Given back with its outcome.
pub struct Attempt<'a> {
    endpoint: &'a Endpoint,
    server: SocketAddr,
    login: u64,
    /// Others wait for the outcome.
    first: bool,
}

impl Endpoint {
    /// Waits, until `until` at most, while another connection tries the same login. `login` zero: nothing is known of it.
    pub fn may_log_in(&self, server: SocketAddr, login: u64, until: Instant) -> Result<Attempt<'_>, Undialled> {
        let mut recall = Recall::begins();
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            state.logins.full.retain(|(_, at, _)| at.elapsed() < FULL);
            if let Some((.., why)) = state.logins.full.iter().find(|(full, ..)| *full == server) {
                return Err(Undialled::NotNow(why.clone()));
            }
            let attempt = |first| Ok(Attempt { endpoint: self, server, login, first });
            if login == 0 {
                return attempt(false);
            }
            match state.logins.at(server, login) {
                Some(Known { standing: Standing::Refused(why), since, .. }) if since.elapsed() < REMEMBERED => {
                    return Err(Undialled::Refused(Refusal { whose: Whose::Account, why: why.clone() }));
                }
                Some(Known { standing: Standing::Accepted, since, .. }) if since.elapsed() < LATELY => {
                    return attempt(false);
                }
                Some(Known { standing: Standing::UnderWay, .. }) if now < until && !recall.wanted() => {}
                Some(Known { standing: Standing::UnderWay, .. }) => {
                    return Err(Undialled::NotNow("another connection is still trying the same login".to_owned()));
                }
                _ => {
                    state.logins.note(server, login, Standing::UnderWay);
                    return attempt(true);
                }
            }
            state = self.wait(state, &self.changed, until.saturating_duration_since(now), &mut recall);
        }
    }

    /// The application has logged in at `server` by itself.
    pub fn logged_in(&self, server: SocketAddr, login: u64) {
        let mut state = self.lock();
        state.greetings.on_login(server);
        if login != 0 && state.logins.at(server, login).is_some() {
            state.logins.note(server, login, Standing::Accepted);
        }
    }
}

impl Attempt<'_> {
    pub fn ends(mut self, outcome: &Result<(), Undialled>) {
        let mut state = self.endpoint.lock();
        let (server, login) = (self.server, self.login);
        if outcome.is_ok() {
            state.greetings.on_login(server);
        }
        match outcome {
            Ok(()) if login != 0 => state.logins.note(server, login, Standing::Accepted),
            Err(Undialled::Refused(Refusal { whose: Whose::Account, why })) if login != 0 => {
                state.logins.note(server, login, Standing::Refused(why.clone()));
            }
            Err(Undialled::NotNow(why)) => state.logins.full.push((server, Instant::now(), why.clone())),
            _ => {}
        }
        drop(state);
        self.is_over(outcome.is_err());
    }

    /// Those that wait for the outcome look.
    fn is_over(&mut self, failed: bool) {
        if !std::mem::take(&mut self.first) {
            return;
        }
        if failed {
            let mut state = self.endpoint.lock();
            let (server, login) = (self.server, self.login);
            if matches!(state.logins.at(server, login), Some(Known { standing: Standing::UnderWay, .. })) {
                state.logins.forget(server, login);
            }
        }
        self.endpoint.changed.tell_all();
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.is_over(true);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering::Relaxed},
        thread,
    };

    use super::*;
    use crate::endpoint::name::Name;

    fn endpoint() -> Endpoint {
        Endpoint::new(Name::of(b"db.shop.example", 0).unwrap())
    }

    fn server(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 3306))
    }

    fn refused() -> Result<(), Undialled> {
        Err(Undialled::Refused(Refusal { whose: Whose::Account, why: "error 1045: no".to_owned() }))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn a_refused_login_is_tried_once_however_many_connections_want_it_at_once() {
        let endpoint = endpoint();
        let tried = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| match endpoint.may_log_in(server(1), 7, soon()) {
                    Ok(attempt) => {
                        tried.fetch_add(1, Relaxed);
                        thread::sleep(Duration::from_millis(20));
                        attempt.ends(&refused());
                    }
                    Err(why) => assert!(matches!(why, Undialled::Refused(_)), "{why}"),
                });
            }
        });
        assert_eq!(tried.into_inner(), 1);
        assert!(endpoint.may_log_in(server(2), 7, soon()).is_ok(), "another server may answer otherwise");
        assert!(endpoint.may_log_in(server(1), 8, soon()).is_ok(), "another login is another matter");
    }

    #[test]
    fn a_login_that_succeeded_a_moment_ago_is_made_by_many_at_once() {
        let endpoint = endpoint();
        endpoint.may_log_in(server(1), 7, soon()).unwrap_or_else(|why| panic!("{why}")).ends(&Ok(()));
        let attempts: Vec<_> = (0..16).map(|_| endpoint.may_log_in(server(1), 7, Instant::now()).is_ok()).collect();
        assert!(attempts.into_iter().all(|may| may));
    }

    #[test]
    fn what_one_handle_is_refused_for_its_own_options_is_tried_by_the_next_handle_of_the_account() {
        let endpoint = endpoint();
        for why in ["error 1049: Unknown database 'old'", "error 2026: SSL connection error: no CA file"] {
            let attempt = endpoint.may_log_in(server(1), 7, soon()).unwrap_or_else(|why| panic!("{why}"));
            attempt.ends(&Err(Undialled::Refused(Refusal { whose: Whose::Handle, why: why.to_owned() })));
        }
        let attempt = endpoint.may_log_in(server(1), 7, Instant::now());
        attempt.unwrap_or_else(|why| panic!("{why}")).ends(&Ok(()));
    }

    #[test]
    fn a_login_of_the_application_itself_that_succeeds_clears_a_refusal() {
        let endpoint = endpoint();
        endpoint.may_log_in(server(1), 7, soon()).unwrap_or_else(|why| panic!("{why}")).ends(&refused());
        assert!(endpoint.may_log_in(server(1), 7, soon()).is_err());
        endpoint.logged_in(server(1), 7);
        assert!(endpoint.may_log_in(server(1), 7, soon()).is_ok());
    }

    #[test]
    fn an_attempt_that_brought_no_answer_is_made_again_by_the_next() {
        let endpoint = endpoint();
        let attempt = endpoint.may_log_in(server(1), 7, soon()).unwrap_or_else(|why| panic!("{why}"));
        assert!(endpoint.may_log_in(server(1), 7, Instant::now()).is_err(), "one at a time");
        drop(attempt);
        assert!(endpoint.may_log_in(server(1), 7, Instant::now()).is_ok());
    }

    #[test]
    fn a_server_that_is_full_is_not_asked_ten_times_a_second() {
        let endpoint = endpoint();
        let full = Err(Undialled::NotNow("error 1040: Too many connections".to_owned()));
        endpoint.may_log_in(server(1), 7, soon()).unwrap_or_else(|why| panic!("{why}")).ends(&full);
        assert!(matches!(endpoint.may_log_in(server(1), 8, soon()), Err(Undialled::NotNow(_))));
        endpoint.lock().logins.full.clear();
        assert!(endpoint.may_log_in(server(1), 8, soon()).is_ok());
    }
}
