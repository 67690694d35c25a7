//! Most texts at one glance: a query, or a change of rows, with nothing in it that takes a lexer to read; and the words that
//! begin and end a transaction.
//!
//! It only ever says what the classifier would say, and where it is in any doubt it says nothing: the words and signs
//! below are those that the classifier looks at. That both agree is a property over soups of tokens (`properties`).

use super::{
    Server, Traits, TransactionEffect,
    functions::{Function, is_another_behind_space, lookup},
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
    pub traits: Traits,
    /// Some text in quotes is not ASCII.
    pub beyond_ascii: bool,
}

/// `None` if the text is not plain.
pub(super) fn classify(sql: &[u8]) -> Option<Plain> {
    let mut at = space(sql, 0);
    let verb = word(sql, &mut at);
    let (reads, inserts) = match verb.try_into().map(upper::<6>).as_ref() {
        Ok(b"SELECT") => (true, false),
        Ok(b"INSERT") => (false, true),
        Ok(b"UPDATE" | b"DELETE") => (false, false),
        _ if space(sql, at) == sql.len() => return alone(verb),
        _ => return None,
    };
    // INSERT INTO name (…): a name before a parenthesis that is not called.
    let mut target = inserts;
    if inserts {
        at = space(sql, at);
        if !is(word(sql, &mut at), b"INTO") {
            return None;
        }
    }
    // The name or word that ended last, if nothing but space came after it.
    let mut name = if inserts { b"" } else { verb };
    let mut beyond_ascii = false;
    // FROM outside of parentheses, and not FROM DUAL.
    let (mut depth, mut from) = (0usize, false);
    loop {
        at = space(sql, at);
        let Some(byte) = sql.get(at) else { break };
        match class(*byte) {
            Class::Letter => {
                target &= name.is_empty();
                name = word(sql, &mut at);
                if is_notable(name, reads) {
                    return None;
                }
                if reads && depth == 0 && is(name, b"FROM") {
                    from |= !is(word(sql, &mut space(sql, at)), b"DUAL");
                }
            }
            Class::Sign => {
                (name, target) = (b"", false);
                at += 1;
            }
            Class::Digit => {
                (name, target) = (b"", false);
                at = number(sql, at)?;
            }
            Class::Dot => {
                // `a.1` is a name, and `db.t (…)` is no plain target.
                if target || !name.is_empty() && class_at(sql, at + 1) == Class::Digit {
                    return None;
                }
                name = b"";
                at = space(sql, at + 1);
                if class_at(sql, at) == Class::Letter {
                    if is_notable(word(sql, &mut at), reads) {
                        return None;
                    }
                    name = UNKNOWN;
                }
            }
            Class::Open => {
                // What is built in on some servers only is no plain function, nor is one behind whose name there is space.
                let keyword = || match lookup(name, Server::Unknown) {
                    Function::Keyword => true,
                    Function::Pure => sql[at - 1] == name[name.len() - 1] || !is_another_behind_space(name),
                    _ => false,
                };
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
                if sql.get(at + 1) == Some(if *byte == b'-' { &b'-' } else { &b'*' }) {
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
            Class::Space | Class::Other => return None,
        }
    }
    let traits = match reads {
        true => Traits { queries: true, names_table: from, ..Traits::READING },
        false => Traits { names_table: true, ..Traits::WRITING },
    };
    Some(Plain { traits, beyond_ascii })
}

/// A text that is this word and nothing else.
fn alone(word: &[u8]) -> Option<Plain> {
    use TransactionEffect::{Begin, Commit, Rollback};
    let traits = match () {
        () if is(word, b"BEGIN") => Traits { transaction: Begin, ..Traits::READING },
        () if is(word, b"COMMIT") => Traits { transaction: Commit, ..Traits::WRITING },
        () if is(word, b"ROLLBACK") => Traits { transaction: Rollback, ..Traits::READING },
        () => return None,
    };
    Some(Plain { traits, beyond_ascii: false })
}

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

/// Can this byte be in a name that is not quoted, but for digits?
pub(super) fn is_of_a_name(byte: u8) -> bool {
    class(byte) == Class::Letter
}

/// Behind the end it is nothing plain.
fn class_at(sql: &[u8], at: usize) -> Class {
    sql.get(at).map_or(Class::Other, |byte| class(*byte))
}

/// Where the space at this place ends.
#[inline(always)]
fn space(sql: &[u8], mut at: usize) -> usize {
    while at < sql.len() && (sql[at] == b' ' || class(sql[at]) == Class::Space) {
        at += 1;
    }
    at
}

/// The letters and digits at this place. If more belongs to the name, that is not plain, and what comes next.
#[inline(always)]
fn word<'a>(sql: &'a [u8], at: &mut usize) -> &'a [u8] {
    let start = *at;
    let mut end = start;
    while end < sql.len() && class(sql[end]) <= Class::Digit {
        end += 1;
    }
    *at = end;
    &sql[start..end]
}

/// Where the number at this place ends. `None`: letters follow, or a dot and no digit (`1.e(` is read differently by servers).
fn number(sql: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += sql[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        match class_at(sql, at) {
            Class::Letter => return None,
            Class::Dot if class_at(sql, at + 1) == Class::Digit => at += 1,
            Class::Dot => return None,
            _ => return Some(at),
        }
    }
}

/// Applied to a word. Digits come out as something else, and as nothing that is a letter.
fn upper<const N: usize>(word: &[u8; N]) -> [u8; N] {
    word.map(|byte| byte & !0x20)
}

/// `other` is in capitals.
fn is<const N: usize>(word: &[u8], other: &[u8; N]) -> bool {
    word.try_into().is_ok_and(|word| upper::<N>(word) == *other)
}

/// Words that may say more than that something is read, or that rows are changed.
fn is_notable(word: &[u8], reads: bool) -> bool {
    /// The first letters of notable words of each length, as bits; longer ones like the last.
    const FIRST: [u32; 9] = {
        const fn letters(all: &[u8]) -> u32 {
            let (mut bits, mut at) = (0, 0);
            while at < all.len() {
                bits |= 1 << (all[at] & 31);
                at += 1;
            }
            bits
        }
        // UTC_… has four and more, CURRENT_… eight and LOCALTIME… nine.
        let six = letters(b"IUD");
        [0, 0, 0, letters(b"F"), letters(b"LIU"), letters(b"U"), six, letters(b"RSNCU"), letters(b"CLU")]
    };
    let Some(first) = word.first() else { return false };
    if FIRST[word.len().min(FIRST.len() - 1)] >> (first & 31) & 1 == 0 {
        return false;
    }
    fn begins<const N: usize>(word: &[u8], start: &[u8; N]) -> bool {
        word.first_chunk().is_some_and(|begin| upper::<N>(begin) == *start)
    }
    match word.len() {
        3 => is(word, b"FOR"),
        4 if is(word, b"LOCK") || is(word, b"INTO") => true,
        6 if reads && (is(word, b"INSERT") || is(word, b"UPDATE") || is(word, b"DELETE")) => true,
        7 if is(word, b"SYSDATE") || is(word, b"NEXTVAL") || is(word, b"CURRVAL") => true,
        7 if reads && is(word, b"REPLACE") => true,
        _ => begins(word, b"CURRENT_") || begins(word, b"LOCALTIME") || begins(word, b"UTC_"),
    }
}
