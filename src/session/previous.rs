//! What earlier statements left on the connection for later ones to ask for: LAST_INSERT_ID(), ROW_COUNT(), warnings.
//!
//! It does not move with the session, and what a fresh session would answer instead is wrong. Pure.

use crate::sql::{SessionEffect, Statement};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    /// LAST_INSERT_ID() may be other than 0.
    generated: bool,
    /// A statement of the application has left an outcome.
    answered: bool,
    /// What the very last statement left is not on this connection.
    outcome_lost: bool,
    /// The outcome of its last query, and of the last statement that named a table.
    found_rows_lost: bool,
    diagnostics_lost: bool,
    /// LAST_INSERT_ID() is not on this connection.
    insert_id_lost: bool,
    /// A statement of the application may have written, on this connection and on one before it.
    wrote: bool,
    wrote_elsewhere: bool,
}

impl Previous {
    /// The session is on a fresh connection.
    pub fn on_move(&mut self) {
        self.on_question();
        self.insert_id_lost |= self.generated;
        self.wrote_elsewhere |= std::mem::take(&mut self.wrote);
    }

    /// A statement that the application did not send ran on the connection.
    pub fn on_question(&mut self) {
        self.outcome_lost |= self.answered;
        self.found_rows_lost |= self.answered;
        self.diagnostics_lost |= self.answered;
    }

    /// A statement of the application succeeded, and was told this insert id. `rows`: it was answered with rows, which tell of
    /// no insert id.
    pub fn on_statement(&mut self, statement: &Statement, insert_id: u64, rows: bool) {
        self.answered = true;
        self.wrote |= !statement.only_reads;
        self.outcome_lost = false;
        self.found_rows_lost &= !(statement.atomic && statement.queries);
        self.diagnostics_lost &= !(statement.atomic && statement.names_table);
        // What the later statements of a text generate is not told here.
        let several = !statement.atomic && !statement.only_reads;
        // INSERT … RETURNING.
        let returning = rows && !statement.only_reads && !statement.queries;
        let may_generate = statement.uses_insert_id || several || returning;
        // It is told of an explicit id as well, which is not LAST_INSERT_ID(): what is lost stays so.
        self.generated |= may_generate || insert_id != 0;
    }

    /// A statement of the application failed with this error. An INSERT may have generated an id before it did.
    pub fn on_failure(&mut self, statement: &Statement, number: u32) {
        self.answered = true;
        // CR_* are the library's own: no server has heard of the statement.
        if !matches!(number, 2000..=2999 | 5000..=5999) {
            (self.outcome_lost, self.diagnostics_lost) = (false, false);
        }
        self.generated |= !statement.only_reads;
        self.wrote |= !statement.only_reads;
    }

    /// So many warnings were left by the last statement on this connection: the application's own, and no earlier ones are left
    /// beside them.
    pub fn on_warnings(&mut self, warnings: u32) {
        self.diagnostics_lost &= self.outcome_lost || warnings == 0;
    }

    /// LAST_INSERT_ID() is not 0 on this connection: it was generated on it.
    pub fn on_id(&mut self) {
        self.insert_id_lost = false;
    }

    /// The statement asks for an id that was generated on another connection, unless one was on this.
    pub fn misses_id(&self, statement: &Statement) -> bool {
        self.insert_id_lost && statement.uses_insert_id
    }

    /// Values of sequences and the like that the statement asks for, and that were perhaps left on another connection: the
    /// questions that show whether they are here.
    pub fn in_doubt(&self, statement: &Statement) -> Vec<Option<Vec<u8>>> {
        let questions = statement.session.iter().filter_map(|effect| match effect {
            SessionEffect::Asks(question) => Some(question.clone()),
            _ => None,
        });
        if self.wrote_elsewhere { questions.collect() } else { Vec::new() }
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
    use crate::sql::{Dialect, Server, classify};

    fn missed(previous: Previous, text: &str) -> bool {
        previous.is_missed_by(&classify(text.as_bytes(), Dialect::default()))
    }

    fn told(previous: &mut Previous, text: &str, insert_id: u64) {
        previous.on_statement(&classify(text.as_bytes(), Dialect::default()), insert_id, false);
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
            previous.on_failure(&classify(text.as_bytes(), Dialect::default()), 1062);
            previous.on_move();
            previous
        };
        let insert = failed("INSERT INTO t VALUES (1), (1)");
        assert!(missed(insert, "SELECT LAST_INSERT_ID()") && missed(insert, "SHOW ERRORS"));
        assert!(!missed(failed("SELECT n FROM missing"), "SELECT LAST_INSERT_ID()"));
    }

