//! SET in all its forms: which part of the session it changes, and whether its text may be run again on a fresh one.

use super::facts::Facts;
use super::lexer::Lexer;
use super::token::{Kind, Token};
use super::{Pin, SessionEffect, Statement, TransactionEffect};

/// What the assignments of one statement amount to together.
#[derive(Default)]
struct Assignments {
    /// Something of the session or a user variable is set.
    session: bool,
    user_variable: bool,
    system_variable: bool,
    global: bool,
    next_transaction: bool,
    unclear: bool,
    autocommit: Option<Autocommit>,
    commits: bool,
    opaque: bool,
}

#[derive(Clone, Copy)]
enum Autocommit {
    Known(bool),
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Session,
    Global,
    /// `@@name`: the session's, but for isolation only the next transaction's.
    Unscoped,
    /// A bare name after a GLOBAL: servers carry the keyword over, or do not.
    Either,
}

/// `lexer` stands behind SET; `facts` are those of the whole statement.
pub(super) fn classify(lexer: Lexer, facts: &Facts) -> Statement {
    let mut all = Assignments::default();
    all.read(lexer);
    all.judge(facts)
}

impl Assignments {
    fn read(&mut self, mut lexer: Lexer) {
        let mut after_global = false;
        let mut first = true;
        loop {
            let mut token = lexer.next();
            let mut scope = if after_global { Scope::Either } else { Scope::Session };
            if let Some(named) = scope_keyword(&token) {
                scope = named;
                after_global = named == Scope::Global;
                token = lexer.next();
                if token.is_word("TRANSACTION") {
                    match named {
                        Scope::Global => self.global = true,
                        _ => self.system(),
                    }
                    return;
                }
            } else if first && token.kind == Kind::Word && self.special(&token, &lexer) {
                return;
            }
            first = false;
            let Some(end) = self.item(token, scope, &mut lexer) else { return };
            if !end.is(b',') {
                self.unclear |= !end.ends();
                return;
            }
        }
    }

    /// Forms that are not lists of assignments. True if this is one.
    fn special(&mut self, token: &Token, lexer: &Lexer) -> bool {
        let next = lexer.peek();
        if token.is_word("PASSWORD") {
            self.global = true;
            self.commits = true;
        } else if token.is_word("DEFAULT") {
            self.global = true;
            self.opaque = true;
        } else if token.is_word("ROLE") && !next.is(b'=') && next.kind != Kind::Assign {
            self.system();
        } else if token.is_word("TRANSACTION") {
            self.next_transaction = true;
        } else {
            return false;
        }
        true
    }

    /// One assignment. Returns the token behind it, or nothing when the rest is not worth reading.
    fn item<'a>(&mut self, token: Token<'a>, scope: Scope, lexer: &mut Lexer<'a>) -> Option<Token<'a>> {
        match token.kind {
            Kind::Word if token.is_word("NAMES") || token.is_word("CHARSET") => self.system(),
            Kind::Word if token.is_word("CHARACTER") || token.is_word("CHAR") => {
                if !lexer.next().is_word("SET") {
                    return self.lost();
                }
                self.system();
            }
            Kind::UserVariable => {
                self.assignment(lexer)?;
                self.session = true;
                self.user_variable = true;
            }
            Kind::SystemVariable => {
                let name = &token.text[2..];
                let (scope, name) = match name.iter().position(|byte| *byte == b'.') {
                    None => (Scope::Unscoped, name),
                    Some(dot) => match scope_name(&name[..dot]) {
                        Some(scope) => (scope, &name[dot + 1..]),
                        None => return self.lost(),
                    },
                };
                self.assignment(lexer)?;
                return Some(self.variable(name, scope, lexer));
            }
            Kind::Word | Kind::Quoted | Kind::DoubleQuoted => {
                self.assignment(lexer)?;
                return Some(self.variable(token.inner(), scope, lexer));
            }
            _ => return self.lost(),
        }
        Some(skip_expression(lexer))
    }

