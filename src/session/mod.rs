//! The session of one connection: what restore rebuilds, what pins it, and the open transaction.
//!
//! Pure: it is told of every statement that succeeded or failed and answers what may be done. Shared by both front
//! ends.

pub mod execution;
pub mod journal;
mod leading;
mod named;
mod next;
mod open;
mod pins;
pub mod prepared;
mod previous;
#[cfg(test)]
mod properties;
pub mod reasons;
#[cfg(test)]
mod tests;
pub mod transaction;

use std::time::Instant;

use crate::sql::{ASCII_UNSAFE_CHARSETS, Name, Pin, SessionEffect, Statement, TransactionEffect};
use execution::Ran;
use journal::{Journal, Refusal, Step, mentions};
use leading::Leading;
use named::NamedStatements;
use next::Next;
use pins::Pins;
use prepared::Statements;
use previous::Previous;
use transaction::{Log, Reply};

#[derive(Clone, Debug, Default)]
pub struct Session {
    next_transaction: Next,
    previous: Previous,
    /// The text that is being answered has several statements, and leaves something.
    under_way: bool,
    /// A SET made of a character set what the classifier cannot read bytewise.
    unsafe_charset: bool,
    /// Savepoints that were set without autocommit and before the first statement: no flag tells of them.
    leading: Leading,
    /// A statement failed that may have committed first (DDL), or rolled back more than itself: it is unknown what
    /// is open on the server, since an ERR packet carries no status.
    unclear: bool,
    /// Live prepared statements.
    pub prepared: Statements,
    transaction: Option<Log>,
    /// The current database, if it was chosen after the connect.
    database: Option<Vec<u8>>,
    /// `mysql_reset_connection` was called.
    reset: Option<Reset>,
    /// `mysql_set_server_option`, its number.
    server_option: Option<i32>,
    journal: Journal,
    /// `auto_increment_increment` as the session had it when it left the server that it began on. That of the server that it
    /// was moved to may be another.
    increment: Option<u64>,
    pins: Pins,
    /// SQL-level PREPARE.
    named: NamedStatements,
}

/// What the library had when it was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    pub character_set: Vec<u8>,
    /// If it was chosen after the connect. The server takes its collation for another one after a reset.
    pub database: Option<Vec<u8>>,
}

