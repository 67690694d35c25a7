//! What can be said of a statement without knowing its verb: which functions it calls, what it locks, assigns
//! and depends on.
//!
//! One walk over the tokens, up to the `;` that ends the statement. What the findings amount to is decided in
//! `statement` and `set`.

use super::functions::{Function, is_another_behind_space, lookup};
use super::lexer::Lexer;
use super::token::{Kind, Token};
use super::{Pin, Server, SessionEffect};

#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Calls a function that changes something, or may.
    pub unsure: bool,
    /// Calls a function whose value changes from call to call.
    pub varies: bool,
    /// Calls a function that belongs to its moment: NOW(), DATABASE().
    pub moment: bool,
    /// ROW_COUNT() and its kin.
    pub uses_outcome: bool,
    pub uses_found_rows: bool,
    pub uses_diagnostics: bool,
    /// LAST_INSERT_ID() is read.
    pub uses_insert_id: bool,
    /// LAST_INSERT_ID(value)
    pub sets_insert_id: bool,
    /// Values that earlier statements left on the connection, as they can be asked for: LASTVAL(s), PREVIOUS VALUE FOR s,
    /// `@@last_gtid`.
    pub left: Vec<Option<Vec<u8>>>,
    /// `PREVIOUS VALUE` was read, and its FOR comes next.
    previous_value: bool,
    /// A stored function, or one that was loaded (UDF).
    pub stored_function: bool,
    /// `:=`
    pub assigns: bool,
    pub user_variables: bool,
    pub get_lock: bool,
    /// FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE.
    pub locks_rows: bool,
    /// INTO, of whatever kind.
    pub into: bool,
    /// INTO a variable, as opposed to INTO OUTFILE and INTO DUMPFILE.
    pub into_variable: bool,
    /// INTO a user variable: what EXPLAIN can do.
    pub into_user_variable: bool,
    /// INSERT, UPDATE, DELETE or REPLACE as a keyword, not as a function.
    pub write_verb: bool,
    /// SELECT, TABLE, VALUES as a keyword: something is queried.
    pub query_verb: bool,
    /// FROM outside of parentheses, and not FROM DUAL.
    pub from: bool,
    /// Reads a variable that belongs to the server, or `@@global.`
    pub server_variable: bool,
    /// Code follows the first `;` of a text that is gathered as a whole.
    pub semicolon_inside: bool,
    /// The last words are END, END IF or END label.
    pub closes_block: bool,
    pub unterminated: bool,
}

/// Where a table's name may stand before a parenthesis without being a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Nowhere.
    None,
    /// After INSERT or REPLACE, up to the name of the table.
    Target,
    /// In WITH, up to the statement proper.
    With,
    /// Nowhere, but in SET a variable before `=` is assigned, not read.
    Set,
}

impl Facts {
    /// Walks to the end of the statement; the lexer then stands behind its `;`.
    pub fn gather(lexer: &mut Lexer, head: Head) -> Facts {
        Facts::default().walk(lexer, head, false)
    }

    /// Walks to the end of the text: for bodies, which hold `;` themselves.
    pub fn gather_all(lexer: &mut Lexer) -> Facts {
        Facts::default().walk(lexer, Head::None, true)
    }

    pub fn uses_previous(&self) -> bool {
        self.uses_outcome || self.uses_insert_id || !self.left.is_empty()
    }

    /// A query with these findings changes nothing.
    pub fn only_reads(&self) -> bool {
        !(self.unsure || self.assigns || self.locks_rows || self.into || self.write_verb || self.unterminated)
    }

    /// What the findings leave behind in the session, whatever the verb.
    pub fn session(&self) -> Vec<SessionEffect> {
        let mut session = Vec::new();
        if self.assigns {
            session.push(SessionEffect::Pin(Pin::UserVariable));
        }
        if self.get_lock {
            session.push(SessionEffect::Pin(Pin::UserLock));
        }
        session.extend(self.left.iter().cloned().map(SessionEffect::Asks));
        session
    }

