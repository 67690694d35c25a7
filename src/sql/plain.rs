//! Most texts at one glance: a query, or a change of rows, with nothing in it that takes a lexer to read.
//!
//! It only ever says what the classifier would say, and where it is in any doubt it says nothing: the words and signs
//! below are those that the classifier looks at. That both agree is a property over soups of tokens (`properties`).

use super::{
    Statement,
    functions::{Function, lookup},
};

/// What a byte can be outside of quotes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Letter,
    Digit,
    Space,
    Sign,
    Dot,
    Open,
    Close,
    /// `-` and `/`, which can begin a comment.
    Dash,
    Slash,
    Text,
    Quoted,
    /// Not plain: comments, variables, double quotes, backslashes, `;`, and whatever we do not know.
    Other,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t'..=b'\r' => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b',' | b'=' | b'<' | b'>' | b'*' | b'+' | b'%' | b'!' | b'&' | b'|' | b'^' | b'~' | b'?' => Class::Sign,
            b'.' => Class::Dot,
            b'(' => Class::Open,
            b')' => Class::Close,
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

/// What a plain text does, in every dialect whose character set is safe for it.
#[derive(Debug)]
pub(super) struct Plain {
    pub statement: Statement,
    /// Some text in quotes is not ASCII.
    pub beyond_ascii: bool,
}

/// `None` if the text is not plain.
pub(super) fn classify(sql: &[u8]) -> Option<Plain> {
    let mut at = space(sql, 0);
    let verb = word(sql, &mut at);
    let (reads, inserts) = match verb.len() {
        6 if verb.eq_ignore_ascii_case(b"SELECT") => (true, false),
        6 if verb.eq_ignore_ascii_case(b"INSERT") => (false, true),
        6 if verb.eq_ignore_ascii_case(b"UPDATE") || verb.eq_ignore_ascii_case(b"DELETE") => (false, false),
        _ => return None,
    };
    // INSERT INTO name (…): a name before a parenthesis that is not called.
    let mut target = inserts;
    if inserts {
        at = space(sql, at);
        if !word(sql, &mut at).eq_ignore_ascii_case(b"INTO") {
            return None;
        }
    }
    // The name or word that ended last, if nothing but space came after it.
    let mut name = if inserts { b"" } else { verb };
    let (mut after_number, mut after_dot, mut beyond_ascii) = (false, false, false);
    // FROM outside of parentheses, and not FROM DUAL.
    let (mut depth, mut from) = (0usize, false);
    while let Some(byte) = sql.get(at) {
        let number_ended = std::mem::take(&mut after_number);
        let qualified = class(*byte) != Class::Space && std::mem::take(&mut after_dot);
        let next = || sql.get(at + 1).copied().unwrap_or(0);
        match class(*byte) {
            Class::Space => at += 1,
            Class::Letter => {
                target &= name.is_empty();
                name = word(sql, &mut at);
                if is_notable(name, reads) {
                    return None;
                }
                if qualified {
                    name = UNKNOWN;
                } else if reads && depth == 0 && name.eq_ignore_ascii_case(b"FROM") {
                    from |= !word(sql, &mut space(sql, at)).eq_ignore_ascii_case(b"DUAL");
                }
            }
            Class::Sign => {
                (name, target) = (b"", false);
                at += 1;
            }
            Class::Digit => {
                (name, target) = (b"", false);
                while sql.get(at).is_some_and(u8::is_ascii_digit) {
                    at += 1;
                }
                if sql.get(at).is_some_and(|byte| class(*byte) == Class::Letter) {
                    return None;
                }
                after_number = true;
            }
            Class::Dot => {
                // `1.e(` is read differently by servers, `a.1` is a name, and `db.t (…)` is no plain target.
                let digit = next().is_ascii_digit();
                if number_ended && !digit || !name.is_empty() && digit || target {
                    return None;
                }
                (name, after_dot) = (b"", !number_ended);
                at += 1;
            }
            Class::Open => {
                let keyword = || matches!(lookup(name), Function::Keyword | Function::Pure);
                if !(std::mem::take(&mut target) || name.is_empty() || keyword()) {
                    return None;
                }
                name = b"";
                depth += 1;
                at += 1;
            }
            Class::Close => {
                (name, target) = (b"", false);
                depth = depth.saturating_sub(1);
                at += 1;
            }
            Class::Dash | Class::Slash => {
                if next() == if *byte == b'-' { b'-' } else { b'*' } {
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
                beyond_ascii |= !body[..length].is_ascii();
                target &= quote == Class::Quoted && name.is_empty();
                name = if quote == Class::Quoted { UNKNOWN } else { b"" };
                at += 1 + length + 1;
            }
            Class::Other => return None,
        }
    }
    let statement = match reads {
        true => Statement { queries: true, names_table: from, ..Statement::reading() },
        false => Statement { names_table: true, ..Statement::writing() },
    };
    Some(Plain { statement, beyond_ascii })
}

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

/// Where the space at this place ends.
fn space(sql: &[u8], mut at: usize) -> usize {
    while sql.get(at).is_some_and(|byte| class(*byte) == Class::Space) {
        at += 1;
    }
    at
}

/// The letters and digits at this place. If more belongs to the name, that is not plain, and what comes next.
fn word<'a>(sql: &'a [u8], at: &mut usize) -> &'a [u8] {
    let start = *at;
    while sql.get(*at).is_some_and(|byte| class(*byte) <= Class::Digit) {
        *at += 1;
    }
    &sql[start..*at]
}

/// Words that may say more than that something is read, or that rows are changed.
fn is_notable(word: &[u8], reads: bool) -> bool {
    let is = |other: &[u8]| word.eq_ignore_ascii_case(other);
    let begins = |start: &[u8]| word.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    match word {
        [b'f' | b'F', _, _] => is(b"FOR"),
        [b'l' | b'L', _, _, _] => is(b"LOCK"),
        [b'i' | b'I', _, _, _] => is(b"INTO"),
        [_, _, _, _, _, _] => reads && (is(b"INSERT") || is(b"UPDATE") || is(b"DELETE")),
        [_, _, _, _, _, _, _] => reads && is(b"REPLACE") || is(b"SYSDATE") || is(b"NEXTVAL") || is(b"CURRVAL"),
        [b'c' | b'C', ..] => begins(b"CURRENT_"),
        [b'l' | b'L', ..] => begins(b"LOCALTIME"),
        [b'u' | b'U', ..] => begins(b"UTC_"),
        _ => false,
    }
}
