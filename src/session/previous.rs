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
    /// The same of its last query, and of the last statement that named a table.
    found_rows_lost: bool,
    diagnostics_lost: bool,
    /// LAST_INSERT_ID() is not on this connection.
    insert_id_lost: bool,
}

impl Previous {
    /// The session is on a fresh connection.
    pub fn on_move(&mut self) {
        self.on_question();
        self.insert_id_lost |= self.generated;
    }

    /// Somebody else's statement ran on the connection.
    pub fn on_question(&mut self) {
        self.outcome_lost |= self.answered;
        self.found_rows_lost |= self.answered;
        self.diagnostics_lost |= self.answered;
    }

    /// A statement of the application succeeded, and was told this insert id.
    pub fn on_statement(&mut self, statement: &Statement, insert_id: u64) {
        self.answered = true;
        self.outcome_lost = false;
        self.found_rows_lost &= !(statement.atomic && statement.queries);
        self.diagnostics_lost &= !(statement.atomic && statement.names_table);
        // What the later statements of a text generate is not told here.
        let may_generate = statement.uses_insert_id || !statement.atomic && !statement.only_reads;
        // It is told of an explicit id as well, which is not LAST_INSERT_ID(): what is lost stays so.
        self.generated |= may_generate || insert_id != 0;
    }

    /// A statement of the application failed. An INSERT may have generated an id before it did.
    pub fn on_failure(&mut self, statement: &Statement) {
        self.answered = true;
        self.generated |= !statement.only_reads;
    }

    /// LAST_INSERT_ID() is not 0 on this connection: it was generated on it.
    pub fn on_id(&mut self) {
        self.insert_id_lost = false;
    }

    /// The statement asks for an id that was generated on another connection, unless one was on this.
    pub fn misses_id(&self, statement: &Statement) -> bool {
        self.insert_id_lost && statement.uses_insert_id
    }

    /// The statement asks for what is not there.
    pub fn is_missed_by(&self, statement: &Statement) -> bool {
        self.outcome_lost && statement.uses_outcome
            || self.found_rows_lost && statement.uses_found_rows
            || self.diagnostics_lost && statement.uses_diagnostics
            || self.misses_id(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, classify};

    fn missed(previous: Previous, text: &str) -> bool {
        previous.is_missed_by(&classify(text.as_bytes(), Dialect::default()))
    }

    fn told(previous: &mut Previous, text: &str, insert_id: u64) {
        previous.on_statement(&classify(text.as_bytes(), Dialect::default()), insert_id);
    }

    #[test]
    fn an_outcome_is_missed_until_the_next_statement_and_an_insert_id_until_one_was_generated_here() {
        let mut previous = Previous::default();
        told(&mut previous, "INSERT INTO t VALUES (1)", 5);
        assert!(!missed(previous, "SELECT LAST_INSERT_ID()") && !missed(previous, "SELECT ROW_COUNT()"));
        previous.on_move();
        assert!(missed(previous, "SELECT LAST_INSERT_ID()") && missed(previous, "SELECT ROW_COUNT()"));
        assert!(missed(previous, "KILL 5") && !missed(previous, "SELECT 1"));
        told(&mut previous, "UPDATE t SET n = 1", 0);
        assert!(missed(previous, "SELECT LAST_INSERT_ID()") && !missed(previous, "SELECT ROW_COUNT()"));
        told(&mut previous, "INSERT INTO t (id) VALUES (6)", 6);
        assert!(missed(previous, "SELECT LAST_INSERT_ID()"), "it may be an explicit one");
        previous.on_id();
        assert!(!missed(previous, "INSERT INTO t VALUES (LAST_INSERT_ID())"));
    }

    #[test]
    fn found_rows_are_missed_until_the_next_query_and_warnings_until_the_next_statement_with_a_table() {
        let asks = ["SELECT FOUND_ROWS()", "SHOW WARNINGS", "SELECT @@warning_count", "GET DIAGNOSTICS @n = NUMBER"];
        let after = |texts: &[&str]| {
            let mut previous = Previous::default();
            told(&mut previous, "SELECT SQL_CALC_FOUND_ROWS 'x' + 1 FROM t LIMIT 1", 0);
            previous.on_move();
            texts.iter().for_each(|text| told(&mut previous, text, 0));
            asks.map(|ask| missed(previous, ask))
        };
        assert_eq!(after(&[]), [true; 4]);
        assert_eq!(after(&["SET @a = 1", "DO 1"]), [true; 4]);
        assert_eq!(after(&["SELECT 1"]), [false, true, true, true]);
        assert_eq!(after(&["SELECT TRIM('a' FROM 'ab')"]), [false, true, true, true]);
        assert_eq!(after(&["SELECT 1 FROM DUAL"]), [false, true, true, true]);
        assert_eq!(after(&["UPDATE t SET n = 1"]), [true, false, false, false]);
        assert_eq!(after(&["SELECT n FROM t"]), [false; 4]);
        assert_eq!(after(&["SELECT n FROM t; SET @a = 1"]), [true; 4], "of which the last counts");
    }

    #[test]
    fn what_a_statement_that_failed_has_left_is_missed_too() {
        let failed = |text: &str| {
            let mut previous = Previous::default();
            previous.on_failure(&classify(text.as_bytes(), Dialect::default()));
            previous.on_move();
            previous
        };
        let insert = failed("INSERT INTO t VALUES (1), (1)");
        assert!(missed(insert, "SELECT LAST_INSERT_ID()") && missed(insert, "SHOW ERRORS"));
        assert!(!missed(failed("SELECT n FROM missing"), "SELECT LAST_INSERT_ID()"));
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
        told(&mut previous, "INSERT INTO t VALUES (1)", 5);
        previous.on_question();
        assert!(missed(previous, "SHOW WARNINGS") && !missed(previous, "SELECT @@last_insert_id"));
    }
}
