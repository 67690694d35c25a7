//! One statement on a protected handle: looked at before it is sent, judged after it was answered.

use std::{
    ffi::c_int,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::SystemTime,
};

use super::{
    Call,
    handle::{Guest, Pending, Sent},
    layout::{
        native::{Active, Failure},
        sys::{SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_IN_TRANS},
    },
    probe::{self, Lent},
    replay,
    rescue::Next,
};
use crate::{
    control::{
        config,
        log::{Level::*, say},
        option::Mode,
    },
    endpoint::{Endpoint, Role, prober::Writability},
    evidence,
    hooks::{decide, last_words::LastWords},
    session::{execution::Ran, transaction::Reply},
    sql::{SessionEffect, Statement, TransactionEffect, classify, classify_in},
    verdict::Evidence,
};

/// `mysql_real_query`, `mysql_query` and whatever is made of them.
pub fn query(call: Call, mysql: Active, text: &[u8], real: impl Fn() -> c_int) -> c_int {
    let look = |guest: &Guest| {
        let statement = guest.classify(text);
        let look = Look::first(guest, &statement);
        (statement, look)
    };
    let Some((guest, (statement, look))) = call.enter_and(mysql, look) else { return real() };
    let again = |attempts| Look::again(&guest, &statement, attempts);
    guest.attend_after(look, again, real, |returned, attempts| guest.after(text, &statement, returned, attempts))
}

/// `mysql_send_query`: sent now, read later.
pub fn send_query(call: Call, mysql: Active, text: &[u8], real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = call.enter(mysql) else { return real() };
    let Some(statement) = decide(|| guest.classify(text)) else { return real() };
    guest.attend(&statement, real, |returned, attempts| {
        if returned.code != 0 {
            return guest.after(text, &statement, returned, attempts);
        }
        let mut state = guest.state();
        let alone = state.sent.is_none() && state.session.prepared.is_empty() && state.session.pinned().is_none();
        state.sent = Some(Sent { text: text.to_vec(), statement: statement.clone(), alone });
        Next::Deliver(0)
    })
}

