//! Questions and logins of ours have an end: the watcher's thread cuts off those that get no answer.
//!
//! The libraries' own limits are for the application to set, and it need not have set any.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::endpoint::{Endpoint, State};

/// The kernel of a living host answers at once; after this a connect is begun anew, since the kernel itself asks ever more
/// rarely. No server counts that.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(2);
/// After this a login is given up where another server may be the writer and greets; doubled each time that the server gave
/// no answer.
const ELSEWHERE_AFTER: Duration = Duration::from_secs(3);
/// A login of an application that set no limit. Longer than a server's own `connect_timeout` (10 s on both).
const LOGIN_WITHIN: Duration = Duration::from_secs(20);

/// A question or a login of ours that is under way.
#[derive(Debug)]
struct PendingQuestion {
    id: u64,
    server: SocketAddr,
    /// The socket, once there is one.
    fd: Option<i32>,
    until: Instant,
    /// It is a login, which began then.
    login: Option<Instant>,
    /// Without an answer by then the server is silent.
    short: bool,
}

impl PendingQuestion {
    /// Has this login taken so long that a connection elsewhere is better, if there is a server that greets?
    fn is_slow(&self, state: &State, now: Instant) -> bool {
        let patience = ELSEWHERE_AFTER * (1 << state.silence.misses(self.server).min(3));
        self.fd.is_some() && self.login.is_some_and(|began| now.saturating_duration_since(began) >= patience)
    }
}

#[derive(Debug, Default)]
pub(in crate::endpoint) struct Questions {
    standing: Vec<PendingQuestion>,
    /// Counts them.
    asked: u64,
}

/// Stands until its answer is there.
pub struct Question<'a> {
    endpoint: &'a Endpoint,
    pub id: u64,
}

