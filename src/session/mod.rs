//! The session of one connection: what restore rebuilds, what pins it, and the open transaction.
//!
//! Pure: it is told of every statement that succeeded or failed and answers what may be done. Shared by both front
//! ends.

pub mod execution;
pub mod journal;
mod named;
pub mod prepared;
pub mod transaction;

use std::{collections::BTreeSet, time::SystemTime};

use crate::sql::{Pin, SessionEffect, Statement, TransactionEffect};
use execution::Ran;
use journal::Journal;
use named::NamedStatements;
use prepared::Statements;
use transaction::{Digest, Log, Reply};

#[derive(Clone, Debug, Default)]
pub struct Session {
    /// The current database, if it was chosen after the connect.
    database: Option<Vec<u8>>,
    journal: Journal,
    /// `SET TRANSACTION` for the next transaction only.
    next_transaction: Option<Vec<u8>>,
    /// `mysql_set_server_option`, its number.
    server_option: Option<i32>,
    pins: BTreeSet<Pin>,
    /// SQL-level PREPARE.
    named: NamedStatements,
    /// Live prepared statements.
    pub prepared: Statements,
    transaction: Option<Log>,
    /// A statement failed that may have committed first (DDL), or rolled back more than itself: nobody knows what
    /// is open on the server, since an ERR packet carries no status.
    unclear: bool,
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
        let leaves_something = statement.session.iter().any(|effect| {
            use SessionEffect::{Deallocate, Journal, PrepareSql, Use};
            matches!(effect, Use(_) | Journal | PrepareSql(..) | Deallocate(_))
        });
        if leaves_something {
            self.session_changed();
        }
        let next = self.next_transaction.take();
        for effect in &statement.session {
            match effect {
                SessionEffect::Use(name) => self.database = Some(name.clone()),
                SessionEffect::Journal => {
                    let kept = ran.whole_text().is_some_and(|text| {
                        self.prepared.on_set(text);
                        self.journal.push(text)
                    });
                    if !kept {
                        self.pins.insert(Pin::Unclear);
                    }
                }
                SessionEffect::Autocommit(_) => {}
                SessionEffect::NextTransaction => match ran.whole_text() {
                    Some(text) => self.next_transaction = Some(text.to_vec()),
                    None => {
                        self.pins.insert(Pin::Unclear);
                    }
                },
                SessionEffect::PrepareSql(name, text) => {
                    let database = self.database.as_deref();
                    let kept = ran.whole_text().is_some_and(|prepare| {
                        self.named.prepared((name, text.as_deref()), prepare, database, &mut self.journal)
                    });
                    if !kept {
                        self.pins.insert(Pin::PreparedSql);
                    }
                }
                SessionEffect::Deallocate(name) => self.named.deallocated(name, &mut self.journal),
                SessionEffect::Execute(_) => {}
                SessionEffect::Pin(pin) => {
                    self.pins.insert(*pin);
                }
                SessionEffect::Unpin(pin) => {
                    self.pins.remove(pin);
                }
            }
        }
        self.log(statement, ran, reply, in_transaction, next, moment);
    }

    fn log(
        &mut self,
        statement: &Statement,
        ran: Ran<'_>,
        reply: Reply,
        in_transaction: bool,
        next: Option<Vec<u8>>,
        moment: SystemTime,
    ) {
        match statement.transaction {
            _ if !in_transaction => self.transaction = None,
            TransactionEffect::Begin | TransactionEffect::None | TransactionEffect::Savepoint => {
                if statement.transaction == TransactionEffect::Begin {
                    self.transaction = None;
                }
                let log = self.transaction.get_or_insert_with(|| {
                    let mut log = Log::default();
                    if let Some(next) = next {
                        log.push(&next, Reply::Done { affected: 0, insert_id: 0 }, moment);
                    }
                    log
                });
                if statement.varies {
                    log.spoil("a function whose value changes");
                }
                // Within the log, the statement before it is replayed too.
                if statement.uses_previous && !log.claims_ids() {
                    log.spoil("a statement that depends on the one before it");
                }
                if !statement.atomic {
                    log.spoil("a CALL or several statements in one text");
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

    /// A replay starts from the session as it is in the end: right only if it did not change on the way.
    fn session_changed(&mut self) {
        if let Some(log) = &mut self.transaction {
            log.spoil("a change of the session inside the transaction");
        }
    }

    /// The application stored the result set of its last statement.
    pub fn on_stored(&mut self, digest: Digest) {
        if let Some(log) = &mut self.transaction {
            log.stored(digest);
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
        self.database = Some(name.to_vec());
    }

    /// `mysql_set_server_option`.
    pub fn on_server_option(&mut self, option: i32) {
        self.session_changed();
        self.server_option = Some(option);
    }

    pub fn server_option(&self) -> Option<i32> {
        self.server_option
    }

    /// `mysql_change_user`, `mysql_reset_connection`, or the library connected anew by itself.
    pub fn forget(&mut self) {
        *self = Session::default();
    }

    /// The transaction is gone (rolled back, victim).
    pub fn transaction_gone(&mut self) {
        self.transaction = None;
        self.unclear = false;
    }

    /// `mysql_stmt_prepare` of the statement at this address. `counts`: its parameters and fields.
    pub fn on_prepared(&mut self, address: usize, text_and_class: (&[u8], Statement), counts: (u32, u32)) {
        self.prepared.insert(address, text_and_class, counts, self.database.as_deref());
    }

    /// Something happened on this connection that we did not see.
    pub fn pin(&mut self, pin: Pin) {
        self.pins.insert(pin);
    }

    /// What cannot be rebuilt, if anything.
    pub fn pinned(&self) -> Option<&'static str> {
        if let Some(pin) = self.pins.first() {
            return Some(match pin {
                Pin::TemporaryTable => "a temporary table",
                Pin::UserLock => "GET_LOCK",
                Pin::TableLock => "LOCK TABLES",
                Pin::GlobalLock => "a global lock",
                Pin::Xa => "an XA transaction",
                Pin::Handler => "an open HANDLER",
                Pin::UserVariable => "a user variable set from data",
                Pin::PreparedSql => "an SQL PREPARE",
                Pin::Call => "a CALL",
                Pin::Unclear if self.journal.overflowed() => "more SET statements than are kept",
                Pin::Unclear => "a statement whose effect on the session is not clear",
            });
        }
        if self.unclear {
            return Some("a transaction of which nobody knows whether it is open");
        }
        if !self.named.belong_to(self.database()) {
            return Some("an SQL PREPARE in another database");
        }
        self.prepared.pinned(self.database())
    }

    /// What EXECUTE of this name runs, as far as that is known.
    pub fn named(&self, name: &[u8]) -> Option<&[u8]> {
        self.named.text(name)
    }

    pub fn transaction(&self) -> Option<&Log> {
        self.transaction.as_ref()
    }

    pub fn database(&self) -> Option<&[u8]> {
        self.database.as_deref()
    }

    /// What is to be run on a fresh session, in this order, after the database was chosen.
    pub fn to_restore(&self) -> impl Iterator<Item = &[u8]> {
        self.journal.statements().chain(self.next_transaction.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::execution::Act;
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;
    const DONE: Reply = Reply::Done { affected: 1, insert_id: 0 };

    fn plain(transaction: TransactionEffect, session: Vec<SessionEffect>) -> Statement {
        Statement {
            only_reads: false,
            vouched: false,
            atomic: true,
            uses_previous: false,
            varies: false,
            streams: false,
            transaction,
            session,
        }
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
        assert_eq!(session.database(), Some(&b"shop"[..]));
        assert_eq!(session.to_restore().collect::<Vec<_>>(), [&b"SET NAMES utf8mb4"[..], b"SET time_zone = '+00:00'"]);
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
    fn without_autocommit_a_transaction_begins_with_its_first_statement() {
        let mut session = Session::default();
        session.on_success(&write(), b"INSERT 1", DONE, true, NOW);
        assert_eq!(session.transaction().unwrap().entries().len(), 1);
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
        let spoilers: [fn(&mut Statement); 3] = [|s| s.varies = true, |s| s.uses_previous = true, |s| s.atomic = false];
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
