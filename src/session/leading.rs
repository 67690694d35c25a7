//! Savepoints that a session without autocommit has set before the first statement of its transaction.
//!
//! The server keeps them for that transaction, and its status flag does not tell of them. Frameworks set them that way
//! (Django's nested `atomic()`). They can be set again elsewhere, so they pin nothing. Pure.

use crate::sql::{Statement, TransactionEffect};

/// Statements that are kept at most.
const KEPT: usize = 64;

#[derive(Clone, Debug, Default)]
pub struct Leading {
    /// SAVEPOINT, ROLLBACK TO, RELEASE SAVEPOINT, in their order.
    texts: Vec<Vec<u8>>,
    /// Something is missing in them.
    incomplete: bool,
}

impl Leading {
    /// A statement about savepoints succeeded outside of a transaction. `text`: `None` if it cannot be run again.
    pub fn add(&mut self, text: Option<&[u8]>) {
        match text {
            Some(text) if self.texts.len() < KEPT => self.texts.push(text.to_vec()),
            _ => self.incomplete = true,
        }
    }

    /// A statement succeeded: what ends a transaction ends its savepoints.
    pub fn on_success(&mut self, statement: &Statement) {
        use TransactionEffect::{Begin, Chain, Commit, ImplicitCommit, Opaque, Rollback};
        match statement.transaction {
            Begin | Commit | Rollback | Chain | ImplicitCommit => *self = Leading::default(),
            Opaque => self.incomplete |= !self.texts.is_empty(),
            TransactionEffect::None | TransactionEffect::Savepoint => {}
        }
    }

    pub fn are_incomplete(&self) -> bool {
        self.incomplete
    }

    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.texts.iter().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, classify};

    #[test]
    fn they_are_kept_until_their_transaction_ends_and_beyond_their_bound_they_are_incomplete() {
        let mut leading = Leading::default();
        let (one, two) = (&b"SAVEPOINT a"[..], &b"RELEASE SAVEPOINT a"[..]);
        leading.add(Some(one));
        leading.add(Some(two));
        leading.on_success(&classify(b"INSERT INTO t VALUES (1)", Dialect::default()));
        assert_eq!(leading.texts().collect::<Vec<_>>(), [one, two]);
        for end in ["COMMIT", "ROLLBACK", "BEGIN", "COMMIT AND CHAIN", "CREATE TABLE t (id INT)"] {
            let mut ended = leading.clone();
            ended.on_success(&classify(end.as_bytes(), Dialect::default()));
            assert_eq!(ended.texts().count(), 0, "{end}");
        }
        assert!(!leading.are_incomplete());
        leading.on_success(&classify(b"COMMIT RELEASE", Dialect::default()));
        assert!(leading.are_incomplete());
        let mut many = Leading::default();
        (0..=KEPT).for_each(|_| many.add(Some(one)));
        assert!(many.are_incomplete());
    }
}