impl Endpoint {
    /// Something is asked of `server`; without an answer its connection is cut after `patience`.
    pub fn asking(&self, server: SocketAddr, fd: Option<i32>, patience: Duration) -> Question<'_> {
        self.stands(PendingQuestion { id: 0, server, fd, until: self.now() + patience, login: None, short: true })
    }

    /// A login at `server` begins, for which the application itself would wait so long.
    pub fn logging_in(&self, server: SocketAddr, patience: Option<Duration>) -> Question<'_> {
        let now = self.now();
        let until = now + patience.unwrap_or(LOGIN_WITHIN);
        self.stands(PendingQuestion { id: 0, server, fd: None, until, login: Some(now), short: true })
    }

    /// Work is done on `server` that has to end after `time`; then its connection is cut. That it took so long says
    /// nothing of the server: it may wait for a lock.
    pub fn working(&self, server: SocketAddr, fd: i32, time: Duration) -> Question<'_> {
        self.stands(PendingQuestion {
            id: 0,
            server,
            fd: Some(fd),
            until: self.now() + time,
            login: None,
            short: false,
        })
    }

    fn stands(&self, asked: PendingQuestion) -> Question<'_> {
        let mut state = self.lock();
        state.questions.asked += 1;
        let id = state.questions.asked;
        state.questions.standing.push(PendingQuestion { id, ..asked });
        Question { endpoint: self, id }
    }

    /// The question has got a socket.
    pub fn question_is_on(&self, id: u64, fd: i32) {
        let mut state = self.lock();
        if let Some(asked) = state.questions.standing.iter_mut().find(|asked| asked.id == id) {
            asked.fd = Some(fd);
        }
    }

    /// On the watcher's thread: questions without an answer are ended. `cut` says whether it could, `accepted` whether the
    /// other end's kernel has accepted the connection.
    pub fn end_overdue_questions(&self, accepted: impl Fn(i32) -> bool, cut: impl Fn(i32, SocketAddr) -> bool) {
        let left = self.servers_left_for_others();
        let now = self.now();
        // Under the lock: while a question stands, its socket is the asking handle's.
        let mut state = self.lock();
        let state = &mut *state;
        let unaccepted = |asked: &PendingQuestion| {
            let late = asked.login.is_some_and(|began| now.duration_since(began) >= ACCEPTED_WITHIN);
            late && asked.fd.is_some_and(|fd| !accepted(fd))
        };
        let over = |asked: &PendingQuestion| now >= asked.until || unaccepted(asked) || left.contains(&asked.id);
        for asked in state.questions.standing.iter_mut().filter(|asked| over(asked)) {
            if asked.fd.is_some_and(|fd| cut(fd, asked.server)) {
                if asked.short {
                    state.silence.missed(asked.server, now);
                }
                asked.fd = None;
            }
        }
    }

    /// Logins that take long, while another server that may be the writer greets, and no connection of this process hears from
    /// theirs. A server whose logins are slow is waited for as the application itself would wait.
    fn servers_left_for_others(&self) -> Vec<u64> {
        let now = self.now();
        let slow: Vec<(u64, SocketAddr, Vec<SocketAddr>)> = {
            let state = self.lock();
            let read_only = state.life.incumbent().filter(|_| state.meanwhile.read_only);
            let others = |server| {
                let mut named = self.elsewhere(&state, server).0;
                named.retain(|other| Some(*other) != read_only);
                named
            };
            let slow = state.questions.standing.iter().filter(|asked| asked.is_slow(&state, now));
            slow.map(|asked| (asked.id, asked.server, others(asked.server))).collect()
        };
        let is_left = |server: SocketAddr, others: &[SocketAddr]| {
            !self.around.traffic(self, server).alive() && others.iter().any(|other| self.greets(*other, 0).is_ok())
        };
        slow.into_iter().filter(|(_, server, others)| is_left(*server, others)).map(|(id, ..)| id).collect()
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.endpoint.lock().questions.standing.retain(|asked| asked.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn only_a_question_that_is_overdue_and_still_stands_is_ended_and_only_once() {
        let endpoint = Endpoint::alone();
        let server = |last: u8| SocketAddr::from(([10, 0, 0, last], 3306));
        let cut = RefCell::new(Vec::new());
        let end = || {
            endpoint.end_overdue_questions(
                |_| true,
                |fd, server| {
                    cut.borrow_mut().push((fd, server));
                    true
                },
            )
        };
        let _patient = endpoint.asking(server(1), Some(7), Duration::from_secs(60));
        let login = endpoint.asking(server(2), None, Duration::ZERO);
        drop(endpoint.asking(server(3), Some(9), Duration::ZERO));
        end();
        assert_eq!(*cut.borrow(), [], "it has no socket yet");
        endpoint.question_is_on(login.id, 8);
        end();
        end();
        assert_eq!(*cut.borrow(), [(8, server(2))]);
        assert!(endpoint.lock().silence.is_mute(server(2)));
    }

    #[test]
    fn work_that_is_cut_off_says_nothing_of_its_server() {
        let endpoint = Endpoint::alone();
        let server = SocketAddr::from(([10, 0, 0, 1], 3306));
        let _work = endpoint.working(server, 7, Duration::ZERO);
        let cut = std::cell::Cell::new(false);
        endpoint.end_overdue_questions(|_| true, |_, _| !cut.replace(true));
        assert!(cut.get() && !endpoint.lock().silence.is_mute(server));
    }

    #[test]
    fn a_question_that_could_not_be_ended_is_ended_the_next_time_and_says_nothing_until_then() {
        let endpoint = Endpoint::alone();
        let server = SocketAddr::from(([10, 0, 0, 1], 3306));
        let _question = endpoint.asking(server, Some(7), Duration::ZERO);
        for (possible, mute) in [(false, false), (true, true)] {
            endpoint.end_overdue_questions(|_| true, |_, _| possible);
            assert_eq!(endpoint.lock().silence.is_mute(server), mute);
        }
        endpoint.end_overdue_questions(|_| true, |_, _| unreachable!());
    }
}