    fn walk(mut self, lexer: &mut Lexer, mut head: Head, whole_text: bool) -> Facts {
        let target = if head == Head::Target { insert_target(*lexer) } else { None };
        let nothing = Token { kind: Kind::End, text: &[], start: 0 };
        let mut before = nothing;
        let mut token = lexer.next();
        let mut depth = 0usize;
        let mut semicolon = false;
        while token.kind != Kind::End && (whole_text || !token.is(b';')) {
            self.semicolon_inside |= semicolon && !token.is(b';');
            let next = lexer.next();
            match token.kind {
                Kind::Punctuation(b';') => semicolon = true,
                Kind::Punctuation(b'(') => depth += 1,
                Kind::Punctuation(b')') => depth = depth.saturating_sub(1),
                Kind::Assign => self.assigns = true,
                Kind::UserVariable => self.user_variables = true,
                Kind::SystemVariable => {
                    let assigned = next.is(b'=') || next.kind == Kind::Assign;
                    if !(head == Head::Set && depth == 0 && assigned && !before.is(b'=')) {
                        self.system_variable(token.text);
                    }
                }
                Kind::Word if !before.is(b'.') => {
                    if head == Head::With && depth == 0 && ends_with_head(&token) {
                        head = Head::None;
                    }
                    self.keyword(before, token, next);
                    if token.is_word("VALUE") && before.is_word("PREVIOUS") && next.is_word("FOR") {
                        self.previous_value = true;
                        self.varies = true;
                        self.left.push(last_value_of(*lexer));
                    }
                    self.from |= depth == 0 && token.is_word("FROM") && !next.is_word("DUAL");
                }
                Kind::Word if token.is_word("NEXTVAL") || token.is_word("CURRVAL") => {
                    // MariaDB's Oracle mode: `sequence.NEXTVAL`.
                    self.unsure = true;
                    self.varies = true;
                    if token.is_word("CURRVAL") {
                        self.left.push(None);
                    }
                }
                _ => {}
            }
            if next.is(b'(')
                && token.is_name()
                && target != Some(token.start)
                && !names_columns(before, token)
                && !(head == Head::With && depth == 0 && before.is(b','))
            {
                let gap = next.start > token.start + token.text.len();
                self.call(before, token, lexer, gap);
            }
            if !token.is(b';') {
                self.closes_block = token.is_word("END") || before.is_word("END") && token.is_name();
            }
            before = token;
            token = next;
        }
        self.unterminated = lexer.unterminated();
        self
    }

    fn keyword(&mut self, before: Token, token: Token, next: Token) {
        let is = |word| token.is_word(word);
        match token.text[0].to_ascii_uppercase() {
            b'F' if is("FOR") && (next.is_word("UPDATE") || next.is_word("SHARE")) => self.locks_rows = true,
            b'F' if is("FOR") && before.is_word("VALUE") => {
                // NEXT VALUE FOR; PREVIOUS VALUE FOR changes nothing.
                self.unsure |= !std::mem::take(&mut self.previous_value);
                self.varies = true;
            }
            b'L' if is("LOCK") && next.is_word("IN") => self.locks_rows = true,
            b'I' if is("INTO") => {
                self.into = true;
                let variable = next.kind == Kind::UserVariable
                    || next.is_name() && !next.is_word("OUTFILE") && !next.is_word("DUMPFILE");
                self.into_variable |= variable;
                self.into_user_variable |= next.kind == Kind::UserVariable;
            }
            b'I' | b'R' if is("INSERT") || is("REPLACE") => self.write_verb |= !next.is(b'('),
            b'U' | b'D' if is("UPDATE") || is("DELETE") => self.write_verb = true,
            b'S' | b'T' | b'V' if is("SELECT") || is("TABLE") || is("VALUES") => self.query_verb = true,
            b'S' if is("SYSDATE") => self.varies = true,
            b'C' | b'L' | b'U' if is_time_word(token.text) => self.moment = true,
            _ => {}
        }
    }