/// `mysql_read_query_result`: the answer to what was sent.
pub fn read_query_result(call: Call, mysql: Active, real: impl Fn() -> c_int) -> c_int {
    let Some(guest) = call.enter(mysql) else { return real() };
    let Some(sent) = decide(|| guest.state().sent.take()).flatten() else { return real() };
    let mut attempts = 0;
    let words = decide(|| sent.alone.then(|| guest.native.listen()).flatten()).flatten();
    let mut returned = Returned::from(real(), words);
    loop {
        match decide(|| guest.after(&sent.text, &sent.statement, returned, &mut attempts)) {
            // Sent and read in one: the connection that was waiting to be read is gone.
            Some(Next::Send) => {
                let words = decide(|| guest.native.listen()).flatten();
                returned = Returned::from(c_int::from(guest.native.run(&sent.text) != 0), words);
            }
            Some(Next::Deliver(code)) => return code,
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

/// A command of the protocol without a text leaves what the statement before it left: nothing is asked before it that
/// can be asked another time.
fn is_command(statement: &Statement) -> bool {
    std::ptr::eq(statement, &HARMLESS)
}

/// A call that is never made twice (KILL, list functions): only looked after beforehand.
pub fn once<T>(call: Call, mysql: Active, real: impl Fn() -> T) -> T {
    let Some(guest) = call.enter(mysql) else { return real() };
    let _ = decide(|| guest.before(&HARMLESS, &mut 0));
    real()
}

/// A call that speaks of this very server (KILL, shutdown): made where the handle is.
pub fn untouched<T>(call: Call, mysql: Active, real: impl Fn() -> T) -> T {
    // Entered all the same: what the library calls meanwhile is nested.
    let _guest = call.enter(mysql);
    real()
}

/// What the library would have said of a connection found dead before sending.
fn server_gone() -> Failure {
    Failure::new(evidence::SERVER_GONE, b"HY000", "MySQL server has gone away")
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
    pub fn from(code: c_int, words: Option<LastWords>) -> Self {
        Returned { code, never_left: words.is_some_and(LastWords::never_left) }
    }
}

/// What was decided before a statement is sent.
pub(super) struct Look {
    pub attempts: u32,
    /// To be sent, with an ear for what becomes of it; or what the application gets without (`None`: what the library says).
    pub ready: Result<Option<LastWords>, Option<c_int>>,
}

impl Look {
    fn first(guest: &Guest, statement: &Statement) -> Self {
        Self::again(guest, statement, 0)
    }

    fn again(guest: &Guest, statement: &Statement, mut attempts: u32) -> Self {
        let ready = match guest.before(statement, &mut attempts) {
            Next::Deliver(code) => Err(Some(code)),
            Next::Send => Ok(guest.listen(statement)),
        };
        Look { attempts, ready }
    }
}

impl Guest {
    pub(super) fn classify(&self, text: &[u8]) -> Statement {
        let statement = classify_in(text, || self.dialect());
        let Some(SessionEffect::Execute(name)) = statement.session.last() else { return statement };
        let dialect = self.dialect();
        let Some(known) = self.state().session.named(name).map(|text| classify(text, dialect)) else {
            return statement;
        };
        // What it leaves behind has no text of its own that could be run again; names mean what they mean here.
        let here = self.state().session.named_here(name);
        let leaves = |effect: &SessionEffect| match effect {
            SessionEffect::Pin(_) | SessionEffect::Unpin(_) => false,
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
        judge: impl FnMut(Returned, &mut u32) -> Next,
    ) -> c_int {
        match decide(|| Look::first(self, statement)) {
            Some(look) => self.attend_after(look, |attempts| Look::again(self, statement, attempts), real, judge),
            None => real(),
        }
    }

    /// The same, once the first look was had; `again` has the next ones.
    pub(super) fn attend_after(
        &self,
        mut look: Look,
        again: impl Fn(u32) -> Look,
        real: impl Fn() -> c_int,
        mut judge: impl FnMut(Returned, &mut u32) -> Next,
    ) -> c_int {
        loop {
            let words = match look.ready {
                Ok(words) => words,
                Err(Some(code)) => return code,
                Err(None) => return real(),
            };
            let returned = Returned::from(real(), words);
            let next = decide(|| match judge(returned, &mut look.attempts) {
                Next::Send => Err(again(look.attempts)),
                Next::Deliver(code) => Ok(code),
            });
            match next {
                Some(Err(again)) => look = again,
                Some(Ok(code)) => return code,
                None => return returned.code,
            }
        }
    }

    /// Before a statement is sent: is this still the server that the endpoint means, and is it still there?
    pub(super) fn before(&self, statement: &Statement, attempts: &mut u32) -> Next {
        let endpoint = self.endpoint();
        if config().mode == Mode::Observe || !self.idle() {
            return Next::Send;
        }
        if statement.uses_previous && self.misses(statement) {
            say!(
                Warn,
                "{}: a statement asks for what the one before it left (LAST_INSERT_ID(), ROW_COUNT(), …) on a connection \
                 that has moved since; the connection is reported lost",
                endpoint.name
            );
            return self.deliver(&server_gone(), 1, true);
        }
        if endpoint.role() == Role::Unknown
            && !statement.uses_previous
            && !is_command(statement)
            && !self.in_transaction()
            && std::mem::take(&mut self.state().ask_next)
            && probe::ask(self) == Writability::Writable
            && let Some(peer) = { self.state().peer }
        {
            endpoint.seen_writable(peer);
        }
        if endpoint.role() == Role::Unknown {
            return Next::Send;
        }
        if self.native.hung_up() {
            // Found dead before sending: it was not sent. The error is what the library would have said.
            self.native.set_failure(&server_gone());
            return self.rescue(Evidence::NotSent, statement, attempts, 1);
        }
        if endpoint.role() == Role::Reader {
            return Next::Send;
        }
        if !statement.uses_previous
            && !is_command(statement)
            && !self.state().session.awaits_transaction()
            && endpoint.topology_is_due()
            && !self.in_transaction()
            && self.state().session.pinned().is_none()
        {
            endpoint.on_topology(probe::read_topology(self));
        }
        let pulse = endpoint.pulse();
        if self.state().pulse == pulse && !pulse.unsettled() && !pulse.circuit_open() {
            return Next::Send;
        }
        // Reads of a pinned session or an open transaction go on where they are; so does a statement that asks for
        // what the one before it left on this very connection.
        if self.in_transaction() || self.state().session.pinned().is_some() || statement.uses_previous {
            return Next::Send;
        }
        // With the circuit open nothing waits: it is one look, at most once a second.
        let must_ask = pulse.circuit_open() || pulse.unsettled() && endpoint.asks_before_sending();
        // One lock after the other: the endpoint's comes before a handle's.
        let peer = self.state().peer;
        let elsewhere = !pulse.circuit_open() && peer != endpoint.incumbent();
        if must_ask || elsewhere {
            return self.follow(must_ask);
        } else if !pulse.unsettled() {
            self.state().pulse = pulse;
        }
        Next::Send
    }

    /// The statement asks for what was left on another connection.
    pub(super) fn misses(&self, statement: &Statement) -> bool {
        if self.state().session.misses_id(statement) && probe::has_insert_id(self) {
            self.state().session.on_id();
        }
        self.state().session.misses(statement)
    }

    /// The statement is sent next.
    pub(super) fn listen(&self, statement: &Statement) -> Option<LastWords> {
        if statement.streams {
            self.native.expect_a_stream();
        }
        self.native.listen()
    }

    /// Moves an idle connection to where the endpoint's writer is now, if there is one.
    pub(super) fn follow(&self, ask: bool) -> Next {
        let endpoint = self.endpoint();
        let mut lent = Lent::new(self);
        let target = endpoint.incumbent().filter(|_| !ask);
        let there = match target {
            Some(target) if lent.dial_in_turn(target, self.deadline()).is_ok() => true,
            Some(_) => {
                endpoint.suspect(endpoint.pulse().generation());
                self.writer(&mut lent, self.deadline()).is_some()
            }
            None => self.writer(&mut lent, self.deadline()).is_some(),
        };
        if lent.fresh
            && let Err(failure) = replay::restore(self)
        {
            say!(
                Warn,
                "{}: the session could not be restored (error {}); the connection is reported lost",
                endpoint.name,
                failure.number
            );
            // Not sent: it would run in a session that the application did not set up.
            return self.deliver(&server_gone(), 1, true);
        }
        if there {
            endpoint.after_replays();
            self.state().pulse = endpoint.pulse();
        }
        Next::Send
    }

    /// After the answer: what does it mean for the session, and if it is an error, what is to be done?
    pub(super) fn after(&self, text: &[u8], statement: &Statement, returned: Returned, attempts: &mut u32) -> Next {
        let code = returned.code;
        if code == 0 {
            let rows = self.native.field_count() > 0;
            let (affected, insert_id) = (self.native.affected_rows(), self.native.insert_id());
            let reply = if rows { Reply::Pending } else { Reply::Done { affected, insert_id } };
            let plain_read = rows && statement.only_reads && statement.atomic && !self.status_in_transaction();
            if plain_read {
                self.state().read.note(text, statement);
            }
            let pending = match rows {
                true => Pending::Announced { read: plain_read },
                false => Pending::None,
            };
            self.succeeded(text.into(), statement, reply, pending);
            return Next::Deliver(code);
        }
        let failure = self.native.failure();
        match evidence_of(&failure) {
            // No server executes a command that it does not have to its last byte. (It may execute one whose file it
            // does not have to its last byte.)
            Some(Evidence::Unknown) if returned.never_left && !statement.streams => {
                self.rescue(Evidence::NotSent, statement, attempts, code)
            }
            Some(evidence) => self.rescue(evidence, statement, attempts, code),
            None => {
                let in_transaction = self.in_transaction();
                let now = SystemTime::now();
                if self.state().session.on_failure(statement, text, failure.number, in_transaction, now) {
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

    pub(super) fn succeeded(&self, ran: Ran<'_>, statement: &Statement, reply: Reply, pending: Pending) {
        // Perhaps a writer after all. It is asked before the next statement: a question now would overwrite what the
        // application is about to read from the handle.
        let changed = matches!(reply, Reply::Done { affected, .. } if affected > 0 && affected != u64::MAX)
            && !statement.only_reads
            && self.endpoint().role() == Role::Unknown;
        let in_transaction = self.status_in_transaction();
        let mut state = self.state();
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
            state.session.on_savepoint_unseen();
        }
        let overflowed = state.session.overflowed();
        // Kept with a transaction's statements only.
        let moment = if in_transaction { SystemTime::now() } else { SystemTime::UNIX_EPOCH };
        state.session.on_success(statement, ran, reply, in_transaction, moment);
        if state.session.overflowed() && !overflowed {
            say_of_overflow(self.endpoint());
        }
        state.result = pending;
        state.ask_next |= changed;
    }
}
