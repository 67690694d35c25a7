//! The open transaction, as far as a session can tell: what it has run, and whether there is one at all.

use std::time::Instant;

use super::{
    Session,
    execution::Ran,
    leading::Leading,
    next::Next,
    reasons::SpoilReason,
    transaction::{Digest, Log, Reply},
};
use crate::sql::{OnlyHere, Statement, TransactionEffect};

impl Session {
    pub(super) fn log(
        &mut self,
        statement: &Statement,
        ran: Ran<'_>,
        reply: Reply,
        in_transaction: bool,
        next: Next,
        moment: Option<Instant>,
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
                    self.leading.texts().for_each(|text| log.begins_with_savepoint(text, moment));
                    log
                });
                if inherits {
                    // MySQL: a BEGIN that ends a transaction goes on with that one's READ ONLY and isolation level.
                    log.spoil(SpoilReason::BeginInsideAnotherKind);
                }
                if statement.varies {
                    log.spoil(SpoilReason::Varies);
                }
                match statement.only_here {
                    Some(OnlyHere::RowLocks) => log.spoil(SpoilReason::RowLocks),
                    Some(OnlyHere::Snapshot) => log.spoil(SpoilReason::Snapshot),
                    None => {}
                }
                // Within the log, the statement before it is replayed too.
                if statement.uses_outcome || statement.uses_insert_id && !log.claims_ids() {
                    log.spoil(SpoilReason::PreviousOutcome);
                }
                if !statement.atomic {
                    log.spoil(SpoilReason::NotAtomic);
                }
                if statement.transaction == TransactionEffect::None && !statement.only_reads {
                    log.on_write();
                }
                log.push(ran, reply, moment);
            }
            // Committed something, and is in a transaction all the same (AND CHAIN, autocommit=0 subtleties).
            _ => {
                let mut log = Log::default();
                log.spoil(SpoilReason::BeganUnseen);
                self.transaction = Some(log);
            }
        }
    }

    /// Returns true if the transaction is gone for certain.
    pub(super) fn log_failure(
        &mut self,
        statement: &Statement,
        ran: Ran<'_>,
        number: u32,
        in_transaction: bool,
        moment: Option<Instant>,
    ) -> bool {
        // ER_LOCK_DEADLOCK, ER_XA_RBDEADLOCK: the whole transaction was rolled back.
        if matches!(number, 1213 | 1614) {
            self.transaction_gone();
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
                log.spoil(SpoilReason::FailedByChance);
            } else {
                log.push(ran, Reply::Failed(number), moment);
            }
        }
        false
    }

    /// The statement is in a transaction that no statement of ours began, though autocommit is on.
    pub fn on_began_unseen(&mut self) {
        self.transaction.get_or_insert_default().spoil(SpoilReason::BeganUnseen);
    }

    /// A statement about savepoints succeeded without autocommit, and the server knows of no transaction.
    pub fn on_leading_savepoint(&mut self, ran: Ran<'_>) {
        self.leading.add(ran.whole_text());
    }

    /// A replay starts from the session as it is in the end: right only if it did not change on the way.
    pub(super) fn session_changed(&mut self) {
        if let Some(log) = &mut self.transaction {
            log.spoil(SpoilReason::SessionChanged);
        }
    }

    /// The application stored the result set of its last statement. `in_transaction` is what the server said behind it.
    pub fn on_stored(&mut self, digest: Digest, insert_id: u64, in_transaction: bool) {
        if !in_transaction {
            self.on_results_over();
        }
        if let Some(log) = &mut self.transaction {
            log.stored(digest, insert_id);
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

    /// The rows that are being stored may say which id was generated.
    pub fn awaits_generated_rows(&self) -> bool {
        self.transaction.as_ref().is_some_and(Log::awaits_generated_rows)
    }

    /// The transaction is gone (rolled back, victim).
    pub fn transaction_gone(&mut self) {
        self.transaction = None;
        self.leading = Leading::default();
        self.unclear = false;
    }

    /// A call that is no statement succeeded. `in_transaction` is the server's status flag as the client library has it now. An
    /// error leaves the flag as it was, and only another reply of the server takes it out (`mysql_set_character_set` reads
    /// the one to SET NAMES): then no transaction is open.
    pub fn on_flag(&mut self, in_transaction: bool) {
        if self.unclear && !in_transaction {
            self.transaction_gone();
        }
    }

    /// The application wants to be rid of a transaction that is gone with its connection: nothing has to be run again.
    pub fn to_be_rolled_back(&mut self) {
        self.transaction = self.transaction.take().map(|_| Log::default());
        self.leading = Leading::default();
        self.unclear = false;
    }

    pub fn transaction(&self) -> Option<&Log> {
        self.transaction.as_ref()
    }
}
