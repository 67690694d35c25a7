//! From the verb to the class, one statement at a time.
//!
//! The lists of implicit commits are MySQL's (manual 15.3.3) and MariaDB's, taken together.

use super::facts::{Facts, Head};
use super::lexer::Lexer;
use super::token::{Kind, Token};
use super::{OnlyHere, Pin, SessionEffect, Statement, Traits, TransactionEffect, named, set};

/// The statement at the lexer, which then stands behind its `;`.
pub(super) fn one(lexer: &mut Lexer) -> Statement {
    let start = *lexer;
    let mut verb = lexer.peek();
    let mut inner = start;
    let mut spelled = verb_of(&verb);
    let facts = match spelled.as_bytes() {
        b"CREATE" | b"ALTER" if has_body(start) => Facts::gather_all(lexer),
        b"BEGIN" if !is_plain_begin(start) => Facts::gather_all(lexer),
        b"INSERT" | b"REPLACE" => Facts::gather(lexer, Head::Target),
        b"WITH" => Facts::gather(lexer, Head::With),
        b"SET" => Facts::gather(lexer, Head::Set),
        _ => Facts::gather(lexer, Head::None),
    };
    inner.next();
    if facts.unterminated {
        return Statement::writing();
    }
    if verb.is_word("SET") && inner.peek().is_word("STATEMENT") {
        match skip_to_for(inner) {
            Some(behind) => {
                inner = behind;
                verb = inner.next();
                spelled = verb_of(&verb);
            }
            None => return Statement::unknowable(),
        }
        if verb.is_word("SET") && inner.peek().is_word("STATEMENT") {
            return Statement::unknowable();
        }
    }
    let mut statement = by_verb(&verb, spelled.as_bytes(), inner, &facts);
    statement.varies |= facts.varies || facts.server_variable;
    // EXPLAIN of it takes no lock.
    if facts.locks_rows && !statement.only_reads {
        statement.only_here = Some(OnlyHere::RowLocks);
    }
    statement.uses_previous |= facts.uses_previous();
    statement.uses_outcome |= facts.uses_outcome;
    statement.user_variables |= facts.user_variables;
    statement.uses_found_rows |= facts.uses_found_rows;
    statement.uses_diagnostics |= facts.uses_diagnostics;
    statement.uses_insert_id |= facts.uses_insert_id || facts.sets_insert_id;
    if verb.is_word("SET") {
        return statement;
    }
    if facts.stored_function && may_call(spelled.as_bytes()) {
        statement.leave(SessionEffect::Pin(Pin::Call));
    }
    match named::lock(&verb, inner) {
        Some(effect) => statement.leave(effect),
        None => facts.session().into_iter().for_each(|effect| statement.leave(effect)),
    }
    statement
}

/// The verb in upper case; empty for a text that starts with anything but a word.
struct Verb {
    text: [u8; 12],
    length: usize,
}

