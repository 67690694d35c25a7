//! Which statements generate ids that may be chosen for them (`SET insert_id`).

use super::{
    lexer::{Lexer, Reading},
    token::Kind,
};

/// INSERT and REPLACE, whatever comments stand before them. Not with ON DUPLICATE KEY UPDATE: a row that has the chosen
/// id already would be updated instead of the one that is meant.
pub fn takes_a_chosen_id(sql: &[u8]) -> bool {
    const ODKU: &[u8] = b"duplicate";
    let mut lexer = Lexer::new(sql, Reading::USUAL);
    let verb = lexer.next();
    let inserts = verb.kind == Kind::Word && (verb.is_word("INSERT") || verb.is_word("REPLACE"));
    inserts && !lexer.depends_on_conditional() && !sql.windows(ODKU.len()).any(|part| part.eq_ignore_ascii_case(ODKU))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_insert_and_replace_take_a_chosen_id() {
        for text in [
            "INSERT INTO t (v) VALUES ('a')",
            "  /* orm */ replace t VALUES (1)",
            "-- trace\nINSERT t SELECT 1",
            "insert into t (v) values (?) returning id",
        ] {
            assert!(takes_a_chosen_id(text.as_bytes()), "{text}");
        }
        for text in [
            "UPDATE seq SET n = LAST_INSERT_ID(n + 1)",
            "INSERT INTO t (v) VALUES (1) ON DUPLICATE KEY UPDATE v = 2",
            "SELECT 'INSERT'",
            "/*!50000 INSERT INTO t VALUES (1) */",
            "SET STATEMENT max_statement_time = 1 FOR INSERT INTO t VALUES (1)",
            "DELETE FROM t",
            "",
        ] {
            assert!(!takes_a_chosen_id(text.as_bytes()), "{text}");
        }
    }
}