    /// `inside` stands behind the parenthesis; `gap`: there is something between it and the name.
    fn call(&mut self, before: Token, name: Token, inside: &Lexer, gap: bool) {
        let (first_argument, server) = (inside.peek(), inside.server());
        let function = match name.kind {
            Kind::Word if before.is(b'.') => Function::Unknown,
            Kind::Word if is_keyword_here(before, name, first_argument) => Function::Keyword,
            Kind::Word if gap && is_another_behind_space(name.text) && !first_argument.is(b'*') => Function::Unknown,
            // A quoted name is a stored function's, unless the server finds a built-in one first.
            Kind::Word => lookup(name.text, server),
            _ => match lookup(name.inner(), server) {
                Function::GetLock => Function::GetLock,
                _ => Function::Unknown,
            },
        };
        match function {
            Function::Keyword | Function::Pure => {}
            Function::Moment => self.moment = true,
            Function::Varying => self.varies = true,
            Function::Previous => {
                self.uses_outcome = true;
                self.uses_found_rows |= name.is_word("FOUND_ROWS");
            }
            Function::LastInsertId if first_argument.is(b')') => self.uses_insert_id = true,
            Function::LastInsertId => {
                self.unsure = true;
                self.sets_insert_id = true;
            }
            Function::LastValue => {
                self.varies = true;
                self.left.push(last_value_of(*inside));
            }
            Function::SideEffect | Function::Unknown | Function::GetLock => {
                self.unsure = true;
                self.varies = true;
                self.get_lock |= function == Function::GetLock;
                self.stored_function |= function == Function::Unknown;
            }
        }
    }

    fn system_variable(&mut self, text: &[u8]) {
        let name = &text[2..];
        let (scope, name) = match name.iter().position(|byte| *byte == b'.') {
            Some(dot) => (&name[..dot], &name[dot + 1..]),
            None => (&name[..0], name),
        };
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        self.uses_insert_id |= ["last_insert_id", "identity"].into_iter().any(is);
        self.uses_outcome |= ["insert_id", "warning_count", "error_count"].into_iter().any(is);
        self.uses_diagnostics |= ["warning_count", "error_count"].into_iter().any(is);
        if is("last_gtid") {
            self.left.push(Some(b"SELECT @@last_gtid".to_vec()));
        }
        let of_session = ["", "session", "local"].iter().any(|word| scope.eq_ignore_ascii_case(word.as_bytes()));
        if !of_session || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            self.server_variable = true;
            // Perhaps one of the above.
            let quoted = name.contains(&b'`') || scope.contains(&b'`');
            self.uses_insert_id |= quoted;
            self.uses_outcome |= quoted;
            self.uses_diagnostics |= quoted;
        } else if !SESSION_VARIABLES.iter().any(|known| is_or_begins(known, name)) {
            self.server_variable = true;
        }
    }
}

/// Variables whose value is the session's own, restored with it; an entry ending in `_` stands for all that begin so.
/// Any other may belong to the server or the connection.
static SESSION_VARIABLES: &[&str] = &[
    "auto_increment_",
    "autocommit",
    "big_tables",
    "character_set_",
    "collation_",
    "default_storage_engine",
    "default_week_format",
    "div_precision_increment",
    "error_count",
    "foreign_key_checks",
    "group_concat_max_len",
    "identity",
    "init_connect",
    "innodb_lock_wait_timeout",
    "insert_id",
    "interactive_timeout",
    "last_insert_id",
    "lc_messages",
    "lc_time_names",
    "license",
    "lock_wait_timeout",
    "lower_case_table_names",
    "max_allowed_packet",
    "max_execution_time",
    "max_statement_time",
    "net_",
    "old_passwords",
    "optimizer_",
    "performance_schema",
    "query_cache_",
    "session_track_",
    "sql_auto_is_null",
    "sql_big_selects",
    "sql_log_bin",
    "sql_mode",
    "sql_notes",
    "sql_quote_show_create",
    "sql_safe_updates",
    "sql_select_limit",
    "sql_warnings",
    "system_time_zone",
    "time_zone",
    "timestamp",
    "transaction_isolation",
    "transaction_read_only",
    "tx_isolation",
    "tx_read_only",
    "unique_checks",
    "wait_timeout",
    "warning_count",
];