impl Session {
    /// The statement succeeded at `moment`. `in_transaction` is what the server's status flag says now.
    pub fn on_success<'a>(
        &mut self,
        statement: &Statement,
        ran: impl Into<Ran<'a>>,
        reply: Reply,
        in_transaction: bool,
        moment: Option<Instant>,
    ) {
        if !in_transaction && self.on_ordinary_success(statement, &reply) {
            return;
        }
        let ran = ran.into();
        use TransactionEffect::{Begin, Chain, Commit, Rollback};
        // These end what was open, whatever it was: the server has begun what is open behind them with them.
        if !in_transaction || matches!(statement.transaction, Begin | Commit | Rollback | Chain) {
            self.unclear = false;
        }
        self.leading.on_success(statement);
        let leaves_something = statement.session.iter().any(|effect| {
            use SessionEffect::{Deallocate, Journal, PrepareSql, Use};
            matches!(effect, Use(_) | Journal | PrepareSql(..) | Deallocate(_))
        });
        if leaves_something {
            self.session_changed();
        }
        self.previous.on_statement(statement, reply.insert_id(), reply.has_rows());
        self.under_way = !statement.atomic && !statement.session.is_empty();
        let next = self.next_transaction.on_success(statement, ran.whole_text(), in_transaction);
        if statement.transaction == Begin {
            // MySQL manual, LOCK TABLES: beginning a transaction releases table locks.
            self.pins.unpin(Pin::TableLock);
        }
        for effect in &statement.session {
            self.leave(effect, ran);
        }
        self.log(statement, ran, reply, in_transaction, next, moment);
    }

    /// A statement succeeded outside of a transaction. False, and nothing is noted: there is more to it.
    #[inline]
    pub fn on_ordinary_success(&mut self, statement: &Statement, reply: &Reply) -> bool {
        let ordinary = statement.is_ordinary() && self.is_ordinary();
        if ordinary {
            // All that is left of `on_success`.
            self.unclear = false;
            self.under_way = false;
            self.previous.on_statement(statement, reply.insert_id(), reply.has_rows());
        }
        ordinary
    }

    /// No transaction is open or announced.
    fn is_ordinary(&self) -> bool {
        self.transaction.is_none() && self.next_transaction == Next::Default
    }

    fn leave(&mut self, effect: &SessionEffect, ran: Ran<'_>) {
        match effect {
            SessionEffect::Use(name) => self.uses(name),
            SessionEffect::Journal => match ran.whole_text() {
                Some(text) => {
                    self.unsafe_charset |= names_an_unsafe_charset(text);
                    self.prepared.on_set(text);
                    self.keep(Step::Text(text.to_vec()));
                }
                None => self.pins.pin(Pin::Unclear),
            },
            SessionEffect::Autocommit(_)
            | SessionEffect::NextTransaction
            | SessionEffect::Execute(_)
            | SessionEffect::Asks(_) => {}
            SessionEffect::PrepareSql(name, text) => {
                let database = self.database.as_deref();
                let kept = ran.whole_text().is_some_and(|prepare| {
                    self.named.prepared((name, text.as_deref()), prepare, database, &mut self.journal)
                });
                if !kept {
                    self.pins.pin(if self.overflowed() { Pin::Unclear } else { Pin::PreparedSql });
                }
            }
            SessionEffect::Deallocate(name) => self.named.deallocated(name, &mut self.journal),
            SessionEffect::Pin(pin) => self.pins.pin(*pin),
            SessionEffect::Unpin(pin) => self.pins.unpin(*pin),
            // A prepared statement's tables are those of the database that it was prepared in.
            SessionEffect::Hold(pin @ Pin::TemporaryTable, Name { qualifier: None, .. })
                if self.may_mean_another(ran) =>
            {
                self.pins.pin(*pin);
            }
            SessionEffect::Release(Pin::TemporaryTable, Name { qualifier: None, .. }) if self.may_mean_another(ran) => {
            }
            SessionEffect::Hold(pin, name) => self.pins.hold(*pin, self.resolved(*pin, name)),
            SessionEffect::Release(pin, name) => self.pins.release(*pin, &self.resolved(*pin, name)),
            SessionEffect::Rename(pin) => self.pins.rename(*pin),
        }
    }

    fn may_mean_another(&self, ran: Ran<'_>) -> bool {
        matches!(ran, Ran::Execution { .. }) && !self.prepared.belong_to(self.database.as_deref())
    }

    fn uses(&mut self, database: &[u8]) {
        self.database = Some(database.to_vec());
        self.keep(Step::Database(database.to_vec()));
    }

    /// A table's name in the database that is current, as far as it is known: under the one of the connect it stays
    /// without.
    fn resolved(&self, pin: Pin, name: &Name) -> Name {
        let qualifier = match pin {
            Pin::TemporaryTable => name.qualifier.clone().or_else(|| self.database.clone()),
            _ => None,
        };
        Name { qualifier, ..name.clone() }
    }

    fn keep(&mut self, step: Step) {
        if self.journal.push(step).is_err() {
            self.pins.pin(Pin::Unclear);
        }
    }

    /// The statement failed, for the application's own reasons. `in_transaction` is what was believed before it.
    /// Returns true if the transaction is gone for certain.
    pub fn on_failure<'a>(
        &mut self,
        statement: &Statement,
        ran: impl Into<Ran<'a>>,
        number: u32,
        in_transaction: bool,
        moment: Option<Instant>,
    ) -> bool {
        for effect in &statement.session {
            if let SessionEffect::PrepareSql(name, _) = effect {
                self.session_changed();
                self.named.deallocated(name, &mut self.journal);
            }
        }
        self.on_failed_effects(statement, number);
        self.previous.on_failure(statement, number);
        if !in_transaction {
            self.next_transaction.on_failure();
        }
        self.log_failure(statement, ran.into(), number, in_transaction, moment)
    }

    /// What a statement may have done before it failed.
    fn on_failed_effects(&mut self, statement: &Statement, number: u32) {
        self.under_way = false;
        // ER_PARSE_ERROR of one statement: nothing was executed.
        if number == 1064 && statement.atomic {
            return;
        }
        for effect in &statement.session {
            match effect {
                SessionEffect::Pin(pin @ (Pin::UserVariable | Pin::UserLock | Pin::Call | Pin::Unclear)) => {
                    self.pins.pin(*pin);
                }
                SessionEffect::Hold(pin @ Pin::UserLock, _) => self.pins.pin(*pin),
                _ => {}
            }
        }
    }

    /// A later statement of the text that is being answered failed: those behind it were not executed.
    pub fn on_further_failure(&mut self) {
        if std::mem::take(&mut self.under_way) {
            self.pins.pin(Pin::Unclear);
        }
    }

    /// `mysql_select_db`.
    pub fn on_database(&mut self, name: &[u8]) {
        self.session_changed();
        self.uses(name);
    }

    /// `mysql_set_character_set`.
    pub fn on_character_set(&mut self, name: &[u8]) {
        self.session_changed();
        self.unsafe_charset |= names_an_unsafe_charset(name);
        self.prepared.on_set(&[b"SET NAMES ", name].concat());
        self.keep(Step::CharacterSet(name.to_vec()));
    }

    /// `mysql_set_server_option`.
    pub fn on_server_option(&mut self, option: i32) {
        self.session_changed();
        self.server_option = Some(option);
        self.keep(Step::ServerOption(option));
    }

    /// The library connected anew by itself.
    pub fn forget(&mut self) {
        *self = Session::default();
    }

    /// `mysql_change_user`: as after a login, but for the server option.
    pub fn on_change_user(&mut self) {
        let option = self.server_option;
        self.forget();
        if let Some(option) = option {
            self.on_server_option(option);
        }
    }

    /// `mysql_reset_connection`: the server forgets all but the database, and what the init command did; the library
    /// keeps its character set, by whichever way it came to it.
    pub fn on_reset(&mut self, character_set: &[u8]) {
        let reset = Reset { character_set: character_set.to_vec(), database: self.database.clone() };
        let mut fresh = Session { reset: Some(reset), database: self.database.take(), ..Session::default() };
        if let Some(option) = self.server_option {
            fresh.on_server_option(option);
        }
        *self = fresh;
    }

    /// The session is being rebuilt on another connection.
    pub fn on_move(&mut self) {
        self.previous.on_move();
    }

    /// A question of ours was answered on its connection.
    pub fn on_question(&mut self) {
        self.previous.on_question();
    }

    /// The statement asks for what another connection or statement left. `warnings`: how many the very last statement on this
    /// connection left.
    pub fn misses(&mut self, statement: &Statement, warnings: u32) -> bool {
        self.previous.on_warnings(warnings);
        statement.uses_previous && self.previous.is_missed_by(statement)
    }

    /// Part of that: an id, unless one was generated on this connection.
    pub fn misses_id(&self, statement: &Statement) -> bool {
        self.previous.misses_id(statement)
    }

    /// What shows whether other values that the statement asks for were left on this connection, if they were left on
    /// another one.
    pub fn in_doubt(&self, statement: &Statement) -> Vec<Option<Vec<u8>>> {
        self.previous.in_doubt(statement)
    }

    /// LAST_INSERT_ID() was generated on this connection.
    pub fn on_id(&mut self) {
        self.previous.on_id();
    }

    /// Texts beyond ASCII cannot be read bytewise any more, as far as is known.
    pub fn unsafe_charset(&self) -> bool {
        self.unsafe_charset
    }

    /// More is set than is kept.
    pub fn overflowed(&self) -> bool {
        self.journal.refusal() == Some(Refusal::Overflow)
    }

    /// `mysql_stmt_prepare` of the statement at this address. `counts`: its parameters and fields.
    pub fn on_prepared(&mut self, address: usize, text_and_class: (&[u8], Statement), counts: (u32, u32)) {
        let class = &text_and_class.1;
        let sets =
            |effect: &SessionEffect| matches!(effect, SessionEffect::Journal | SessionEffect::Pin(Pin::UserVariable));
        if class.user_variables && class.session.iter().any(sets) {
            // MariaDB: from now on the variable has another character set, which no SET says.
            self.pins.pin(Pin::UserVariable);
        }
        self.prepared.insert(address, text_and_class, counts, self.database.as_deref());
    }

    /// What EXECUTE of this name runs, as far as that is known.
    pub fn named(&self, name: &[u8]) -> Option<&[u8]> {
        self.named.text(name)
    }

    /// Is that in the database that is the current one?
    pub fn named_here(&self, name: &[u8]) -> bool {
        self.named.is_at_home(name, self.database.as_deref())
    }

    /// A SET TRANSACTION holds for the next one: even a question of ours would be that.
    pub fn awaits_transaction(&self) -> bool {
        self.next_transaction != Next::Default
    }

    /// What a fresh session needs before the steps.
    pub fn to_reset(&self) -> Option<&Reset> {
        self.reset.as_ref()
    }

    /// What is to be done to a fresh session, in this order.
    pub fn to_restore(&self) -> impl Iterator<Item = Step> {
        let next = self.next_transaction.texts().iter().map(Vec::as_slice);
        // An open transaction begins with them, and is replayed or gone.
        let savepoints = self.leading.texts().filter(|_| self.transaction.is_none());
        let last = next.chain(savepoints).map(|text| Step::Text(text.to_vec()));
        self.journal.steps().cloned().chain(last)
    }

    /// The session leaves a server on which generated ids are so far apart (`None`: not known). What it brought there from a
    /// server before that is what it keeps.
    pub fn leaves(&mut self, increment: Option<u64>) {
        self.increment = self.increment.or(increment);
    }

    /// How far apart generated ids are in it, unless it has not moved or the application has chosen that.
    pub fn increment(&self) -> Option<u64> {
        self.increment
    }

    /// The application has chosen how far apart its generated ids are, or may have.
    pub fn sets_spacing(&self) -> bool {
        self.journal.steps().any(|step| matches!(step, Step::Text(text) if mentions(text, "auto_increment")))
    }
}

fn names_an_unsafe_charset(text: &[u8]) -> bool {
    ASCII_UNSAFE_CHARSETS.iter().any(|name| mentions(text, name))
}
