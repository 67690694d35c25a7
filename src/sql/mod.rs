//! What a statement does, as far as its text tells: a lexer-level classifier, no parser.
//!
//! It performs nothing and knows nothing of sockets, handles or servers. Whatever it is unsure about, it
//! says "writes" or "pins": the price of a wrong "reads" is a statement that runs twice.

mod assignment;
mod facts;
mod familiar;
mod functions;
mod insert;
mod lexer;
mod named;
mod names;
mod plain;
#[cfg(test)]
mod properties;
mod server;
mod set;
mod statement;
#[cfg(test)]
mod tests;
mod text;
mod token;

use std::ops::{Deref, DerefMut};

pub use assignment::{Assignment, Value, Variable, sole_assignment};
pub use familiar::Familiar;
pub use insert::takes_a_chosen_id;
use lexer::Reading;
pub use names::names_in;
use plain::Plain;
pub use server::Server;

/// Character sets in which a byte of ASCII can be the second half of a letter (MySQL manual, "Supported Character Sets").
pub const ASCII_UNSAFE_CHARSETS: [&str; 5] = ["sjis", "cp932", "big5", "gbk", "gb18030"];

/// How the server would read the text (MySQL manual 11.1.1 "String Literals", 7.1.11 "Server SQL Modes").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// `NO_BACKSLASH_ESCAPES` is on: a backslash is an ordinary character (SERVER_STATUS_NO_BACKSLASH_ESCAPES).
    pub no_backslash_escapes: bool,
    /// The connection's character set can hold ASCII bytes inside a multi-byte character
    /// ([`ASCII_UNSAFE_CHARSETS`]): a text with bytes >= 0x80 cannot be lexed bytewise.
    pub ascii_unsafe_charset: bool,
    /// Which functions are built in.
    pub server: Server,
}

/// What the text does to the transaction that is open, or opens one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionEffect {
    /// Leaves it as it is.
    None,
    /// BEGIN, START TRANSACTION (which also commits an open one).
    Begin,
    /// COMMIT, without AND CHAIN or RELEASE.
    Commit,
    /// ROLLBACK, without TO SAVEPOINT, AND CHAIN or RELEASE.
    Rollback,
    /// SAVEPOINT, ROLLBACK TO, RELEASE SAVEPOINT.
    Savepoint,
    /// Commits what is open as a side effect (MySQL manual 15.3.3): DDL, LOCK TABLES, SET autocommit = 1, …
    ImplicitCommit,
    /// AND CHAIN, RELEASE, XA, multi-statement texts that touch transactions: nothing may be assumed.
    Opaque,
}

/// A piece of session state that cannot be rebuilt on another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pin {
    TemporaryTable,
    /// GET_LOCK.
    UserLock,
    /// LOCK TABLES.
    TableLock,
    /// FLUSH TABLES WITH READ LOCK, LOCK INSTANCE FOR BACKUP.
    GlobalLock,
    Xa,
    /// HANDLER … OPEN.
    Handler,
    /// A user variable set from data (`SELECT @x := …`, `SELECT … INTO @x`, `SET @x = (SELECT …)`).
    UserVariable,
    /// SQL-level PREPARE of what is not a literal.
    PreparedSql,
    /// CALL, or a stored function: it may change session state unseen.
    Call,
    /// The classifier is unsure what the text leaves behind.
    Unclear,
}

/// What the text leaves behind in the session once it has succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEffect {
    /// `USE db`: the name, unquoted.
    Use(Vec<u8>),
    /// A SET of session state whose whole text may be run again, in order, on a fresh session.
    Journal,
    /// `autocommit` now has this value (always accompanied by `Journal`).
    Autocommit(bool),
    /// `SET TRANSACTION …` without SESSION or GLOBAL: holds for the next transaction only.
    NextTransaction,
    /// `PREPARE name FROM 'literal'`: the name, and what the literal says if it has nothing escaped in it.
    PrepareSql(Vec<u8>, Option<Vec<u8>>),
    /// `DEALLOCATE PREPARE name`
    Deallocate(Vec<u8>),
    /// `EXECUTE name`: it does what was prepared under that name, if that is known.
    Execute(Vec<u8>),
    Pin(Pin),
    /// The last state of this kind is gone (UNLOCK TABLES, RELEASE_ALL_LOCKS()).
    Unpin(Pin),
    /// One thing of a kind, which goes by this name (CREATE TEMPORARY TABLE, GET_LOCK, HANDLER … OPEN, XA START).
    Hold(Pin, Name),
    /// That thing is gone, or once less held (DROP TEMPORARY TABLE, RELEASE_LOCK, HANDLER … CLOSE, XA COMMIT).
    Release(Pin, Name),
    /// What is held of this kind may go by another name now (ALTER TABLE … RENAME, RENAME TABLE).
    Rename(Pin),
    /// Nothing is left, but it asks for what an earlier statement left on the very connection, like this question, whose
    /// answer is NULL or empty where nothing was left. `None`: it cannot be asked for.
    Asks(Option<Vec<u8>>),
}