fn is_or_begins(known: &str, name: &[u8]) -> bool {
    match known.strip_suffix('_') {
        Some(_) => name.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes())),
        None => name.eq_ignore_ascii_case(known.as_bytes()),
    }
}

/// CURRENT_TIMESTAMP and its kin, which need no parentheses.
fn is_time_word(word: &[u8]) -> bool {
    ["CURRENT_", "LOCALTIME", "UTC_"]
        .iter()
        .any(|start| word.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start.as_bytes())))
}

/// The statement proper has begun, or what follows one in parentheses.
fn ends_with_head(token: &Token) -> bool {
    ["SELECT", "UPDATE", "DELETE", "TABLE", "VALUES", "BY"].iter().any(|word| token.is_word(word))
}

/// `AS t (a, b)`, `(SELECT …) t (a, b)`, `WITH t (a, b)`, `INTO t (a, b)`: names that are defined here, or those of
/// tables, and not called.
fn names_columns(before: Token, token: Token) -> bool {
    before.is(b')') && !is_keyword(token) || ["AS", "WITH", "RECURSIVE", "INTO"].iter().any(|word| before.is_word(word))
}

fn is_keyword(token: Token) -> bool {
    token.kind == Kind::Word && lookup(token.text, Server::Unknown) == Function::Keyword
}

/// Keywords of some servers only: they count as such where no function could be called.
fn is_keyword_here(before: Token, name: Token, inside: Token) -> bool {
    let between = |word: &str| name.is_word(word) && matches!(before.kind, Kind::Word | Kind::Quoted | Kind::Number);
    name.is_word("OVER") && before.is_word("NULLS")
        || name.is_word("OF") && before.is_word("MEMBER")
        || name.is_word("LATERAL") && (before.is_word("JOIN") || before.is_word("FROM"))
        || ["AGAINST", "COLUMNS", "ESCAPE"].iter().any(|word| name.is_word(word))
            && (before.is(b')') || matches!(before.kind, Kind::Text | Kind::Quoted | Kind::Number | Kind::DoubleQuoted))
        || (between("EXCEPT") || between("INTERSECT")) && !before.is_word("SELECT") && inside.is_word("SELECT")
}

/// The question for what LASTVAL or PREVIOUS VALUE FOR says of the sequence whose name comes next.
fn last_value_of(mut lexer: Lexer) -> Option<Vec<u8>> {
    let mut question = b"SELECT LASTVAL(".to_vec();
    loop {
        let name = lexer.next();
        if !name.is_name() {
            return None;
        }
        question.push(b'`');
        name.name()
            .iter()
            .for_each(|byte| question.extend(if *byte == b'`' { &b"``"[..] } else { std::slice::from_ref(byte) }));
        question.push(b'`');
        if !lexer.peek().is(b'.') {
            break;
        }
        lexer.next();
        question.push(b'.');
    }
    question.push(b')');
    Some(question)
}

/// The table's name in `INSERT [modifiers] [INTO] [db.]table`: where its token starts.
fn insert_target(mut lexer: Lexer) -> Option<usize> {
    lexer.next();
    let mut token = lexer.next();
    while ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "IGNORE", "INTO"].iter().any(|word| token.is_word(word)) {
        token = lexer.next();
    }
    if lexer.peek().is(b'.') {
        lexer.next();
        token = lexer.next();
    }
    token.is_name().then_some(token.start)
}
