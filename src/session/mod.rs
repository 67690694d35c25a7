//! The session of one connection: what restore rebuilds, what pins it, and the open transaction.
//!
//! Pure: it is told of every statement that succeeded or failed and answers what may be done. Shared by both front
//! ends.

pub mod execution;
pub mod journal;
mod named;
mod next;
mod pins;
pub mod prepared;
mod previous;
#[cfg(test)]
mod properties;
pub mod transaction;

use std::time::SystemTime;

use crate::sql::{ASCII_UNSAFE_CHARSETS, Name, Pin, SessionEffect, Statement, TransactionEffect};
use execution::Ran;
use journal::{Journal, Refusal, Step, mentions};
use named::NamedStatements;
use next::Next;
use pins::Pins;
use prepared::Statements;
use previous::Previous;
use transaction::{Digest, Log, Reply};

#[derive(Clone, Debug, Default)]
pub struct Session {
    /// The current database, if it was chosen after the connect.
    database: Option<Vec<u8>>,
    /// `mysql_reset_connection` was called.
    reset: Option<Reset>,
    /// `mysql_set_server_option`, its number.
    server_option: Option<i32>,
    journal: Journal,
    next_transaction: Next,
    previous: Previous,
    pins: Pins,
    /// The text that is being answered has several statements, and leaves something.
    under_way: bool,
    /// A SET made of a character set what the classifier cannot read bytewise.
    unsafe_charset: bool,
    /// SQL-level PREPARE.
    named: NamedStatements,
    /// Live prepared statements.
    pub prepared: Statements,
    transaction: Option<Log>,
    /// A savepoint was set without autocommit and before the first statement: no flag tells of it.
    savepoint_unseen: bool,
    /// A statement failed that may have committed first (DDL), or rolled back more than itself: nobody knows what
    /// is open on the server, since an ERR packet carries no status.
    unclear: bool,
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
        moment: SystemTime,
    ) {
        let ran = ran.into();
        use TransactionEffect::{Begin, Commit, Rollback};
        if !in_transaction || matches!(statement.transaction, Begin | Commit | Rollback) {
            self.unclear = false;
        }
        self.savepoint_unseen &= !matches!(statement.transaction, Begin | Commit | Rollback);
        let leaves_something = statement.session.iter().any(|effect| {
            use SessionEffect::{Deallocate, Journal, PrepareSql, Use};
            matches!(effect, Use(_) | Journal | PrepareSql(..) | Deallocate(_))
        });
        if leaves_something {
            self.session_changed();
        }
        let insert_id = if let Reply::Done { insert_id, .. } = reply { insert_id } else { 0 };
        self.previous.on_statement(statement, insert_id);
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
            SessionEffect::Autocommit(_) | SessionEffect::NextTransaction | SessionEffect::Execute(_) => {}
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

    fn log(
        &mut self,
        statement: &Statement,
        ran: Ran<'_>,
        reply: Reply,
        in_transaction: bool,
        next: Next,
        moment: SystemTime,
    ) {
        match statement.transaction {
            _ if !in_transaction => self.transaction = None,
            TransactionEffect::Begin | TransactionEffect::None | TransactionEffect::Savepoint => {
                let mut inherits = false;
                if statement.transaction == TransactionEffect::Begin {
                    inherits = self.transaction.take().is_some_and(|log| !log.is_plain());
                }
                let log = self.transaction.get_or_insert_with(|| {
                    let mut log = Log::default();
                    match next {
                        Next::Set(texts) => texts.iter().for_each(|text| log.begins_with(text, moment)),
                        Next::Unclear => log.begins_unclear(),
                        Next::Default => {}
                    }
                    log
                });
                if inherits {
                    // MySQL: a BEGIN that ends a transaction goes on with that one's READ ONLY and isolation level.
                    log.spoil("a BEGIN inside a transaction of another kind");
                }
                if statement.varies {
                    log.spoil("a function whose value changes");
                }
                // Within the log, the statement before it is replayed too.
                if statement.uses_outcome || statement.uses_insert_id && !log.claims_ids() {
                    log.spoil("a statement that depends on the one before it");
                }
                if !statement.atomic {
                    log.spoil("a CALL or several statements in one text");
                }
                if statement.transaction == TransactionEffect::None && !statement.only_reads {
                    log.on_write();
                }
                log.push(ran, reply, moment);
            }
            // Committed something, and is in a transaction all the same (AND CHAIN, autocommit=0 subtleties).
            _ => {
                let mut log = Log::default();
                log.spoil("a transaction that began unseen");
                self.transaction = Some(log);
            }
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
        moment: SystemTime,
    ) -> bool {
        for effect in &statement.session {
            if let SessionEffect::PrepareSql(name, _) = effect {
                self.session_changed();
                self.named.deallocated(name, &mut self.journal);
            }
        }
        self.on_failed_effects(statement, number);
        self.previous.on_failure(statement);
        if !in_transaction {
            self.next_transaction.on_failure();
        }
        // ER_LOCK_DEADLOCK, ER_XA_RBDEADLOCK: the whole transaction was rolled back.
        if matches!(number, 1213 | 1614) {
            self.transaction = None;
            self.unclear = false;
            return true;
        }
        let plain = matches!(statement.transaction, TransactionEffect::None | TransactionEffect::Savepoint);
        // ER_LOCK_WAIT_TIMEOUT, ER_LOCK_TABLE_FULL, ER_CHECKREAD, ER_TRANSACTION_ROLLBACK_DURING_COMMIT roll back the
        // statement or the whole transaction.
        let rolls_back = matches!(number, 1205 | 1206 | 1020 | 3101);
        if in_transaction && (!plain || !statement.atomic || rolls_back) {
            self.unclear = true;
        }
        if let Some(log) = &mut self.transaction {
            if statement.varies || !statement.atomic || !plain || rolls_back {
                log.spoil("a statement that failed in a way that need not happen again");
            } else {
                log.push(ran, Reply::Failed(number), moment);
            }
        }
        false
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

    /// The statement is in a transaction that no statement of ours began, though autocommit is on.
    pub fn on_began_unseen(&mut self) {
        self.transaction.get_or_insert_default().spoil("a transaction that began unseen");
    }

    /// SAVEPOINT succeeded without autocommit, and the server knows of no transaction.
    pub fn on_savepoint_unseen(&mut self) {
        self.savepoint_unseen = true;
    }

    /// A replay starts from the session as it is in the end: right only if it did not change on the way.
    fn session_changed(&mut self) {
        if let Some(log) = &mut self.transaction {
            log.spoil("a change of the session inside the transaction");
        }
    }

    /// The application stored the result set of its last statement. `in_transaction` is what the server said behind it.
    pub fn on_stored(&mut self, digest: Digest, in_transaction: bool) {
        if !in_transaction {
            self.on_results_over();
        }
        if let Some(log) = &mut self.transaction {
            log.stored(digest);
        }
    }

    /// Behind all results of its last text the server knows of no transaction, whatever it said of the first: before rows,
    /// without autocommit, its flag is that of any query, and several statements may begin and end one.
    pub fn on_results_over(&mut self) {
        let Some(log) = self.transaction.as_ref().filter(|log| log.has_one_statement()) else { return };
        if log.has_settings() {
            // What it seemed to have begun with is for the next one after all, or is not.
            self.next_transaction = Next::Unclear;
        }
        self.transaction = None;
    }

    /// A later statement of the text is in a transaction: one that none of our statements began, if there is no log.
    pub fn on_further_result_in_transaction(&mut self) {
        if self.transaction.is_none() {
            self.on_began_unseen();
        }
    }

    /// The open transaction can be replayed, and the application was told generated ids in it.
    pub fn claims_ids(&self) -> bool {
        self.transaction.as_ref().is_some_and(|log| log.spoilt().is_none() && log.claims_ids())
    }

    pub fn wants_digest(&self) -> bool {
        self.transaction.as_ref().is_some_and(|log| !log.entries().is_empty())
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

    /// The statement asks for what another connection or statement left.
    pub fn misses(&self, statement: &Statement) -> bool {
        statement.uses_previous && self.previous.is_missed_by(statement)
    }

    /// Of that: an id, unless one was generated on this connection.
    pub fn misses_id(&self, statement: &Statement) -> bool {
        self.previous.misses_id(statement)
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

    /// The transaction is gone (rolled back, victim).
    pub fn transaction_gone(&mut self) {
        self.transaction = None;
        self.unclear = false;
    }

    /// The application wants to be rid of a transaction that is gone with its connection: nothing has to be run again.
    pub fn to_be_rolled_back(&mut self) {
        self.transaction = self.transaction.take().map(|_| Log::default());
        self.unclear = false;
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

    /// Something happened on this connection that we did not see.
    pub fn pin(&mut self, pin: Pin) {
        self.pins.pin(pin);
    }

    /// What cannot be rebuilt, if anything.
    pub fn pinned(&self) -> Option<&'static str> {
        if let Some(pin) = self.pins.first() {
            return Some(match pin {
                Pin::TemporaryTable => "a temporary table",
                Pin::UserLock => "a lock taken with GET_LOCK",
                Pin::TableLock => "LOCK TABLES",
                Pin::GlobalLock => "a global lock",
                Pin::Xa => "an XA transaction",
                Pin::Handler => "an open HANDLER",
                Pin::UserVariable => "a user variable set from data",
                Pin::PreparedSql => "an SQL PREPARE",
                Pin::Call => "a CALL or a stored function, which may have changed it",
                Pin::Unclear if self.overflowed() => "more SET statements than are kept (1024, or 64 KiB)",
                Pin::Unclear if self.journal.refusal().is_some() => "a collation that its first database gave it",
                Pin::Unclear => "a statement whose effect on the session is not clear",
            });
        }
        if self.unclear {
            return Some("a transaction of which nobody knows whether it is open");
        }
        if self.savepoint_unseen {
            return Some("a savepoint before the first statement of its transaction");
        }
        if self.next_transaction == Next::Unclear {
            return Some("a SET TRANSACTION of which nobody knows whether it was used");
        }
        if !self.named.can_be_restored_in(self.database.as_deref()) {
            return Some("an SQL PREPARE in the database of the connect, which is not the current one any more");
        }
        self.prepared.pinned(self.database.as_deref())
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

    pub fn transaction(&self) -> Option<&Log> {
        self.transaction.as_ref()
    }

    /// What a fresh session needs before the steps.
    pub fn to_reset(&self) -> Option<&Reset> {
        self.reset.as_ref()
    }

    /// What is to be done to a fresh session, in this order.
    pub fn to_restore(&self) -> impl Iterator<Item = Step> {
        let next = self.next_transaction.texts().iter().map(|text| Step::Text(text.clone()));
        self.journal.steps().cloned().chain(next)
    }
}

fn names_an_unsafe_charset(text: &[u8]) -> bool {
    ASCII_UNSAFE_CHARSETS.iter().any(|name| mentions(text, name))
}

#[cfg(test)]
mod tests {
    use super::execution::Act;
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;
    const DONE: Reply = Reply::Done { affected: 1, insert_id: 0 };

    fn plain(transaction: TransactionEffect, session: Vec<SessionEffect>) -> Statement {
        Statement { only_reads: false, transaction, session, ..Statement::reading() }
    }

    fn write() -> Statement {
        plain(TransactionEffect::None, Vec::new())
    }

    #[test]
    fn database_and_sets_are_restored_in_order() {
        let mut session = Session::default();
        session.on_success(
            &plain(TransactionEffect::None, vec![SessionEffect::Use(b"shop".to_vec())]),
            b"USE shop",
            DONE,
            false,
            NOW,
        );
        for text in ["SET NAMES utf8mb4", "SET time_zone = '+00:00'"] {
            session.on_success(
                &plain(TransactionEffect::None, vec![SessionEffect::Journal]),
                text.as_bytes(),
                DONE,
                false,
                NOW,
            );
        }
        let text = |text: &str| Step::Text(text.into());
        let steps = [Step::Database(b"shop".to_vec()), text("SET NAMES utf8mb4"), text("SET time_zone = '+00:00'")];
        assert_eq!(session.to_restore().collect::<Vec<_>>(), steps);
    }

    #[test]
    fn a_pin_holds_until_it_is_released() {
        let mut session = Session::default();
        let lock = plain(TransactionEffect::None, vec![SessionEffect::Pin(Pin::TableLock)]);
        session.on_success(&lock, b"LOCK TABLES t READ", DONE, false, NOW);
        assert_eq!(session.pinned(), Some("LOCK TABLES"));
        let unlock = plain(TransactionEffect::None, vec![SessionEffect::Unpin(Pin::TableLock)]);
        session.on_success(&unlock, b"UNLOCK TABLES", DONE, false, NOW);
        assert_eq!(session.pinned(), None);
    }

    #[test]
    fn a_set_that_was_executed_with_parameters_cannot_be_run_again_and_pins() {
        let set = plain(TransactionEffect::None, vec![SessionEffect::Journal]);
        let text = b"SET @a = ?";
        let mut session = Session::default();
        session.on_success(&set, Ran::Execution { text, values: Some(&[]) }, DONE, false, NOW);
        assert_eq!((session.pinned(), session.to_restore().count()), (None, 1));
        session.on_success(&set, Ran::Execution { text, values: None }, DONE, false, NOW);
        assert!(session.pinned().is_some());
    }

    fn run(session: &mut Session, text: &str) {
        let statement = crate::sql::classify(text.as_bytes(), crate::sql::Dialect::default());
        session.on_success(&statement, text.as_bytes(), DONE, false, NOW);
    }

    #[test]
    fn a_temporary_table_is_let_go_in_the_database_that_it_was_made_in() {
        let mut session = Session::default();
        for text in ["USE a", "CREATE TEMPORARY TABLE t (n INT)", "USE b", "DROP TEMPORARY TABLE IF EXISTS t"] {
            run(&mut session, text);
            assert_eq!(session.pinned().is_some(), text != "USE a", "{text}");
        }
        run(&mut session, "DROP TEMPORARY TABLE a.t");
        assert_eq!(session.pinned(), None);
        run(&mut session, "CREATE TEMPORARY TABLE t (n INT)");
        run(&mut session, "ALTER TABLE t RENAME TO u");
        run(&mut session, "DROP TEMPORARY TABLE IF EXISTS t");
        assert!(session.pinned().is_some(), "it goes by another name");
    }

    #[test]
    fn a_statement_that_failed_half_way_pins_and_one_that_nobody_could_parse_does_not() {
        let failed = |text: &str, number| {
            let mut session = Session::default();
            let statement = crate::sql::classify(text.as_bytes(), crate::sql::Dialect::default());
            session.on_failure(&statement, text.as_bytes(), number, false, NOW);
            session.pinned()
        };
        for text in ["SELECT a INTO @x FROM t", "CALL p()", "SELECT f(1)", "SELECT GET_LOCK('a', 1), g()", "FROBNICATE"]
        {
            assert!(failed(text, 1242).is_some(), "{text}");
        }
        assert_eq!(failed("SELECT a INTO @x FORM t", 1064), None);
        assert_eq!(failed("CREATE TEMPORARY TABLE t (a INT)", 1050), None);
        assert_eq!(failed("INSERT INTO t (a) VALUES (1)", 1062), None);
    }

    #[test]
    fn a_later_statement_that_fails_leaves_open_what_those_behind_it_would_have_done() {
        let mut session = Session::default();
        run(&mut session, "SELECT 1; USE other");
        session.on_further_failure();
        assert!(session.pinned().is_some());
        let mut session = Session::default();
        run(&mut session, "SELECT 1; SELECT 2");
        session.on_further_failure();
        assert_eq!(session.pinned(), None);
    }

    #[test]
    fn a_reset_leaves_the_database_and_the_server_option_and_ends_every_pin() {
        let mut session = Session::default();
        session.on_server_option(0);
        for text in ["USE shop", "SET @a = 1", "CALL p()", "CREATE TEMPORARY TABLE t (n INT)"] {
            run(&mut session, text);
        }
        session.on_character_set(b"latin1");
        session.on_reset(b"latin1");
        assert_eq!(session.pinned(), None);
        let reset = Reset { character_set: b"latin1".to_vec(), database: Some(b"shop".to_vec()) };
        assert_eq!(session.to_reset(), Some(&reset));
        assert_eq!(session.to_restore().collect::<Vec<_>>(), [Step::ServerOption(0)]);
        session.on_change_user();
        assert_eq!((session.to_reset(), session.to_restore().count()), (None, 1));
    }

    #[test]
    fn a_character_set_that_hides_ascii_is_remembered_by_its_name() {
        for text in ["SET NAMES gbk", "SET character_set_client = 'sjis'", "SET NAMES utf8mb4"] {
            let mut session = Session::default();
            run(&mut session, text);
            assert_eq!(session.unsafe_charset(), text != "SET NAMES utf8mb4", "{text}");
        }
    }

    #[test]
    fn what_a_transaction_that_began_unseen_holds_is_not_replayed() {
        let mut session = Session::default();
        session.on_began_unseen();
        session.on_success(&write(), b"INSERT 1", DONE, true, NOW);
        assert!(session.transaction().unwrap().spoilt().is_some());
    }

    #[test]
    fn a_transaction_is_logged_from_begin_to_its_end() {
        let mut session = Session::default();
        session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
        session.on_success(&write(), b"INSERT 1", DONE, true, NOW);
        session.on_failure(&write(), b"INSERT 1", 1062, true, NOW);
        let entries = session.transaction().unwrap().entries().iter();
        let texts: Vec<_> = entries.map(|entry| entry.act.clone()).collect();
        assert_eq!(texts, [b"BEGIN".to_vec(), b"INSERT 1".to_vec(), b"INSERT 1".to_vec()].map(Act::Text));
        session.on_success(&plain(TransactionEffect::Commit, Vec::new()), b"COMMIT", DONE, false, NOW);
        assert!(session.transaction().is_none());
    }

    #[test]
    fn a_savepoint_before_the_first_statement_pins_until_the_transaction_is_over() {
        let mut session = Session::default();
        session.on_savepoint_unseen();
        run(&mut session, "SET @a = 1");
        assert!(session.pinned().is_some());
        session.on_success(&write(), b"INSERT 1", DONE, true, NOW);
        assert!(session.pinned().is_some());
        run(&mut session, "ROLLBACK");
        assert_eq!(session.pinned(), None);
    }

    #[test]
    fn without_autocommit_a_transaction_begins_with_its_first_statement() {
        let mut session = Session::default();
        session.on_success(&write(), b"INSERT 1", DONE, true, NOW);
        assert_eq!(session.transaction().unwrap().entries().len(), 1);
    }

    #[test]
    fn rows_behind_which_the_server_knows_of_no_transaction_were_none() {
        let digest = || transaction::Digesting::default().finish();
        let mut session = Session::default();
        let rows = |session: &mut Session| session.on_success(&write(), b"SELECT 1", Reply::Pending, true, NOW);
        rows(&mut session);
        session.on_stored(digest(), false);
        assert!(session.transaction().is_none());
        rows(&mut session);
        session.on_stored(digest(), true);
        assert!(session.transaction().is_some());
    }

    #[test]
    fn what_the_later_statements_of_a_text_began_is_not_replayed() {
        let mut session = Session::default();
        let several = Statement { atomic: false, ..write() };
        session.on_success(&several, b"DO 1; INSERT 1", DONE, false, NOW);
        session.on_further_result_in_transaction();
        session.on_success(&write(), b"INSERT 2", DONE, true, NOW);
        assert!(session.transaction().unwrap().spoilt().is_some());
        session.on_results_over();
        assert!(session.transaction().is_none());
    }

    #[test]
    fn a_set_transaction_that_a_query_seemed_to_use_up_pins_once_there_was_no_transaction() {
        let mut session = Session::default();
        for (text, in_transaction) in [("SET TRANSACTION READ ONLY", false), ("SELECT 1", true)] {
            let statement = crate::sql::classify(text.as_bytes(), crate::sql::Dialect::default());
            session.on_success(&statement, text.as_bytes(), Reply::Pending, in_transaction, NOW);
        }
        assert!(session.transaction().is_some() && session.pinned().is_none());
        session.on_stored(transaction::Digesting::default().finish(), false);
        assert!(session.transaction().is_none() && session.pinned().is_some());
    }

    #[test]
    fn a_begin_inside_a_read_only_transaction_is_not_replayed_from_there_on() {
        let spoilt = |texts: &[&str]| {
            let mut session = Session::default();
            for text in texts {
                let statement = crate::sql::classify(text.as_bytes(), crate::sql::Dialect::default());
                let open = !text.starts_with("SET");
                session.on_success(&statement, text.as_bytes(), DONE, open, NOW);
            }
            session.transaction().unwrap().spoilt().is_some()
        };
        assert!(spoilt(&["START TRANSACTION READ ONLY", "BEGIN"]));
        assert!(spoilt(&["SET TRANSACTION READ ONLY", "BEGIN", "BEGIN", "BEGIN"]));
        assert!(!spoilt(&["BEGIN", "INSERT INTO t VALUES (1)", "start transaction"]));
        assert!(!spoilt(&["INSERT INTO t VALUES (1)", "BEGIN"]));
    }

    #[test]
    fn a_transaction_with_a_write_has_not_only_read_whatever_the_server_replied() {
        let log_after = |texts: &[&str]| {
            let mut session = Session::default();
            for text in texts {
                let statement = crate::sql::classify(text.as_bytes(), crate::sql::Dialect::default());
                session.on_success(&statement, text.as_bytes(), Reply::Pending, true, NOW);
                session.on_stored(transaction::Digesting::default().finish(), true);
            }
            session.transaction().unwrap().clone()
        };
        assert!(log_after(&["BEGIN", "SELECT n FROM t", "SAVEPOINT a", "SELECT 2"]).has_only_read());
        for write in ["DELETE FROM t RETURNING n", "UPDATE t SET n = 1 WHERE id = 0", "SELECT unknown()"] {
            assert!(!log_after(&["BEGIN", "SELECT n FROM t", write]).has_only_read(), "{write}");
        }
    }

    #[test]
    fn set_transaction_belongs_to_the_next_transaction_only() {
        let mut session = Session::default();
        let set = plain(TransactionEffect::None, vec![SessionEffect::NextTransaction]);
        session.on_success(&set, b"SET TRANSACTION READ ONLY", DONE, false, NOW);
        assert_eq!(session.to_restore().count(), 1);
        session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
        assert_eq!(session.to_restore().count(), 0);
        let first = &session.transaction().unwrap().entries()[0].act;
        assert_eq!(*first, Act::Text(b"SET TRANSACTION READ ONLY".to_vec()));
    }

    #[test]
    fn what_cannot_be_run_again_alike_spoils_the_transaction() {
        let spoilers: [fn(&mut Statement); 3] = [|s| s.varies = true, |s| s.uses_outcome = true, |s| s.atomic = false];
        for spoil in spoilers {
            let mut session = Session::default();
            session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
            let mut statement = write();
            spoil(&mut statement);
            session.on_success(&statement, b"INSERT", DONE, true, NOW);
            assert!(session.transaction().unwrap().spoilt().is_some());
        }
    }

    #[test]
    fn a_deadlock_ends_the_transaction_and_a_lock_wait_timeout_leaves_it_unclear() {
        let mut session = Session::default();
        session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
        session.on_failure(&write(), b"INSERT", 1205, true, NOW);
        assert!(session.transaction().unwrap().spoilt().is_some());
        session.on_failure(&write(), b"INSERT", 1213, true, NOW);
        assert!(session.transaction().is_none());
    }

    #[test]
    fn a_failed_ddl_in_a_transaction_may_have_committed_so_nothing_is_replayed_until_a_boundary() {
        let mut session = Session::default();
        session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
        session.on_failure(&plain(TransactionEffect::ImplicitCommit, Vec::new()), b"DROP TABLE x", 1051, true, NOW);
        assert!(session.transaction().unwrap().spoilt().is_some() && session.pinned().is_some());
        session.on_success(&write(), b"INSERT", DONE, true, NOW);
        assert!(session.pinned().is_some(), "the flag may be the stale one");
        session.on_success(&plain(TransactionEffect::Commit, Vec::new()), b"COMMIT", DONE, false, NOW);
        assert_eq!(session.pinned(), None);
    }

    #[test]
    fn a_session_that_changed_inside_a_transaction_is_not_replayed() {
        let changes: [fn(&mut Session); 3] = [
            |s| s.on_database(b"other"),
            |s| s.on_server_option(0),
            |s| {
                let set = plain(TransactionEffect::None, vec![SessionEffect::Journal]);
                s.on_success(&set, b"SET @n = 2", DONE, true, NOW);
            },
        ];
        for change in changes {
            let mut session = Session::default();
            session.on_success(&plain(TransactionEffect::Begin, Vec::new()), b"BEGIN", DONE, true, NOW);
            change(&mut session);
            assert!(session.transaction().unwrap().spoilt().is_some());
        }
    }
}