/// What a thing goes by: bytes that are equal mean the same thing, while others may, too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The database of a table; without it, the current one.
    pub qualifier: Option<Vec<u8>>,
    pub name: Vec<u8>,
}

/// What a statement gets from its server that is worth nothing on another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnlyHere {
    /// Locks on rows that are read (FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE). An application can use them as a mutex:
    /// while this transaction is on its way to another server, another application can take the lock there and let it go.
    RowLocks,
    /// WITH CONSISTENT SNAPSHOT.
    Snapshot,
}

/// What is to be known of one statement text but for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Changes nothing anywhere: running it twice cannot be told from running it once.
    pub only_reads: bool,
    /// Carries the comment `/* pointsman:idempotent */`: its author vouches that running it twice does no harm.
    pub vouched: bool,
    /// One statement whose ERR reply speaks of the whole of it. False for CALL and for more than one statement
    /// in the text: half of their work may have been done when ERR arrives.
    pub atomic: bool,
    /// It belongs to this very connection or server: it depends on the statement before it (LAST_INSERT_ID(),
    /// ROW_COUNT(), FOUND_ROWS(), SHOW WARNINGS…) or names a connection of this server (KILL).
    pub uses_previous: bool,
    /// Among these: what only the very statement before it left (ROW_COUNT(), SHOW WARNINGS…), or this server's connections.
    pub uses_outcome: bool,
    /// Among these: FOUND_ROWS(), which outlives statements that query nothing.
    pub uses_found_rows: bool,
    /// Among these: warnings and errors, which on MariaDB outlive statements that name no table.
    pub uses_diagnostics: bool,
    /// Among these: LAST_INSERT_ID(), which outlives other statements. Also set where it is given a value.
    pub uses_insert_id: bool,
    /// It reads or sets one: its preparation may fix the variable's type, or change its character set.
    pub user_variables: bool,
    /// It queries, and so leaves a FOUND_ROWS() of its own.
    pub queries: bool,
    /// It certainly names a table, and so leaves warnings of its own, or none.
    pub names_table: bool,
    /// Uses a function whose value changes from run to run (UUID, RAND, SLEEP, unknown functions), so that a
    /// replayed transaction could differ unseen. NOW and its kin do not count: `timestamp` is restored.
    pub varies: bool,
    /// What it got from its server that no other has, if anything: a transaction with it is not replayed there.
    pub only_here: Option<OnlyHere>,
    /// The server may ask for a file's content in the middle of it (LOAD DATA LOCAL, or what may turn out to be one):
    /// what is sent last is not the statement then, and a server that is busy with it may let the sender wait.
    pub streams: bool,
    /// A command of the protocol without a text (ping, select database, …). It leaves what the statement before it left: the
    /// library asks nothing before it that can be asked another time.
    pub command: bool,
    pub transaction: TransactionEffect,
}

/// One statement text, classified.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Statement {
    pub traits: Traits,
    /// Empty, and not allocated, for most statements.
    pub session: Vec<SessionEffect>,
}

impl Deref for Statement {
    type Target = Traits;

    fn deref(&self) -> &Traits {
        &self.traits
    }
}

impl DerefMut for Statement {
    fn deref_mut(&mut self) -> &mut Traits {
        &mut self.traits
    }
}

impl From<Traits> for Statement {
    fn from(traits: Traits) -> Self {
        Statement { traits, session: Vec::new() }
    }
}

/// As it would be derived, except that nothing is called for the session of most statements.
impl Clone for Statement {
    #[inline]
    fn clone(&self) -> Self {
        let session = if self.session.is_empty() { Vec::new() } else { self.session.clone() };
        Statement { traits: self.traits, session }
    }
}

impl Default for Traits {
    fn default() -> Self {
        Self::READING
    }
}

/// What `sql`, sent as one COM_QUERY or COM_STMT_PREPARE, does. Any bytes will do; the time is linear in their number.
pub fn classify(sql: &[u8], dialect: Dialect) -> Statement {
    match plain::classify(sql) {
        Some(Plain { traits, beyond_ascii: false }) => traits.into(),
        plain => classify_in_doubt(plain, sql, || dialect),
    }
}

/// What is not plain, or plain in most dialects only: most texts read alike in all of them, and it costs something to know
/// which it is.
fn classify_in_doubt(plain: Option<Plain>, sql: &[u8], dialect: impl FnOnce() -> Dialect) -> Statement {
    let dialect = dialect();
    if dialect.ascii_unsafe_charset && !sql.is_ascii() {
        return Statement::unknowable();
    }
    plain.map_or_else(|| classify_closely(sql, dialect), |plain| plain.traits.into())
}