    #[test]
    fn what_a_statement_left_on_this_connection_is_not_missed_whatever_was_before_it() {
        let questioned = || {
            let mut previous = Previous::default();
            told(&mut previous, "SELECT n FROM t", 0);
            previous.on_question();
            previous
        };
        // It fails, and its error is the last one; not if no server has heard of it.
        for (number, missed_too) in [(1062, false), (1064, false), (2014, true)] {
            let mut previous = questioned();
            previous.on_failure(&classify(b"INSERT INTO t VALUES (1)", Dialect::default()), number);
            for ask in ["SHOW WARNINGS", "SELECT ROW_COUNT()"] {
                assert_eq!(missed(previous, ask), missed_too, "{number}: {ask}");
            }
        }
        // It names no table, and leaves warnings of its own; or none, and then on MariaDB those before it are still there.
        for text in ["SELECT CAST('x' AS SIGNED)", "DROP TABLE IF EXISTS missing"] {
            let mut previous = questioned();
            told(&mut previous, text, 0);
            assert!(missed(previous, "SHOW WARNINGS"), "{text}");
            previous.on_warnings(1);
            assert!(!missed(previous, "SHOW WARNINGS"), "{text}");
            previous.on_question();
            previous.on_warnings(1);
            assert!(missed(previous, "SHOW WARNINGS"), "{text}: a question of ours came last");
        }
        let mut previous = questioned();
        told(&mut previous, "WITH c AS (SELECT 1) SELECT SQL_CALC_FOUND_ROWS * FROM c", 0);
        assert!(!missed(previous, "SELECT FOUND_ROWS()"));
    }

    #[test]
    fn an_insert_that_answers_with_rows_may_have_generated_an_id_and_a_query_has_not() {
        for (text, lost) in [("INSERT INTO t (v) VALUES (1) RETURNING id", true), ("SELECT * FROM t FOR UPDATE", false)]
        {
            let mut previous = Previous::default();
            previous.on_statement(&classify(text.as_bytes(), Dialect::default()), 0, true);
            previous.on_move();
            previous.on_question();
            assert_eq!(previous.misses_id(&classify(b"SELECT LAST_INSERT_ID()", Dialect::default())), lost, "{text}");
        }
    }

    #[test]
    fn a_session_that_never_generated_an_id_has_lost_none() {
        let mut previous = Previous::default();
        previous.on_question();
        previous.on_move();
        assert!(!missed(previous, "SELECT LAST_INSERT_ID()") && !missed(previous, "SELECT ROW_COUNT()"));
    }

    #[test]
    fn the_last_value_of_a_sequence_is_in_doubt_once_a_session_that_wrote_has_moved() {
        let dialect = Dialect { server: Server::MariaDb(101106), ..Dialect::default() };
        let asks = |previous: &Previous, text: &str| previous.in_doubt(&classify(text.as_bytes(), dialect));
        let all = [
            ("INSERT INTO child VALUES (LASTVAL(s))", Some("SELECT LASTVAL(`s`)")),
            ("SELECT lastval ( shop . `a``b` )", Some("SELECT LASTVAL(`shop`.`a``b`)")),
            ("SELECT PREVIOUS VALUE FOR shop.s", Some("SELECT LASTVAL(`shop`.`s`)")),
            ("SELECT s.currval", None),
            ("SELECT @@last_gtid", Some("SELECT @@last_gtid")),
            ("SELECT @@session.LAST_GTID", Some("SELECT @@last_gtid")),
        ];
        let mut previous = Previous::default();
        previous.on_move();
        all.iter().for_each(|(text, _)| assert!(asks(&previous, text).is_empty(), "{text}"));
        previous.on_statement(&classify(b"INSERT INTO parent VALUES (NEXTVAL(s))", dialect), 0, false);
        all.iter().for_each(|(text, _)| assert!(asks(&previous, text).is_empty(), "{text}"));
        previous.on_move();
        for (text, question) in all {
            assert_eq!(asks(&previous, text), [question.map(|it| it.as_bytes().to_vec())], "{text}");
        }
        assert!(asks(&previous, "INSERT INTO parent VALUES (NEXTVAL(s))").is_empty());
    }

    #[test]
    fn a_question_of_ours_overwrites_the_outcome_and_no_insert_id() {
        let mut previous = Previous::default();
        told(&mut previous, "INSERT INTO t VALUES (1)", 5);
        previous.on_question();
        assert!(missed(previous, "SHOW WARNINGS") && !missed(previous, "SELECT @@last_insert_id"));
    }
}
