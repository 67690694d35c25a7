//! One statement on a protected handle: looked at before it is sent, judged after it was answered.

use std::{
    ffi::c_int,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Instant,
};

use super::{
    Call,
    attempts::Attempts,
    handle::Guest,
    layout::{
        native::{Active, Failure},
        sys::{SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_IN_TRANS},
    },
    look::{Look, Start},
    rescue::Next,
    state::{Pending, Sent, State, Waited},
};
use crate::{
    control::log::{Level::*, say},
    endpoint::{Endpoint, Role},
    guard::{decide, glance},
    host::{exchange::Exchange, ticks},
    session::{execution::Ran, transaction::Reply},
    sql::{SessionEffect, Statement, TransactionEffect, classify},
    verdict::{Evidence, evidence},
};

/// `mysql_real_query`, `mysql_query` and whatever is made of them.
pub fn query(call: Call, mysql: Active, text: &[u8], real: impl Fn() -> c_int) -> c_int {
    // Written in place: this is on the way of every statement.
    let (mut statement, mut start) = (Statement::reading(), Start::Closely);
    let first_look = |guest: &Guest| {
        let mut state = guest.state();
        statement = guest.classify(&mut state, text);
        if guest.in_order(state, &statement) {
            start = Start::AtOnce(guest.exchange(&statement));
        }
    };
    let Some((guest, ())) = call.enter_and(mysql, first_look) else { return real() };
    let look = |attempts| Look::at(&guest, &statement, attempts);
    guest.attend_from(start, look, real, |returned, attempts| guest.after(text, &statement, returned, attempts))
}

/// `mysql_send_query`: sent now, read later.
pub fn send_query(call: Call, mysql: Active, text: &[u8], real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = call.enter(mysql) else { return real() };
    let Some(statement) = decide(|| guest.classify(&mut guest.state(), text)) else { return real() };
    guest.attend(&statement, real, |returned, attempts| {
        if returned.code != 0 {
            return guest.after(text, &statement, returned, attempts);
        }
        let mut state = guest.state();
        let wait = Waited { time: attempts.time(), recalled: guest.recalled.get() };
        let alone = state.sent.is_none() && state.session.prepared.is_empty() && state.session.pinned().is_none();
        state.sent = Some(Sent { text: text.to_vec(), statement: statement.clone(), alone, wait });
        Next::Deliver(0)
    })
}

/// `mysql_read_query_result`: the answer to what was sent.
pub fn read_query_result(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = call.enter(mysql) else { return real() };
    let Some(sent) = decide(|| guest.state().sent.take()).flatten() else { return real() };
    let mut attempts = Attempts::after(sent.wait.time);
    guest.recalled.set(sent.wait.recalled);
    let exchange = decide(|| sent.alone.then(|| guest.begin_exchange()).flatten()).flatten();
    let mut returned = Returned::from(real(), exchange);
    loop {
        match decide(|| guest.after(&sent.text, &sent.statement, returned, &mut attempts)) {
            // Sent and read in one: the connection that was waiting to be read is gone.
            Some(Next::Send) => {
                let exchange = decide(|| guest.begin_exchange()).flatten();
                returned = Returned::from(c_int::from(guest.native.run(&sent.text) != 0), exchange);
            }
            Some(Next::Deliver(code)) => {
                // It is unknown when it came: the application has waited for it.
                decide(|| guest.state().answered = 0);
                return code;
            }
            None => return returned.code,
        }
    }
}

/// A command without text that leaves nothing behind: ping and the like.
pub fn command(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    harmless(call, mysql, real, |_| ())
}

/// `mysql_select_db`.
pub fn select_db(call: Call, mysql: Active, name: &[u8], real: impl Fn() -> c_int) -> c_int {
    harmless(call, mysql, real, |guest| guest.state().session.on_database(name))
}

/// A command that may be run twice and touches no transaction; `succeeded` says what it did to the session.
pub(super) fn harmless(call: Call, mysql: Active, real: impl Fn() -> c_int, succeeded: impl Fn(&Guest)) -> c_int {
    let Some(guest) = call.enter(mysql) else { return real() };
    harmless_to(&guest, real, succeeded)
}

pub(super) fn harmless_to(guest: &Guest, real: impl Fn() -> c_int, succeeded: impl Fn(&Guest)) -> c_int {
    guest.attend(&HARMLESS, real, |Returned { code, .. }, attempts| {
        if code == 0 {
            succeeded(guest);
            return Next::Deliver(code);
        }
        match evidence_of(&guest.native.failure()) {
            Some(evidence) => guest.rescue(evidence, &HARMLESS, attempts, code),
            None => Next::Deliver(code),
        }
    })
}

pub(super) static HARMLESS: Statement = Statement::reading();

/// A call that is never made twice (KILL, list functions): only looked after beforehand.
pub fn once<T>(call: Call, mysql: Active, real: impl Fn() -> T) -> T {
    let Some(guest) = call.enter(mysql) else { return real() };
    let _ = decide(|| guest.before(&HARMLESS, &mut Attempts::default()));
    real()
}

/// A call that speaks of this very server (KILL, shutdown): made where the handle is.
pub fn untouched<T>(call: Call, mysql: Active, real: impl Fn() -> T) -> T {
    // Entered all the same: what the library calls meanwhile is nested.
    let _guest = call.enter(mysql);
    real()
}