fn classify_closely(sql: &[u8], dialect: Dialect) -> Statement {
    let backslash = !dialect.no_backslash_escapes;
    let reading =
        Reading { backslash, backslash_in_double_quotes: backslash, conditional: true, server: dialect.server };
    let first = text::read(sql, reading);
    let mut all = first.statement;
    // What only the server knows is read both ways, and the worse of the two counts.
    let other_quotes = Reading { backslash_in_double_quotes: false, ..reading };
    let mut depends_on_quotes = first.depends_on_quotes;
    if first.depends_on_conditional {
        let skipped = text::read(sql, Reading { conditional: false, ..reading });
        all.merge(skipped.statement);
        depends_on_quotes |= skipped.depends_on_quotes;
        if depends_on_quotes {
            all.merge(text::read(sql, Reading { conditional: false, ..other_quotes }).statement);
        }
    }
    if depends_on_quotes {
        let other = text::read(sql, other_quotes);
        all.merge(other.statement);
        if other.depends_on_conditional && !first.depends_on_conditional {
            all.merge(text::read(sql, Reading { conditional: false, ..other_quotes }).statement);
        }
    }
    all
}

impl Traits {
    /// Changes nothing.
    pub const READING: Self = Traits {
        only_reads: true,
        vouched: false,
        atomic: true,
        uses_previous: false,
        uses_outcome: false,
        uses_found_rows: false,
        uses_diagnostics: false,
        uses_insert_id: false,
        user_variables: false,
        queries: false,
        names_table: false,
        varies: false,
        only_here: None,
        streams: false,
        command: false,
        transaction: TransactionEffect::None,
    };
    const WRITING: Self = Traits { only_reads: false, ..Self::READING };

    /// Of two statements of one text, or of two readings of one statement: what makes it harmless has to be so of both, and
    /// what makes it doubtful is so of one at least. `transaction` is the caller's to judge.
    fn and(self, other: Self) -> Self {
        Traits {
            only_reads: self.only_reads && other.only_reads,
            vouched: self.vouched && other.vouched,
            atomic: self.atomic && other.atomic,
            queries: self.queries && other.queries,
            names_table: self.names_table && other.names_table,
            command: self.command && other.command,
            uses_previous: self.uses_previous || other.uses_previous,
            uses_outcome: self.uses_outcome || other.uses_outcome,
            uses_found_rows: self.uses_found_rows || other.uses_found_rows,
            uses_diagnostics: self.uses_diagnostics || other.uses_diagnostics,
            uses_insert_id: self.uses_insert_id || other.uses_insert_id,
            user_variables: self.user_variables || other.user_variables,
            varies: self.varies || other.varies,
            streams: self.streams || other.streams,
            only_here: self.only_here.or(other.only_here),
            transaction: self.transaction,
        }
    }
}

impl Statement {
    /// Changes nothing and leaves nothing behind.
    pub const fn reading() -> Self {
        Statement { traits: Traits::READING, session: Vec::new() }
    }

    /// A command without a text that may be run twice and touches no transaction.
    pub const fn command() -> Self {
        Statement { traits: Traits { command: true, ..Traits::READING }, session: Vec::new() }
    }

    fn writing() -> Self {
        Traits::WRITING.into()
    }

    /// One statement that neither touches the transaction nor leaves anything in the session.
    pub fn is_ordinary(&self) -> bool {
        self.atomic && self.transaction == TransactionEffect::None && self.session.is_empty()
    }

    /// ROLLBACK and nothing else: afterwards nothing is left of the transaction, and none is open.
    pub fn rolls_back(&self) -> bool {
        self.transaction == TransactionEffect::Rollback && self.atomic
    }

    /// The transaction is over behind it, and nothing of the next one has begun.
    pub fn commits(&self) -> bool {
        matches!(self.transaction, TransactionEffect::Commit | TransactionEffect::ImplicitCommit)
    }

    /// Speaks of the statement before it, or of this server's connections.
    fn bound(mut self) -> Self {
        (self.uses_previous, self.uses_outcome) = (true, true);
        self
    }

    /// Speaks of warnings and errors.
    fn diagnostic(mut self) -> Self {
        self.uses_diagnostics = true;
        self.bound()
    }

    /// Nothing may be assumed of it.
    fn unknowable() -> Self {
        let transaction = TransactionEffect::Opaque;
        let traits = Traits { atomic: false, varies: true, streams: true, transaction, ..Traits::WRITING };
        Statement { traits, session: vec![SessionEffect::Pin(Pin::Unclear)] }
    }

    /// Adds an effect; of two that speak of the same thing the later one counts.
    fn leave(&mut self, effect: SessionEffect) {
        use SessionEffect::*;
        if effect == Journal && self.session.contains(&Journal) {
            return;
        }
        self.session.retain(|earlier| match (earlier, &effect) {
            (Use(_), Use(_)) | (Autocommit(_), Autocommit(_)) => false,
            (Pin(one), Pin(other)) | (Unpin(one), Unpin(other)) => one != other,
            _ => *earlier != effect,
        });
        self.session.push(effect);
    }

    /// Another reading of the same text: what is not the same in both is in doubt.
    fn merge(&mut self, other: Statement) {
        self.traits = self.traits.and(other.traits);
        if self.transaction != other.transaction {
            self.transaction = TransactionEffect::Opaque;
        }
        if self.session != other.session {
            for effect in other.session {
                if !self.session.contains(&effect) {
                    self.session.push(effect);
                }
            }
            self.leave(SessionEffect::Pin(Pin::Unclear));
        }
    }
}
