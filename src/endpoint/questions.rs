//! Questions and logins of ours have an end: the watcher's thread cuts off those that get no answer.
//!
//! The libraries' own limits are for the application to set, and it need not have set any.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::Endpoint;

/// A question or a login of ours that is under way.
#[derive(Debug)]
struct Asked {
    id: u64,
    server: SocketAddr,
    /// The socket, once there is one.
    fd: Option<i32>,
    until: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Questions {
    standing: Vec<Asked>,
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
        let mut state = self.lock();
        state.questions.asked += 1;
        let id = state.questions.asked;
        state.questions.standing.push(Asked { id, server, fd, until: Instant::now() + patience });
        Question { endpoint: self, id }
    }

    /// The question has got a socket.
    pub fn question_is_on(&self, id: u64, fd: i32) {
        let mut state = self.lock();
        if let Some(asked) = state.questions.standing.iter_mut().find(|asked| asked.id == id) {
            asked.fd = Some(fd);
        }
    }

    /// On the watcher's thread: questions without an answer are ended. `cut` says whether it could.
    pub fn end_overdue_questions(&self, cut: impl Fn(i32, SocketAddr) -> bool) {
        let now = Instant::now();
        // Under the lock: while a question stands, its socket is the asking handle's.
        let mut state = self.lock();
        let state = &mut *state;
        for asked in state.questions.standing.iter_mut().filter(|asked| now >= asked.until) {
            if asked.fd.is_some_and(|fd| cut(fd, asked.server)) {
                state.silence.missed(asked.server);
                asked.fd = None;
            }
        }
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
    use crate::endpoint::name::Name;

    #[test]
    fn only_a_question_that_is_overdue_and_still_stands_is_ended_and_only_once() {
        let endpoint = Endpoint::new(Name::of(b"db.shop.example", 0).unwrap());
        let server = |last: u8| SocketAddr::from(([10, 0, 0, last], 3306));
        let cut = RefCell::new(Vec::new());
        let end = || {
            endpoint.end_overdue_questions(|fd, server| {
                cut.borrow_mut().push((fd, server));
                true
            })
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
    fn a_question_that_could_not_be_ended_is_ended_the_next_time_and_says_nothing_until_then() {
        let endpoint = Endpoint::new(Name::of(b"db.shop.example", 0).unwrap());
        let server = SocketAddr::from(([10, 0, 0, 1], 3306));
        let _question = endpoint.asking(server, Some(7), Duration::ZERO);
        for (possible, mute) in [(false, false), (true, true)] {
            endpoint.end_overdue_questions(|_, _| possible);
            assert_eq!(endpoint.lock().silence.is_mute(server), mute);
        }
        endpoint.end_overdue_questions(|_, _| unreachable!());
    }
}
