//! What earlier statements left on the connection for later ones to ask for: LAST_INSERT_ID(), ROW_COUNT(), warnings.
//!
//! It does not move with the session, and what a fresh session would answer instead is wrong. Pure.

use crate::sql::Statement;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    /// LAST_INSERT_ID() may be other than 0.
    generated: bool,
    /// A statement of the application has left an outcome.
    answered: bool,
    /// What the very last statement left is not on this connection.
    outcome_lost: bool,
    /// LAST_INSERT_ID() is not on this connection.
    insert_id_lost: bool,
}

impl Previous {
    /// The session is on a fresh connection.
    pub fn on_move(&mut self) {
        self.outcome_lost |= self.answered;
        self.insert_id_lost |= self.generated;
    }

    /// Somebody else's statement ran on the connection.
    pub fn on_question(&mut self) {
        self.outcome_lost |= self.answered;
    }

    /// A statement of the application succeeded, and was told this insert id.
    pub fn on_statement(&mut self, sets_insert_id: bool, insert_id: u64) {
        self.answered = true;
        self.outcome_lost = false;
        self.generated |= sets_insert_id || insert_id != 0;
        self.insert_id_lost &= insert_id == 0;
    }

    /// Statements that generated ids were run again, and generated the same.
    pub fn on_ids_again(&mut self) {
        self.insert_id_lost = false;
    }

    /// The statement asks for what is not there.
    pub fn is_missed_by(&self, statement: &Statement) -> bool {
        self.outcome_lost && statement.uses_outcome || self.insert_id_lost && statement.uses_insert_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, classify};

    fn missed(previous: Previous, text: &str) -> bool {
        previous.is_missed_by(&classify(text.as_bytes(), Dialect::default()))
    }

    #[test]
    fn an_outcome_is_missed_until_the_next_statement_and_an_insert_id_until_the_next_insert() {
        let mut previous = Previous::default();
        previous.on_statement(false, 5);
        assert!(!missed(previous, "SELECT LAST_INSERT_ID()") && !missed(previous, "SELECT ROW_COUNT()"));
        previous.on_move();
        assert!(missed(previous, "SELECT LAST_INSERT_ID()") && missed(previous, "SELECT ROW_COUNT()"));
        assert!(missed(previous, "KILL 5") && !missed(previous, "SELECT 1"));
        previous.on_statement(false, 0);
        assert!(missed(previous, "SELECT LAST_INSERT_ID()") && !missed(previous, "SELECT FOUND_ROWS()"));
        previous.on_statement(false, 6);
        assert!(!missed(previous, "INSERT INTO t VALUES (LAST_INSERT_ID())"));
    }

    #[test]
    fn a_session_that_never_generated_an_id_has_lost_none() {
        let mut previous = Previous::default();
        previous.on_question();
        previous.on_move();
        assert!(!missed(previous, "SELECT LAST_INSERT_ID()") && !missed(previous, "SELECT ROW_COUNT()"));
    }

    #[test]
    fn a_question_of_ours_overwrites_the_outcome_and_no_insert_id() {
        let mut previous = Previous::default();
        previous.on_statement(false, 5);
        previous.on_question();
        assert!(missed(previous, "SHOW WARNINGS") && !missed(previous, "SELECT @@last_insert_id"));
    }
}
