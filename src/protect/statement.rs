//! A statement of the application is sent, as often as the verdict says: looked at before it is sent, judged after it was answered.

use std::{
    ffi::c_int,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use super::{
    attempts::Attempts,
    connection::{Pending, State},
    line::{Protected, Replied},
    look::{Look, Start},
    rescue::Next,
};
use crate::{
    control::log::{Level::Warn, say},
    endpoint::{Endpoint, Role},
    guard::{decide, glance},
    host::exchange::Exchange,
    session::{execution::Ran, transaction::Reply},
    sql::{SessionEffect, Statement, TransactionEffect, classify},
    verdict::{Evidence, evidence, failure::Failure},
};

pub fn evidence_of(failure: &Failure) -> Option<Evidence> {
    evidence::of_error(failure.number, &failure.text)
}

/// Once for a process: an application that does this does it on all its connections.
fn say_of_overflow(endpoint: &Endpoint) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Relaxed) {
        say!(
            Warn,
            "{}: a session sets more than is kept (1024 statements, 64 KiB): it, and others like it, will not be moved",
            endpoint.name
        );
    }
}

/// How a real call ended.
#[derive(Clone, Copy)]
pub struct Returned {
    pub code: c_int,
    /// The connection ended meanwhile, and what was written to it last has not left this host to its last byte.
    pub never_left: bool,
}

impl Returned {
    pub fn from(code: c_int, exchange: Option<Exchange>) -> Self {
        Returned { code, never_left: code != 0 && exchange.is_some_and(Exchange::never_left) }
    }
}

/// The rules on the way of every statement, of which each front end has a copy of its own.
pub trait Rules: Protected {
    #[inline]
    fn classify(&self, state: &mut State, text: &[u8]) -> Statement {
        match state.familiar.recognizes(text) {
            Some(traits) => traits.into(),
            None => self.classify_anew(state, text),
        }
    }

    #[inline(never)]
    fn classify_anew(&self, state: &mut State, text: &[u8]) -> Statement {
        let State { familiar, session, .. } = state;
        let statement = familiar.learn(text, || self.dialect(session));
        let Some(SessionEffect::Execute(name)) = statement.session.last() else { return statement };
        let Some(known) = session.named(name).map(|text| classify(text, self.dialect(session))) else {
            return statement;
        };
        // What it leaves behind has no text of its own that could be run again; names mean what they mean here.
        let here = session.named_here(name);
        let leaves = |effect: &SessionEffect| match effect {
            SessionEffect::Pin(_) | SessionEffect::Unpin(_) | SessionEffect::Asks(_) => false,
            SessionEffect::Hold(..) | SessionEffect::Release(..) => !here,
            _ => true,
        };
        if known.session.iter().any(leaves) { statement } else { known }
    }

    /// Is a transaction open? The server's flag, which an ERR packet does not carry, and our own log.
    fn in_transaction(&self) -> bool {
        self.status_in_transaction() || self.state().session.transaction().is_some()
    }

    /// Nothing is under way on the connection: it may be used for a question of ours, or replaced.
    fn idle(&self) -> bool {
        self.settle_rows();
        self.state().idle() && !self.more_results()
    }

    /// The statement is sent next.
    #[inline]
    fn exchange(&self, statement: &Statement) -> Option<Exchange> {
        if statement.streams {
            self.expect_a_stream();
        }
        self.begin_exchange()
    }

    /// Makes the real call, as often as the verdict says: looked at before, judged after.
    fn attend(
        &self,
        statement: &Statement,
        real: impl Fn() -> c_int,
        judge: impl FnMut(Returned, &mut Attempts) -> Next,
    ) -> c_int {
        self.attend_closely(|attempts| Look::at(self.line(), statement, attempts), real, judge)
    }

    /// Attends to a statement from a first decision on; `look` has the looks that are due.
    #[inline]
    fn attend_from(
        &self,
        start: Start,
        look: impl Fn(Attempts) -> Look,
        real: impl Fn() -> c_int,
        mut judge: impl FnMut(Returned, &mut Attempts) -> Next,
    ) -> c_int {
        let Start::AtOnce(exchange) = start else { return self.attend_closely(look, real, judge) };
        let returned = Returned::from(real(), exchange);
        if returned.code == 0 {
            // What succeeded is only noted.
            glance(|| judge(returned, &mut Attempts::default()));
            return 0;
        }
        self.go_on(returned, Attempts::default(), look, real, judge)
    }

    #[inline(never)]
    fn attend_closely(
        &self,
        look: impl Fn(Attempts) -> Look,
        real: impl Fn() -> c_int,
        judge: impl FnMut(Returned, &mut Attempts) -> Next,
    ) -> c_int {
        match decide(|| look(Attempts::default())).map(|first| first.carry_out(&real)) {
            Some(Ok((returned, attempts))) => self.go_on(returned, attempts, look, real, judge),
            Some(Err(code)) => code,
            None => real(),
        }
    }