impl Verb {
    fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

fn verb_of(token: &Token) -> Verb {
    let mut verb = Verb { text: [0; 12], length: 0 };
    if token.is(b'(') {
        verb.text[0] = b'(';
        verb.length = 1;
    } else if token.kind == Kind::Word && token.text.len() <= verb.text.len() {
        verb.length = token.text.len();
        verb.text[..verb.length].copy_from_slice(token.text);
        verb.text.make_ascii_uppercase();
    }
    verb
}

/// Where a name before a parenthesis can be a function that is called; elsewhere it is mostly a table's.
fn may_call(verb: &[u8]) -> bool {
    matches!(
        verb,
        b"SELECT" | b"(" | b"TABLE" | b"VALUES" | b"WITH" | b"INSERT" | b"REPLACE" | b"UPDATE" | b"DELETE" | b"DO"
    )
}

/// `spelled`: the verb in upper case. `rest` stands behind it.
fn by_verb(verb: &Token, spelled: &[u8], mut rest: Lexer, facts: &Facts) -> Statement {
    use TransactionEffect::{Begin, ImplicitCommit, Opaque};
    let first = rest.peek();
    match spelled {
        b"SELECT" if !facts.into => {
            let mut statement = query(facts);
            (statement.queries, statement.names_table) = (true, facts.from);
            statement
        }
        b"SELECT" => query(facts),
        b"(" | b"TABLE" | b"VALUES" => queried(facts),
        b"WITH" if facts.query_verb && !facts.write_verb => queried(facts),
        b"WITH" if facts.query_verb => query(facts),
        b"WITH" => Statement::writing(),
        b"SHOW" => {
            let statement = harmless(!facts.unsure && !facts.assigns);
            if speaks_of_previous(rest) { statement.diagnostic() } else { statement }
        }
        b"DESCRIBE" | b"DESC" | b"EXPLAIN" => explain(rest, facts, false),
        b"ANALYZE" if is_table_maintenance(rest) => ends_transaction(),
        b"ANALYZE" => explain(rest, facts, true),
        b"HELP" => harmless(!facts.unsure),
        b"DO" => harmless(facts.only_reads()),
        b"USE" => use_database(rest),
        b"SET" => set::classify(rest, facts),
        b"BEGIN" => {
            if first.is_word("WORK") {
                rest.next();
            }
            match rest.peek().ends() {
                true => with(Statement::reading(), Begin, &[]),
                // A block: BEGIN NOT ATOMIC, or MariaDB's Oracle mode.
                false => Statement::unknowable(),
            }
        }
        b"START" if first.is_word("TRANSACTION") => {
            let only_here = holds_word(rest, "SNAPSHOT").then_some(OnlyHere::Snapshot);
            with(Traits { only_here, ..Traits::READING }.into(), Begin, &[])
        }
        b"COMMIT" => ending(rest, TransactionEffect::Commit),
        b"ROLLBACK" => ending(rest, TransactionEffect::Rollback),
        b"SAVEPOINT" => with(Statement::reading(), TransactionEffect::Savepoint, &[]),
        b"RELEASE" if first.is_word("SAVEPOINT") => with(Statement::reading(), TransactionEffect::Savepoint, &[]),
        b"XA" => with(Statement::writing(), Opaque, named::xa(rest).as_slice()),
        b"INSERT" | b"UPDATE" | b"DELETE" | b"REPLACE" => Traits { names_table: true, ..Traits::WRITING }.into(),
        b"SIGNAL" | b"RESIGNAL" | b"CHECKSUM" => Statement::writing(),
        // The connection id that it names is this server's.
        b"KILL" => Statement::writing().bound(),
        b"LOAD" if first.is_word("INDEX") => ends_transaction(),
        b"LOAD" => {
            // LOCAL: the file's content came from the application and cannot be had twice.
            let local = holds_word(rest, "LOCAL");
            let traits = Traits { varies: true, atomic: !local, streams: local, ..Traits::WRITING };
            let mut statement = Statement::from(traits);
            if facts.user_variables {
                statement.leave(SessionEffect::Pin(Pin::UserVariable));
            }
            statement
        }
        b"CALL" => {
            // MariaDB's procedures may prepare and execute any text.
            let traits = Traits { atomic: false, varies: true, streams: true, ..Traits::WRITING };
            with(traits.into(), Opaque, &[SessionEffect::Pin(Pin::Call)])
        }
        b"PREPARE" => with(Statement::writing(), TransactionEffect::None, &[prepared_from(rest)]),
        b"EXECUTE" => execute(rest),
        b"DEALLOCATE" | b"DROP" if first.is_word("PREPARE") => {
            rest.next();
            let name = rest.next();
            let effect = match name.is_name() {
                true => SessionEffect::Deallocate(name.name()),
                false => SessionEffect::Pin(Pin::PreparedSql),
            };
            with(Statement::writing(), TransactionEffect::None, &[effect])
        }
        // The `;` does not belong to a block, so it parts two statements.
        b"CREATE" | b"ALTER" if facts.semicolon_inside && !facts.closes_block => Statement::unknowable(),
        b"CREATE" | b"ALTER" if has_body_behind(rest) => {
            let mut statement = ends_transaction();
            statement.atomic = !facts.semicolon_inside;
            statement
        }
        b"CREATE" | b"DROP" if is_temporary(rest) => {
            let effects = if verb.is_word("CREATE") { named::created(rest) } else { named::dropped(rest) };
            with(Statement::writing(), TransactionEffect::None, &effects)
        }
        b"LOCK" if first.is_word("TABLE") || first.is_word("TABLES") => {
            with(Statement::writing(), ImplicitCommit, &[SessionEffect::Pin(Pin::TableLock)])
        }
        // Whether they commit depends on the server; UNLOCK TABLES does not undo them.
        b"LOCK" | b"BACKUP" => {
            let effects = [SessionEffect::Pin(Pin::GlobalLock), SessionEffect::Pin(Pin::Unclear)];
            with(Statement::writing(), Opaque, &effects)
        }
        b"UNLOCK" if first.is_word("TABLE") || first.is_word("TABLES") => {
            let effects = [SessionEffect::Unpin(Pin::TableLock), SessionEffect::Unpin(Pin::GlobalLock)];
            with(Statement::writing(), ImplicitCommit, &effects)
        }
        b"UNLOCK" => with(Statement::writing(), Opaque, &[]),
        b"FLUSH" if holds_locks(rest) => {
            with(Statement::writing(), ImplicitCommit, &[SessionEffect::Pin(Pin::GlobalLock)])
        }
        b"HANDLER" => {
            let effects: Vec<_> = named::handler(rest).into_iter().collect();
            with(Statement::writing(), TransactionEffect::None, &effects)
        }
        b"GET" => {
            let effects = [SessionEffect::Pin(Pin::UserVariable)];
            with(Statement::writing().diagnostic(), TransactionEffect::None, &effects)
        }
        b"ALTER" | b"RENAME" if holds_word(rest, "TABLE") || holds_word(rest, "TABLES") || verb.is_word("RENAME") => {
            with(ends_transaction(), ImplicitCommit, &[SessionEffect::Rename(Pin::TemporaryTable)])
        }
        b"ALTER" | b"CREATE" | b"DROP" | b"TRUNCATE" | b"GRANT" | b"REVOKE" | b"OPTIMIZE" | b"REPAIR" | b"CHECK"
        | b"CACHE" | b"INSTALL" | b"UNINSTALL" | b"FLUSH" | b"RESET" | b"START" | b"STOP" | b"CHANGE" | b"IMPORT"
        | b"CLONE" => ends_transaction(),
        b"PURGE" => with(Statement::writing(), Opaque, &[]),
        b"SHUTDOWN" | b"RESTART" => with(Statement::writing().bound(), Opaque, &[]),
        _ => Statement::unknowable(),
    }
}

fn with(mut statement: Statement, transaction: TransactionEffect, effects: &[SessionEffect]) -> Statement {
    statement.transaction = transaction;
    for effect in effects {
        statement.leave(effect.clone());
    }
    statement
}

fn ends_transaction() -> Statement {
    with(Statement::writing(), TransactionEffect::ImplicitCommit, &[])
}

fn harmless(only_reads: bool) -> Statement {
    Traits { only_reads, ..Traits::READING }.into()
}

fn query(facts: &Facts) -> Statement {
    let mut statement = harmless(facts.only_reads());
    if facts.into_variable {
        statement.leave(SessionEffect::Pin(Pin::UserVariable));
    }
    statement
}

/// It queries, and certainly leaves a FOUND_ROWS() of its own.
fn queried(facts: &Facts) -> Statement {
    let mut statement = query(facts);
    statement.queries = !facts.into;
    statement
}

/// EXPLAIN runs nothing, EXPLAIN ANALYZE and MariaDB's ANALYZE run what they explain.
fn explain(mut rest: Lexer, facts: &Facts, mut runs: bool) -> Statement {
    let mut queries = false;
    for _ in 0..16 {
        let token = rest.next();
        queries = token.is(b'(') || ["SELECT", "WITH", "TABLE", "VALUES"].iter().any(|verb| token.is_word(verb));
        runs |= token.is_word("ANALYZE");
        if queries || token.ends() {
            break;
        }
    }
    let mut statement = harmless(match runs {
        true => queries && facts.only_reads(),
        false => !(facts.unsure || facts.assigns || facts.into_user_variable),
    });
    if facts.into_user_variable {
        statement.leave(SessionEffect::Pin(Pin::UserVariable));
    }
    statement
}

fn use_database(mut rest: Lexer) -> Statement {
    let name = rest.next();
    if !name.is_name() || !rest.peek().ends() {
        return Statement::unknowable();
    }
    with(Statement::reading(), TransactionEffect::None, &[SessionEffect::Use(name.name())])
}

/// `rest` stands behind PREPARE.
fn prepared_from(mut rest: Lexer) -> SessionEffect {
    let (name, from, literal) = (rest.next(), rest.next(), rest.next());
    if !name.is_name() || !from.is_word("FROM") || literal.kind != Kind::Text || !rest.next().ends() {
        return SessionEffect::Pin(Pin::PreparedSql);
    }
    let text = literal.inner();
    let plain = !text.iter().any(|byte| matches!(byte, b'\'' | b'\\'));
    SessionEffect::PrepareSql(name.name(), plain.then(|| text.to_vec()))
}

/// `rest` stands behind EXECUTE.
fn execute(mut rest: Lexer) -> Statement {
    let mut statement = Statement::unknowable();
    let (name, next) = (rest.next(), rest.next());
    if name.is_name() && (next.ends() || next.is_word("USING")) {
        statement.leave(SessionEffect::Execute(name.name()));
    }
    statement
}

/// COMMIT and ROLLBACK with what may follow them.
fn ending(mut rest: Lexer, effect: TransactionEffect) -> Statement {
    let mut token = rest.next();
    if token.is_word("WORK") {
        token = rest.next();
    }
    if effect == TransactionEffect::Rollback && token.is_word("TO") {
        return with(Statement::reading(), TransactionEffect::Savepoint, &[]);
    }
    if token.is_word("AND") && rest.peek().is_word("NO") {
        rest.next();
        token = if rest.next().is_word("CHAIN") { rest.next() } else { return Statement::unknowable() };
    }
    if token.is_word("NO") && rest.peek().is_word("RELEASE") {
        rest.next();
        token = rest.next();
    }
    match token.ends() {
        true => with(harmless(effect == TransactionEffect::Rollback), effect, &[]),
        false => with(Statement::writing(), TransactionEffect::Opaque, &[]),
    }
}

/// SHOW WARNINGS, SHOW ERRORS, SHOW COUNT(*) WARNINGS
fn speaks_of_previous(mut rest: Lexer) -> bool {
    let first = rest.next();
    first.is_word("WARNINGS") || first.is_word("ERRORS") || first.is_word("COUNT") && rest.peek().is(b'(')
}

/// `rest` stands behind ANALYZE.
fn is_table_maintenance(mut rest: Lexer) -> bool {
    let first = rest.next();
    let modifier = first.is_word("LOCAL") || first.is_word("NO_WRITE_TO_BINLOG");
    let table = if modifier { rest.next() } else { first };
    // ANALYZE TABLE t, as opposed to MariaDB's ANALYZE of the query `TABLE t`, which it does not have.
    modifier || table.is_word("TABLE") || table.is_word("TABLES")
}

fn is_temporary(mut rest: Lexer) -> bool {
    let mut token = rest.next();
    if token.is_word("OR") && rest.next().is_word("REPLACE") {
        token = rest.next();
    }
    token.is_word("TEMPORARY")
}

/// `start` stands at BEGIN.
fn is_plain_begin(mut start: Lexer) -> bool {
    start.next();
    let next = start.next();
    next.ends() || next.is_word("WORK")
}

/// `start` stands at CREATE or ALTER.
fn has_body(mut start: Lexer) -> bool {
    start.next();
    has_body_behind(start)
}

/// What is created is a routine, trigger or event, whose body may hold `;`.
fn has_body_behind(mut rest: Lexer) -> bool {
    loop {
        let token = rest.next();
        if ["OR", "REPLACE", "AGGREGATE"].iter().any(|word| token.is_word(word)) {
            continue;
        }
        if token.is_word("DEFINER") {
            // = user | = user@host | = CURRENT_USER()
            rest.next();
            rest.next();
            if rest.peek().kind == Kind::UserVariable {
                rest.next();
            }
            if rest.peek().is(b'(') {
                rest.next();
                rest.next();
            }
            continue;
        }
        return ["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"].iter().any(|word| token.is_word(word));
    }
}

fn holds_locks(rest: Lexer) -> bool {
    holds_word(rest, "LOCK") || holds_word(rest, "EXPORT")
}

fn holds_word(mut rest: Lexer, word: &str) -> bool {
    loop {
        let token = rest.next();
        if token.ends() {
            return false;
        }
        if token.is_word(word) {
            return true;
        }
    }
}

/// Behind the FOR of SET STATEMENT … FOR.
fn skip_to_for(mut rest: Lexer) -> Option<Lexer> {
    let mut depth = 0usize;
    loop {
        let token = rest.next();
        match token.kind {
            _ if token.ends() => return None,
            Kind::Punctuation(b'(') => depth += 1,
            Kind::Punctuation(b')') => depth = depth.saturating_sub(1),
            Kind::Word if depth == 0 && token.is_word("FOR") => return Some(rest),
            _ => {}
        }
    }
}
