//! Things that a session holds by name, and lets go by the same name: temporary tables, locks, handlers, XA
//! transactions.
//!
//! A release is only reported in the form in which its success proves it: what a condition, a row count or another
//! spelling could have changed is not one.

use super::lexer::Lexer;
use super::token::{Kind, Token};
use super::{Name, Pin, SessionEffect};

/// `SELECT GET_LOCK('name', timeout)`, `DO RELEASE_LOCK('name')`, `SELECT RELEASE_ALL_LOCKS()` and nothing else in the
/// statement, so that the function is called exactly once. `rest` stands behind the verb.
pub(super) fn lock(verb: &Token, mut rest: Lexer) -> Option<SessionEffect> {
    if !verb.is_word("SELECT") && !verb.is_word("DO") {
        return None;
    }
    let function = rest.next();
    let is = |name| function.is_word(name);
    if !(is("GET_LOCK") || is("RELEASE_LOCK") || is("RELEASE_ALL_LOCKS")) || !rest.next().is(b'(') {
        return None;
    }
    let name = if is("RELEASE_ALL_LOCKS") { None } else { Some(lock_name(rest.next())?) };
    if is("GET_LOCK") {
        let comma = rest.next();
        let mut timeout = rest.next();
        if timeout.is(b'-') {
            timeout = rest.next();
        }
        if !comma.is(b',') || timeout.kind != Kind::Number {
            return None;
        }
    }
    if !rest.next().is(b')') {
        return None;
    }
    let mut end = rest.next();
    if end.is_word("AS") {
        end = rest.next();
        if !end.is_name() && end.kind != Kind::Text {
            return None;
        }
        end = rest.next();
    } else if matches!(end.kind, Kind::Quoted) {
        end = rest.next();
    }
    if !end.ends() {
        return None;
    }
    Some(match name {
        None => SessionEffect::Unpin(Pin::UserLock),
        Some(name) if is("GET_LOCK") => SessionEffect::Hold(Pin::UserLock, name),
        Some(name) => SessionEffect::Release(Pin::UserLock, name),
    })
}

/// A name that reads the same whatever the character set and the SQL mode.
fn lock_name(token: Token) -> Option<Name> {
    let text = token.inner();
    let plain = text.is_ascii() && !text.iter().any(|byte| matches!(byte, b'\\' | b'\'' | b'"'));
    (token.kind == Kind::Text && plain).then(|| Name { qualifier: None, name: text.to_vec() })
}

/// What CREATE [OR REPLACE] TEMPORARY leaves. `rest` stands behind CREATE.
pub(super) fn created(mut rest: Lexer) -> Vec<SessionEffect> {
    let mut token = rest.next();
    if token.is_word("OR") {
        rest.next();
        token = rest.next();
    }
    let is_table = token.is_word("TEMPORARY") && rest.next().is_word("TABLE");
    if rest.peek().is_word("IF") {
        rest.next();
        rest.next();
        rest.next();
    }
    match table(&mut rest) {
        Some(name) if is_table => vec![SessionEffect::Hold(Pin::TemporaryTable, name)],
        _ => vec![SessionEffect::Pin(Pin::TemporaryTable)],
    }
}

/// What DROP TEMPORARY lets go. `rest` stands behind DROP.
pub(super) fn dropped(mut rest: Lexer) -> Vec<SessionEffect> {
    rest.next();
    let what = rest.next();
    if !(what.is_word("TABLE") || what.is_word("TABLES")) {
        return Vec::new();
    }
    if rest.peek().is_word("IF") {
        rest.next();
        rest.next();
    }
    let mut effects = Vec::new();
    while let Some(name) = table(&mut rest) {
        effects.push(SessionEffect::Release(Pin::TemporaryTable, name));
        if !rest.peek().is(b',') {
            break;
        }
        rest.next();
    }
    effects
}

/// `[database.]table`
fn table(rest: &mut Lexer) -> Option<Name> {
    let first = rest.next();
    if !first.is_name() {
        return None;
    }
    if !rest.peek().is(b'.') {
        return Some(Name { qualifier: None, name: first.name() });
    }
    rest.next();
    let second = rest.next();
    second.is_name().then(|| Name { qualifier: Some(first.name()), name: second.name() })
}

/// `rest` stands behind HANDLER.
pub(super) fn handler(mut rest: Lexer) -> Option<SessionEffect> {
    let mut name = table(&mut rest)?;
    let verb = rest.next();
    if verb.is_word("CLOSE") {
        name.qualifier = None;
        return Some(SessionEffect::Release(Pin::Handler, name));
    }
    if !verb.is_word("OPEN") {
        return None;
    }
    let mut alias = rest.next();
    if alias.is_word("AS") {
        alias = rest.next();
    }
    // It is closed by its alias, or by the table's name alone.
    let name = if alias.is_name() { alias.name() } else { name.name };
    Some(SessionEffect::Hold(Pin::Handler, Name { qualifier: None, name }))
}

/// `rest` stands behind XA.
pub(super) fn xa(mut rest: Lexer) -> Option<SessionEffect> {
    let verb = rest.next();
    if verb.is_word("RECOVER") {
        return None;
    }
    let mut name = Vec::new();
    loop {
        let token = rest.next();
        // ONE PHASE, JOIN, SUSPEND…; an id is made of literals and commas.
        if token.ends() || token.kind == Kind::Word && token.text.len() > 1 && !token.text.starts_with(b"0x") {
            break;
        }
        name.extend_from_slice(token.text);
    }
    let name = Name { qualifier: None, name };
    let ends = verb.is_word("COMMIT") || verb.is_word("ROLLBACK");
    Some(if ends { SessionEffect::Release(Pin::Xa, name) } else { SessionEffect::Hold(Pin::Xa, name) })
}