    #[inline(never)]
    fn go_on(
        &self,
        mut returned: Returned,
        mut attempts: Attempts,
        look: impl Fn(Attempts) -> Look,
        real: impl Fn() -> c_int,
        mut judge: impl FnMut(Returned, &mut Attempts) -> Next,
    ) -> c_int {
        loop {
            match decide(|| judge(returned, &mut attempts)) {
                Some(Next::Deliver(code)) => return code,
                Some(Next::Send) => {}
                None => return returned.code,
            }
            match decide(|| look(attempts)).map(|next| next.carry_out(&real)) {
                Some(Ok(next)) => (returned, attempts) = next,
                Some(Err(code)) => return code,
                None => return returned.code,
            }
        }
    }

    /// After the answer: what does it mean for the session, and if it is an error, what is to be done?
    fn after(&self, text: &[u8], statement: &Statement, returned: Returned, attempts: &mut Attempts) -> Next {
        let code = returned.code;
        if code == 0 {
            let mut state = self.state();
            let (rows, reply, pending) = match self.reply() {
                Replied::Rows => {
                    let read = statement.only_reads && statement.atomic && !self.status_in_transaction();
                    if read {
                        state.read.note(text, statement);
                    }
                    (true, Reply::Pending, Pending::Announced { read })
                }
                Replied::Done { affected, insert_id } => (false, Reply::Done { affected, insert_id }, Pending::None),
            };
            self.succeeded(&mut state, text.into(), statement, reply, pending);
            if rows && state.session.transaction().is_none() {
                self.announce_plain_rows();
            }
            return Next::Deliver(code);
        }
        self.after_failure(text, statement, returned, attempts)
    }

    #[cold]
    #[inline(never)]
    fn after_failure(&self, text: &[u8], statement: &Statement, returned: Returned, attempts: &mut Attempts) -> Next {
        let code = returned.code;
        let failure = self.failure();
        self.state().failing = Some(text.to_vec());
        match evidence_of(&failure) {
            // No server executes a command that it does not have to its last byte. (It may execute one whose file it
            // does not have to its last byte.)
            Some(Evidence::Unknown) if returned.never_left && !statement.streams => {
                self.line().rescue(Evidence::NotSent, statement, attempts, code)
            }
            Some(evidence) => self.line().rescue(evidence, statement, attempts, code),
            None => {
                let in_transaction = self.in_transaction();
                let moment = in_transaction.then(|| self.now());
                if self.state().session.on_failure(statement, text, failure.number, in_transaction, moment) {
                    self.line().transaction_gone();
                }
                Next::Deliver(code)
            }
        }
    }

    fn succeeded(&self, state: &mut State, ran: Ran<'_>, statement: &Statement, reply: Reply, pending: Pending) {
        if !self.succeeded_plainly(state, statement, &reply, pending) {
            self.leaves_something(state, ran, statement, reply);
        }
    }

    /// What every statement has in common, and all that there is to most of them. False: this one is not like that.
    #[inline]
    fn succeeded_plainly(&self, state: &mut State, statement: &Statement, reply: &Reply, pending: Pending) -> bool {
        // Perhaps a writer after all. It is asked before the next statement: a question now would overwrite what the
        // application is about to read from the handle.
        state.ask_next |= matches!(*reply, Reply::Done { affected, .. } if affected > 0 && affected != u64::MAX)
            && !statement.only_reads
            && self.endpoint().role() == Role::Unknown;
        state.answered = self.ticks();
        state.result = pending;
        !self.status_in_transaction() && state.session.on_ordinary_success(statement, reply)
    }

    /// It has to do with a transaction, or what it leaves is kept.
    #[inline(never)]
    fn leaves_something(&self, state: &mut State, ran: Ran<'_>, statement: &Statement, reply: Reply) {
        let in_transaction = self.status_in_transaction();
        if in_transaction
            && self.status_autocommit()
            && statement.transaction != TransactionEffect::Begin
            && state.session.transaction().is_none()
        {
            state.session.on_began_unseen();
        }
        if statement.transaction == TransactionEffect::Savepoint && !in_transaction && !self.status_autocommit() {
            state.session.on_leading_savepoint(ran);
        }
        let overflowed = state.session.overflowed();
        // Kept with a transaction's statements only.
        let moment = in_transaction.then(|| self.now());
        state.session.on_success(statement, ran, reply, in_transaction, moment);
        if state.session.overflowed() && !overflowed {
            say_of_overflow(self.endpoint());
        }
    }
}

impl<P: Protected + ?Sized> Rules for P {}
