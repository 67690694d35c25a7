//! A SET that gives one variable one value and looks at nothing: what can take the place of an earlier one.

use super::lexer::{Lexer, Reading};
use super::token::{Kind, Token};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub variable: Variable,
    pub value: Value,
}

/// Names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `@name`
    User(Vec<u8>),
    /// The session's.
    System(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// ON, OFF, TRUE, FALSE, DEFAULT: valid or not whatever the SQL mode.
    Switch,
    Number,
    /// `'…'` of plain ASCII, which reads the same in every SQL mode.
    Text,
}

/// `SET x = 1`, `SET SESSION x = 'a'`, `SET @@session.x := ON`, `SET @x = 1`; nothing for whatever else.
pub fn sole_assignment(text: &[u8]) -> Option<Assignment> {
    // Nothing below can be read in two ways.
    if !text.is_ascii() || text.iter().any(|byte| matches!(byte, b'\\' | b'"' | b'`' | b'(')) {
        return None;
    }
    let mut lexer = Lexer::new(text, Reading::USUAL);
    if !lexer.next().is_word("SET") {
        return None;
    }
    let mut token = lexer.next();
    if token.is_word("SESSION") || token.is_word("LOCAL") {
        token = lexer.next();
        if token.kind != Kind::Word {
            return None;
        }
    }
    let variable = match token.kind {
        Kind::UserVariable if token.text.len() > 1 && !token.text.contains(&b'\'') => {
            Variable::User(token.text[1..].to_ascii_lowercase())
        }
        Kind::SystemVariable => {
            let name = token.text[2..].to_ascii_lowercase();
            let name =
                ["session.", "local."].iter().find_map(|scope| name.strip_prefix(scope.as_bytes())).unwrap_or(&name);
            if name.contains(&b'.') {
                return None;
            }
            Variable::System(name.to_vec())
        }
        Kind::Word => Variable::System(token.text.to_ascii_lowercase()),
        _ => return None,
    };
    let sign = lexer.next();
    if !sign.is(b'=') && sign.kind != Kind::Assign {
        return None;
    }
    let value = value(lexer.next())?;
    let mut end = lexer.next();
    while end.is(b';') {
        end = lexer.next();
    }
    let clear = !lexer.depends_on_conditional() && !lexer.doubtful() && !lexer.unterminated();
    (end.kind == Kind::End && clear).then_some(Assignment { variable, value })
}

fn value(token: Token) -> Option<Value> {
    match token.kind {
        Kind::Number => Some(Value::Number),
        Kind::Text => Some(Value::Text),
        Kind::Word if ["ON", "OFF", "TRUE", "FALSE", "DEFAULT"].iter().any(|word| token.is_word(word)) => {
            Some(Value::Switch)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Assignment> {
        sole_assignment(text.as_bytes())
    }

    #[test]
    fn one_variable_and_one_literal_are_an_assignment_in_every_spelling() {
        for text in [
            "SET time_zone='x'",
            "set SESSION time_zone := 'x' ;",
            "SET @@local.Time_Zone = 'x' -- done",
            "SET @@time_zone='x'",
        ] {
            let variable = Variable::System(b"time_zone".to_vec());
            assert_eq!(of(text), Some(Assignment { variable, value: Value::Text }), "{text}");
        }
        assert_eq!(of("SET @A = 1.5").unwrap().variable, Variable::User(b"a".to_vec()));
        assert_eq!(of("SET autocommit=ON").unwrap().value, Value::Switch);
    }

    #[test]
    fn whatever_looks_at_something_or_reads_in_two_ways_is_none() {
        for text in [
            "SET a = @b",
            "SET a = @@b",
            "SET a = 1, b = 2",
            "SET a = 1 + 1",
            "SET a = b",
            "SET a = -1",
            "SET NAMES utf8",
            "SET a = (1)",
            "SET a = 'x\\'",
            "SET a = \"x\"",
            "SET a = 'é'",
            "SET /*!50000 a = */ 1",
            "SET GLOBAL a = 1",
            "SET @@global.a = 1",
            "SET a = 1; SET b = 2",
            "SET a = 1; DELETE FROM t",
            "SET @'x y' = 1",
            "SET a = 'x' 'y'",
            "SET SESSION TRANSACTION READ ONLY",
            "SET a = 'x",
            "SELECT 1",
            "",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
