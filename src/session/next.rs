//! `SET TRANSACTION`, which holds for the next transaction only: whether that one has been, is not always clear.
//!
//! Pure.

use crate::sql::{SessionEffect, Statement, TransactionEffect};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Next {
    #[default]
    Default,
    /// Statements that the next transaction will follow.
    Set(Vec<Vec<u8>>),
    /// They may have been used up, by a statement that was perhaps a transaction of its own: a SELECT without a table is
    /// none, one of a table is.
    Unclear,
}

impl Next {
    /// Returns what the transaction that the statement is in began with. `text`: if it can be run again.
    pub fn on_success(&mut self, statement: &Statement, text: Option<&[u8]>, in_transaction: bool) -> Next {
        if statement.session.contains(&SessionEffect::NextTransaction) {
            match (&mut *self, text) {
                // Isolation and access mode are set apart, and both hold.
                (Next::Set(texts), Some(text)) => texts.push(text.to_vec()),
                (Next::Default, Some(text)) => *self = Next::Set(vec![text.to_vec()]),
                _ => *self = Next::Unclear,
            }
            return Next::Default;
        }
        let ends = matches!(statement.transaction, TransactionEffect::Commit | TransactionEffect::Rollback);
        if in_transaction || ends {
            return std::mem::take(self);
        }
        use SessionEffect::{Autocommit, Deallocate, Journal, PrepareSql, Use};
        // Measured on both servers: what is only prepared uses nothing up, in SQL and by COM_STMT_PREPARE.
        let uses_nothing = |effect: &SessionEffect| match effect {
            Journal | Use(_) | Autocommit(_) => statement.only_reads,
            PrepareSql(..) | Deallocate(_) => true,
            _ => false,
        };
        let is_none = statement.atomic
            && statement.transaction == TransactionEffect::None
            && !statement.session.is_empty()
            && statement.session.iter().all(uses_nothing);
        if *self != Next::Default && !is_none {
            *self = Next::Unclear;
        }
        Next::Default
    }

    /// A statement outside a transaction failed: it may have been one.
    pub fn on_failure(&mut self) {
        if *self != Next::Default {
            *self = Next::Unclear;
        }
    }

    pub fn texts(&self) -> &[Vec<u8>] {
        match self {
            Next::Set(texts) => texts,
            Next::Default | Next::Unclear => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, classify};

    fn after(texts: &[(&str, bool)]) -> Next {
        let mut next = Next::default();
        for (text, in_transaction) in texts {
            let statement = classify(text.as_bytes(), Dialect::default());
            next.on_success(&statement, Some(text.as_bytes()), *in_transaction);
        }
        next
    }

    const SET: (&str, bool) = ("SET TRANSACTION READ ONLY", false);

    #[test]
    fn it_is_kept_until_a_transaction_certainly_used_it() {
        assert_eq!(after(&[SET, ("SET @a = 1", false), ("USE shop", false)]).texts().len(), 1);
        assert_eq!(after(&[SET, ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", false)]).texts().len(), 2);
        assert_eq!(
            after(&[SET, ("PREPARE s FROM 'DELETE FROM t'", false), ("DROP PREPARE s", false)]).texts().len(),
            1
        );
        assert_eq!(after(&[SET, ("PREPARE s FROM 'DELETE FROM t'", false), ("EXECUTE s", false)]), Next::Unclear);
        assert_eq!(after(&[SET, ("SET autocommit = 0", false)]).texts().len(), 1);
        assert_eq!(after(&[SET, ("SET autocommit = 1", false)]), Next::Unclear, "it commits");
        assert_eq!(after(&[SET, ("BEGIN", true)]), Next::Default);
        assert_eq!(after(&[SET, ("COMMIT", false)]), Next::Default);
    }

    #[test]
    fn after_a_statement_that_may_have_been_a_transaction_nobody_knows() {
        assert_eq!(after(&[SET, ("SELECT 1", false)]), Next::Unclear);
        assert_eq!(after(&[SET, ("SELECT 1", false), SET]), Next::Unclear);
        assert_eq!(after(&[SET, ("SELECT 1", false), ("ROLLBACK", false)]), Next::Default);
        assert_eq!(after(&[("SELECT 1", false)]), Next::Default);
    }

    #[test]
    fn the_transaction_that_uses_it_is_told() {
        let mut next = Next::Set(vec![b"SET TRANSACTION READ ONLY".to_vec()]);
        let begin = classify(b"BEGIN", Dialect::default());
        assert_eq!(next.on_success(&begin, Some(b"BEGIN"), true).texts().len(), 1);
        assert_eq!(next, Next::Default);
    }
}
