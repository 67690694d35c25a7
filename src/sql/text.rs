//! All statements of a text together, in one reading of it.

use super::{
    Pin, SessionEffect, Statement, TransactionEffect,
    lexer::{Lexer, Reading},
    statement::one,
    token::Kind,
};

/// A text as one reading of it turns out, and which other readings there are.
pub(super) struct Read {
    pub statement: Statement,
    pub depends_on_conditional: bool,
    pub depends_on_quotes: bool,
}

pub(super) fn read(sql: &[u8], reading: Reading) -> Read {
    let mut lexer = Lexer::new(sql, reading);
    let mut text: Option<Statement> = None;
    loop {
        while lexer.peek().is(b';') {
            lexer.next();
        }
        // `next` rather than `peek` at the end, so that the lexer has seen the comments there.
        let mut ahead = lexer;
        if ahead.next().kind == Kind::End {
            lexer = ahead;
            break;
        }
        let statement = one(&mut lexer);
        text = Some(match text {
            None => statement,
            Some(earlier) => followed_by(earlier, statement),
        });
    }
    let mut statement = text.unwrap_or_else(|| match lexer.unterminated() {
        true => Statement::writing(),
        false => Statement::reading(),
    });
    if lexer.unterminated() {
        statement.only_reads = false;
        statement.streams = true;
    }
    if lexer.doubtful() {
        statement = Statement::unknowable();
    }
    statement.vouched = lexer.vouched();
    Read {
        statement,
        depends_on_conditional: lexer.depends_on_conditional(),
        depends_on_quotes: lexer.depends_on_quotes(),
    }
}

/// Two statements of one text.
fn followed_by(mut text: Statement, next: Statement) -> Statement {
    let journals = |statement: &Statement| statement.session.contains(&SessionEffect::Journal);
    let only_sets = |statement: &Statement| {
        use SessionEffect::{Autocommit, Journal, Use};
        !statement.session.is_empty()
            && statement.session.iter().all(|it| matches!(it, Journal | Autocommit(_) | Use(_)))
    };
    let unclear = (journals(&text) || journals(&next)) && !(only_sets(&text) && only_sets(&next));
    text.traits = text.traits.and(next.traits);
    text.atomic = false;
    if text.transaction != TransactionEffect::None || next.transaction != TransactionEffect::None {
        text.transaction = TransactionEffect::Opaque;
    }
    for effect in next.session {
        text.leave(effect);
    }
    // The text of several statements cannot be run again for the sake of one of them.
    let names = |effect: &SessionEffect| {
        use SessionEffect::{Deallocate, Execute, PrepareSql};
        matches!(effect, PrepareSql(..) | Deallocate(_) | Execute(_))
    };
    if text.session.iter().any(names) {
        text.session.retain(|effect| !names(effect));
        text.leave(SessionEffect::Pin(Pin::PreparedSql));
    }
    // The first answer says nothing of the others: what is let go may be held after all, and under which database a
    // thing is held is not clear.
    for effect in &mut text.session {
        if let SessionEffect::Hold(pin, _) = effect {
            *effect = SessionEffect::Pin(*pin);
        }
    }
    text.session.retain(|effect| !matches!(effect, SessionEffect::Unpin(_) | SessionEffect::Release(..)));
    if unclear {
        // Running the text again would run the other statements again, too.
        text.session.retain(|effect| *effect != SessionEffect::Journal);
        text.leave(SessionEffect::Pin(Pin::Unclear));
    }
    text
}