    fn variable<'a>(&mut self, name: &[u8], scope: Scope, lexer: &mut Lexer<'a>) -> Token<'a> {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        let starts =
            |word: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
        if !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            self.unclear = true;
        }
        if scope == Scope::Either {
            self.global = true;
            self.unclear = true;
        }
        if scope == Scope::Global {
            self.global = true;
            return skip_expression(lexer);
        }
        const OF_THE_NEXT: [&str; 4] =
            ["transaction_isolation", "tx_isolation", "transaction_read_only", "tx_read_only"];
        if scope == Scope::Unscoped && OF_THE_NEXT.into_iter().any(is) {
            self.next_transaction = true;
            return skip_expression(lexer);
        }
        self.system();
        // Values that steer single statements or belong to this one connection: gone with it, or used up.
        // A transaction's replay needs `timestamp` for itself.
        const NOT_REPEATABLE: [&str; 7] =
            ["insert_id", "last_insert_id", "identity", "rand_seed1", "rand_seed2", "pseudo_thread_id", "timestamp"];
        self.unclear |= NOT_REPEATABLE.into_iter().any(is) || starts("gtid_") || starts("debug");
        if is("sql_auto_is_null") {
            // With it, `id IS NULL` asks for the row that was inserted last on the connection.
            let mut ahead = *lexer;
            let (value, end) = (ahead.next(), ahead.next());
            let off = ["0", "OFF", "FALSE"].iter().any(|word| value.inner().eq_ignore_ascii_case(word.as_bytes()));
            self.unclear |= !(off && (end.is(b',') || end.ends()));
        }
        if !is("autocommit") {
            return skip_expression(lexer);
        }
        let value = lexer.next();
        let mut end = *lexer;
        let end = end.next();
        let known = match value.inner() {
            _ if value.ends() || !(end.is(b',') || end.ends()) => None,
            b"0" => Some(false),
            b"1" => Some(true),
            text if text.eq_ignore_ascii_case(b"OFF") || text.eq_ignore_ascii_case(b"FALSE") => Some(false),
            text if text.eq_ignore_ascii_case(b"ON") || text.eq_ignore_ascii_case(b"TRUE") => Some(true),
            _ => None,
        };
        self.autocommit = match (self.autocommit, known) {
            (None, Some(value)) => Some(Autocommit::Known(value)),
            // Set twice, or to something that we cannot compute.
            _ => Some(Autocommit::Unknown),
        };
        if value.ends() { value } else { skip_expression(lexer) }
    }

    fn assignment(&mut self, lexer: &mut Lexer) -> Option<()> {
        let sign = lexer.next();
        if sign.is(b'=') || sign.kind == Kind::Assign {
            return Some(());
        }
        self.lost::<()>()
    }

    fn system(&mut self) {
        self.session = true;
        self.system_variable = true;
    }

    fn lost<T>(&mut self) -> Option<T> {
        self.unclear = true;
        self.opaque = true;
        self.session = true;
        None
    }

    fn judge(self, facts: &Facts) -> Statement {
        let mut statement = Statement::reading();
        statement.only_reads = !(self.global || self.opaque || facts.unsure || facts.locks_rows || facts.into);
        let mut session = facts.session();
        session.retain(|effect| *effect != SessionEffect::Pin(Pin::UserVariable));

        // A value taken from data, from chance or from this moment is not what a second run would yield.
        // A system variable may well follow the server's own, which is what the text asks for.
        let from_data = facts.query_verb || facts.unsure || facts.moment || facts.uses_previous();
        let varies = from_data || facts.varies || facts.server_variable && self.user_variable;
        let mut unclear = self.unclear || self.session && (self.global || self.next_transaction);
        if varies && !self.system_variable && self.user_variable {
            session.push(SessionEffect::Pin(Pin::UserVariable));
        } else if varies && (self.session || self.next_transaction) {
            unclear = true;
        } else if self.session && !unclear {
            session.push(SessionEffect::Journal);
        }
        match self.autocommit {
            Some(Autocommit::Known(value)) => {
                session.push(SessionEffect::Autocommit(value));
                if value {
                    statement.transaction = TransactionEffect::ImplicitCommit;
                }
            }
            Some(Autocommit::Unknown) => {
                if !session.contains(&SessionEffect::Journal) {
                    session.push(SessionEffect::Journal);
                }
                unclear = true;
                statement.transaction = TransactionEffect::Opaque;
            }
            None => {}
        }
        if self.next_transaction {
            session.push(SessionEffect::NextTransaction);
        }
        if self.commits {
            statement.transaction = TransactionEffect::ImplicitCommit;
        }
        if self.opaque {
            statement.transaction = TransactionEffect::Opaque;
        }
        if unclear {
            session.push(SessionEffect::Pin(Pin::Unclear));
        }
        statement.session = session;
        statement
    }
}

fn scope_keyword(token: &Token) -> Option<Scope> {
    if token.kind == Kind::Word { scope_name(token.text) } else { None }
}

fn scope_name(name: &[u8]) -> Option<Scope> {
    let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
    if is("SESSION") || is("LOCAL") {
        return Some(Scope::Session);
    }
    (is("GLOBAL") || is("PERSIST") || is("PERSIST_ONLY")).then_some(Scope::Global)
}

/// Moves behind the expression; returns the `,` or the end that stands there.
fn skip_expression<'a>(lexer: &mut Lexer<'a>) -> Token<'a> {
    let mut depth = 0usize;
    loop {
        let token = lexer.next();
        match token.kind {
            _ if token.ends() => return token,
            Kind::Punctuation(b',') if depth == 0 => return token,
            Kind::Punctuation(b'(') => depth += 1,
            Kind::Punctuation(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
}