pub(super) fn evidence_of(failure: &Failure) -> Option<Evidence> {
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
pub(super) struct Returned {
    pub code: c_int,
    /// The connection ended meanwhile, and what was written to it last has not left this host to its last byte.
    pub never_left: bool,
}

impl Returned {
    pub fn from(code: c_int, exchange: Option<Exchange>) -> Self {
        Returned { code, never_left: code != 0 && exchange.is_some_and(Exchange::never_left) }
    }
}

impl Guest {
    #[inline]
    pub(super) fn classify(&self, state: &mut State, text: &[u8]) -> Statement {
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

    /// Makes the real call, as often as the verdict says: looked at before, judged after.
    fn attend(
        &self,
        statement: &Statement,
        real: impl Fn() -> c_int,
        judge: impl FnMut(Returned, &mut Attempts) -> Next,
    ) -> c_int {
        self.attend_closely(|attempts| Look::at(self, statement, attempts), real, judge)
    }

    /// Attends to a statement from a first decision on; `look` has the looks that are due.
    #[inline]
    pub(super) fn attend_from(
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
    pub(super) fn attend_closely(
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
    pub(super) fn after(
        &self,
        text: &[u8],
        statement: &Statement,
        returned: Returned,
        attempts: &mut Attempts,
    ) -> Next {
        let code = returned.code;
        if code == 0 {
            let mut state = self.state();
            let rows = self.native.field_count() > 0;
            let (reply, pending) = if rows {
                let read = statement.only_reads && statement.atomic && !self.status_in_transaction();
                if read {
                    state.read.note(text, statement);
                }
                (Reply::Pending, Pending::Announced { read })
            } else {
                let (affected, insert_id) = (self.native.affected_rows(), self.native.insert_id());
                (Reply::Done { affected, insert_id }, Pending::None)
            };
            self.succeeded(&mut state, text.into(), statement, reply, pending);
            if rows && state.session.transaction().is_none() {
                self.handle.announce_plain_rows();
            }
            return Next::Deliver(code);
        }
        self.after_failure(text, statement, returned, attempts)
    }

    #[cold]
    #[inline(never)]
    fn after_failure(&self, text: &[u8], statement: &Statement, returned: Returned, attempts: &mut Attempts) -> Next {
        let code = returned.code;
        let failure = self.native.failure();
        self.state().failing = Some(text.to_vec());
        match evidence_of(&failure) {
            // No server executes a command that it does not have to its last byte. (It may execute one whose file it
            // does not have to its last byte.)
            Some(Evidence::Unknown) if returned.never_left && !statement.streams => {
                self.rescue(Evidence::NotSent, statement, attempts, code)
            }
            Some(evidence) => self.rescue(evidence, statement, attempts, code),
            None => {
                let in_transaction = self.in_transaction();
                let moment = in_transaction.then(Instant::now);
                if self.state().session.on_failure(statement, text, failure.number, in_transaction, moment) {
                    self.transaction_gone();
                }
                Next::Deliver(code)
            }
        }
    }

    /// What the server says of the transaction.
    pub(super) fn status_in_transaction(&self) -> bool {
        self.native.server_status() & SERVER_STATUS_IN_TRANS != 0
    }

    pub(super) fn succeeded(
        &self,
        state: &mut State,
        ran: Ran<'_>,
        statement: &Statement,
        reply: Reply,
        pending: Pending,
    ) {
        if !self.succeeded_plainly(state, statement, &reply, pending) {
            self.leaves_something(state, ran, statement, reply);
        }
    }

    /// What every statement has in common, and all that there is to most of them. False: this one is not like that.
    #[inline]
    pub(super) fn succeeded_plainly(
        &self,
        state: &mut State,
        statement: &Statement,
        reply: &Reply,
        pending: Pending,
    ) -> bool {
        // Perhaps a writer after all. It is asked before the next statement: a question now would overwrite what the
        // application is about to read from the handle.
        state.ask_next |= matches!(*reply, Reply::Done { affected, .. } if affected > 0 && affected != u64::MAX)
            && !statement.only_reads
            && self.endpoint().role() == Role::Unknown;
        state.answered = ticks::now();
        state.result = pending;
        !self.status_in_transaction() && state.session.on_ordinary_success(statement, reply)
    }

    /// It has to do with a transaction, or what it leaves is kept.
    #[inline(never)]
    pub(super) fn leaves_something(&self, state: &mut State, ran: Ran<'_>, statement: &Statement, reply: Reply) {
        let in_transaction = self.status_in_transaction();
        if in_transaction
            && self.native.server_status() & SERVER_STATUS_AUTOCOMMIT != 0
            && statement.transaction != TransactionEffect::Begin
            && state.session.transaction().is_none()
        {
            state.session.on_began_unseen();
        }
        if statement.transaction == TransactionEffect::Savepoint
            && !in_transaction
            && self.native.server_status() & SERVER_STATUS_AUTOCOMMIT == 0
        {
            state.session.on_leading_savepoint(ran);
        }
        let overflowed = state.session.overflowed();
        // Kept with a transaction's statements only.
        let moment = in_transaction.then(Instant::now);
        state.session.on_success(statement, ran, reply, in_transaction, moment);
        if state.session.overflowed() && !overflowed {
            say_of_overflow(self.endpoint());
        }
    }
}
