//! Most texts at one glance: a query, or a change of rows, with nothing in it that takes a lexer to read.
//!
//! It only ever says what the classifier would say, and where it is in any doubt it says nothing: the words and signs
//! below are those that the classifier looks at. That both agree is a property over soups of tokens (`properties`).

use super::{
    Statement,
    functions::{Function, lookup},
};

/// What a byte can be outside of quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Not plain: comments, variables, double quotes, backslashes, `;`, and whatever we do not know.
    Other,
    Space,
    Letter,
    Digit,
    Sign,
    Dot,
    Open,
    /// `-` and `/`, which can begin a comment.
    Dash,
    Slash,
    Text,
    Quoted,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t'..=b'\r' => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b',' | b'=' | b'<' | b'>' | b'*' | b'+' | b'%' | b'!' | b'&' | b'|' | b'^' | b'~' | b'?' | b')' => {
                Class::Sign
            }
            b'.' => Class::Dot,
            b'(' => Class::Open,
            b'-' => Class::Dash,
            b'/' => Class::Slash,
            b'\'' => Class::Text,
            b'`' => Class::Quoted,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

/// What is in quotes, or behind a dot, is no function that we know.
const UNKNOWN: &[u8] = b"`";

/// The class of a plain text, whatever the dialect; `None` if it is not plain.
pub(super) fn classify(sql: &[u8]) -> Option<Statement> {
    let mut at = sql.iter().position(|byte| class(*byte) != Class::Space)?;
    let verb = word(&sql[at..]);
    let (reads, inserts) = match verb.len() {
        6 if verb.eq_ignore_ascii_case(b"SELECT") => (true, false),
        6 if verb.eq_ignore_ascii_case(b"INSERT") => (false, true),
        6 if verb.eq_ignore_ascii_case(b"UPDATE") || verb.eq_ignore_ascii_case(b"DELETE") => (false, false),
        _ => return None,
    };
    at += verb.len();
    // INSERT INTO name (…): a name before a parenthesis that is not called.
    let mut target = false;
    if inserts {
        at += sql[at..].iter().take_while(|byte| class(**byte) == Class::Space).count();
        let into = word(&sql[at..]);
        if !into.eq_ignore_ascii_case(b"INTO") {
            return None;
        }
        at += into.len();
        target = true;
    }
    // The name or word that ended last, if nothing but space came after it.
    let mut name = if inserts { b"" } else { verb };
    let (mut after_number, mut after_dot) = (false, false);
    while let Some(byte) = sql.get(at) {
        let number_ended = std::mem::take(&mut after_number);
        match class(*byte) {
            Class::Space => at += 1,
            Class::Letter => {
                target &= name.is_empty();
                name = word(&sql[at..]);
                if is_notable(name, reads) {
                    return None;
                }
                at += name.len();
                if std::mem::take(&mut after_dot) {
                    name = UNKNOWN;
                }
            }
            Class::Sign => {
                (name, target) = (b"", false);
                at += 1;
            }
            Class::Digit => {
                (name, target) = (b"", false);
                at += sql[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                if sql.get(at).is_some_and(|byte| is_of_a_name(*byte)) {
                    return None;
                }
                after_number = true;
            }
            Class::Dot => {
                let next = sql.get(at + 1).copied().unwrap_or(0);
                // `1.e(` is read differently by servers, `a.1` is a name, and `db.t (…)` is no plain target.
                let beyond_us = number_ended && is_of_a_name(next) && !next.is_ascii_digit();
                if beyond_us || target || !name.is_empty() && next.is_ascii_digit() {
                    return None;
                }
                (name, after_dot) = (b"", true);
                at += 1;
            }
            Class::Open => {
                let keyword = || matches!(lookup(name), Function::Keyword | Function::Pure);
                if !(std::mem::take(&mut target) || name.is_empty() || keyword()) {
                    return None;
                }
                name = b"";
                at += 1;
            }
            Class::Dash | Class::Slash => {
                let comment = if *byte == b'-' { b'-' } else { b'*' };
                if sql.get(at + 1) == Some(&comment) {
                    return None;
                }
                (name, target) = (b"", false);
                at += 1;
            }
            quote @ (Class::Text | Class::Quoted) => {
                let body = &sql[at + 1..];
                let length = body.iter().position(|inner| inner == byte || *inner == b'\\')?;
                if body[length] == b'\\' {
                    return None;
                }
                target &= quote == Class::Quoted && name.is_empty();
                name = if quote == Class::Quoted { UNKNOWN } else { b"" };
                at += 1 + length + 1;
            }
            Class::Other => return None,
        }
    }
    Some(if reads { Statement::reading() } else { Statement::writing() })
}

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

fn is_of_a_name(byte: u8) -> bool {
    matches!(class(byte), Class::Letter | Class::Digit) || byte == b'$' || !byte.is_ascii()
}

/// The letters and digits that the text begins with; empty if more belongs to the name than is plain.
fn word(text: &[u8]) -> &[u8] {
    let length = text.iter().take_while(|byte| matches!(class(**byte), Class::Letter | Class::Digit)).count();
    match text.get(length) {
        Some(byte) if is_of_a_name(*byte) => b"",
        _ => &text[..length],
    }
}

/// Words that may say more than that something is read, or that rows are changed; and the empty one.
fn is_notable(word: &[u8], reads: bool) -> bool {
    let is = |other: &[u8]| word.eq_ignore_ascii_case(other);
    let begins = |start: &[u8]| word.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    let Some(first) = word.first() else { return true };
    match (first | 0x20, word.len()) {
        (b'f', 3) => is(b"FOR"),
        (b'l', 4) => is(b"LOCK"),
        (b'i', 4) => is(b"INTO"),
        (b'i' | b'u' | b'd', 6) => reads && (is(b"INSERT") || is(b"UPDATE") || is(b"DELETE")),
        (b'r', 7) => reads && is(b"REPLACE"),
        (b's', 7) => is(b"SYSDATE"),
        (b'n', 7) => is(b"NEXTVAL"),
        (b'c', 7) => is(b"CURRVAL"),
        (b'c', 8..) => begins(b"CURRENT_"),
        (b'l', 9..) => begins(b"LOCALTIME"),
        (b'u', 4..) => begins(b"UTC_"),
        _ => false,
    }
}
