//! One row for each kind of session state: how a session comes by it, how it is read back, and what becomes of it when
//! the connection would have to move. `docs/session.md` has a row for each of these, with the same words.

use pointsman_lab::Flavor;

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The session has it on the new writer as it had it on the old one.
    Restored,
    /// It keeps the session where it is: reads go on, a refused write gets its error, then the connection is lost.
    Pinned,
    /// It belongs to the server and not to the session: the new writer has its own.
    Left,
    /// It can be asked for where it came about, and is never answered wrongly elsewhere: there the connection is lost.
    Asked,
}

impl Fate {
    /// The second column.
    pub fn word(self) -> &'static str {
        match self {
            Fate::Restored => "restored",
            Fate::Pinned => "pinned",
            Fate::Left => "left",
            Fate::Asked => "asked",
        }
    }
}

/// Orders are `client.c`'s, without the number of the handle; `{me}` stands for a name that no other connection uses,
/// `fails` for a `query` that fails.
pub struct State {
    /// The words of the first column.
    pub name: &'static str,
    pub fate: Fate,
    /// Only this server has it, or says it so.
    pub only: Option<Flavor>,
    pub set_up: &'static [&'static str],
    pub look: &'static str,
    /// What ends a pin: after it, the session moves.
    pub release: &'static [&'static str],
    /// Nothing else can be said on the connection until it is released; or the switchover itself would wait for it.
    pub blocks: bool,
}

const fn state(name: &'static str, fate: Fate, set_up: &'static [&'static str], look: &'static str) -> State {
    State { name, fate, only: None, set_up, look, release: &[], blocks: false }
}

const fn restored(name: &'static str, set_up: &'static [&'static str], look: &'static str) -> State {
    state(name, Fate::Restored, set_up, look)
}

const fn pinned(name: &'static str, set_up: &'static [&'static str], look: &'static str) -> State {
    state(name, Fate::Pinned, set_up, look)
}

const fn asked(name: &'static str, set_up: &'static [&'static str], look: &'static str) -> State {
    state(name, Fate::Asked, set_up, look)
}

impl State {
    const fn only(self, flavor: Flavor) -> Self {
        State { only: Some(flavor), ..self }
    }

    const fn until(self, release: &'static [&'static str]) -> Self {
        State { release, ..self }
    }

    const fn blocks(self) -> Self {
        State { blocks: true, ..self }
    }

    pub fn is_on(&self, flavor: Flavor) -> bool {
        self.only.is_none_or(|only| only == flavor)
    }
}

const CHARSETS: &str = "query SELECT @@character_set_client, @@character_set_results, @@character_set_connection, \
                        @@collation_connection";
const MARIADB_ISOLATION: &str = "query SELECT @@tx_isolation, @@tx_read_only";
const MYSQL_ISOLATION: &str = "query SELECT @@transaction_isolation, @@transaction_read_only";
/// Reads that say nothing of the session: the pin is what counts.
const ANY_READ: &str = "query SELECT 7 FROM seed";

#[rustfmt::skip]
pub const STATES: &[State] = &[
    // The database.
    restored("`USE`", &["query USE other"], "query SELECT DATABASE()"),
    restored("`mysql_select_db`", &["select_db other"], "query SELECT DATABASE()"),
    restored("`USE` behind `mysql_reset_connection`", &["query USE other", "reset_connection"], "query SELECT DATABASE()"),

    // Character sets.
    restored("the character set of the connect", &[], CHARSETS),
    restored("`SET NAMES … COLLATE …`", &["query SET NAMES latin1 COLLATE latin1_german2_ci"], CHARSETS),
    restored("`SET CHARACTER SET`", &["query SET CHARACTER SET latin2"], CHARSETS),
    pinned("`SET CHARACTER SET` before `USE`", &["query SET CHARACTER SET latin2", "query USE other"], CHARSETS),
    restored("`SET collation_connection`", &["query SET collation_connection = utf8mb4_bin"], CHARSETS),
    restored("`SET character_set_results`", &["query SET character_set_results = NULL"], CHARSETS),
    restored("`mysql_set_character_set`", &["character_set latin2"], CHARSETS),
    restored("`mysql_set_character_set`, then `SET collation_connection`",
        &["character_set latin2", "query SET collation_connection = latin2_bin"], CHARSETS),

    // Variables.
    restored("`SET`, several variables in one statement",
        &["query SET sql_mode = 'ANSI_QUOTES', SESSION time_zone = '+05:00', @@foreign_key_checks = 0, LOCAL unique_checks := 0, @@session.lock_wait_timeout = 77, @@local.sql_safe_updates = 1"],
        "query SELECT @@sql_mode, @@time_zone, @@foreign_key_checks, @@unique_checks, @@lock_wait_timeout, @@sql_safe_updates"),
    restored("`SET`, one building on the other",
        &["query SET @n = 1", "query SET @n = @n + 1, @m = @n", "query SET @n = @n * 10", "query SET @m = @m + @n"],
        "query SELECT @n, @m"),
    restored("`SET` of switches, one at a time",
        &["query SET optimizer_switch = 'index_merge=off'", "query SET optimizer_switch = 'mrr=on'"], "query SELECT @@optimizer_switch"),
    restored("`SET` in a text of several statements",
        &["server_option 0", "query SET @a = 1; USE other; SET time_zone = '+01:00'"], "query SELECT @a, DATABASE(), @@time_zone"),
    restored("`SET sql_log_bin`", &["query SET sql_log_bin = 0"], "query SELECT @@sql_log_bin"),
    restored("`SET autocommit`", &["query SET autocommit = 0"], "query SELECT @@autocommit"),
    restored("`mysql_autocommit`", &["autocommit 0"], "query SELECT @@autocommit"),
    restored("user variables from literals", &["query SET @a = 5, @`b c` := 'x''y'"], "query SELECT @a, @`b c`"),
    restored("user variables from before `mysql_set_character_set`", &["query SET @a = 'é'", "character_set latin2"], "query SELECT HEX(@a), CHARSET(@a), CHAR_LENGTH(@a)"),
    pinned("user variables from data: `SET @a = (SELECT …)`", &["query SET @a = (SELECT MAX(n) FROM seed)"], "query SELECT @a"),
    pinned("user variables from data: `SELECT @a := …`", &["query SELECT @a := n FROM seed"], "query SELECT @a"),
    pinned("user variables from data: `SELECT … INTO @a`", &["query SELECT n INTO @a FROM seed"], "query SELECT @a"),
    pinned("user variables from data, the statement failed half-way",
        &["fails SELECT n INTO @a FROM (SELECT 7 AS n UNION SELECT 8) AS two"], "query SELECT @a"),
    pinned("`SET timestamp`", &["query SET timestamp = 1000000000"], "query SELECT NOW()"),
    pinned("`SET sql_auto_is_null = 1`", &["query SET sql_auto_is_null = 1", "query INSERT INTO mark (v) VALUES ('null')"],
        "query SELECT id > 0 FROM mark WHERE id IS NULL"),
    pinned("`SET insert_id`", &["query SET insert_id = 77"], "query SELECT 7 FROM seed WHERE @@insert_id = 77"),
    State { fate: Fate::Left, ..restored("`SET GLOBAL`", &["query SET GLOBAL max_connect_errors = 4711"], "query SELECT @@global.max_connect_errors") },
    State { fate: Fate::Left, ..restored("`SET PERSIST`", &["query SET PERSIST max_connect_errors = 4712"], "query SELECT @@global.max_connect_errors") }
        .only(Flavor::MySql),

    // Transactions.
    restored("`SET SESSION TRANSACTION ISOLATION LEVEL` (MariaDB)",
        &["query SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"], MARIADB_ISOLATION).only(Flavor::MariaDb),
    restored("`SET SESSION TRANSACTION ISOLATION LEVEL` (MySQL)",
        &["query SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"], MYSQL_ISOLATION).only(Flavor::MySql),
    restored("`SET SESSION TRANSACTION READ ONLY` (MariaDB)", &["query SET SESSION TRANSACTION READ ONLY"], MARIADB_ISOLATION)
        .only(Flavor::MariaDb),
    restored("`SET SESSION TRANSACTION READ ONLY` (MySQL)", &["query SET SESSION TRANSACTION READ ONLY"], MYSQL_ISOLATION)
        .only(Flavor::MySql),
    restored("`SET TRANSACTION`, for the next one only", &["query SET TRANSACTION READ ONLY"], "fails INSERT INTO mark (v) VALUES ('next')"),
    pinned("`SET TRANSACTION`, when nobody can tell whether it was used",
        &["query SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "query SELECT 1"], ANY_READ).until(&["query COMMIT"]),
    restored("`SET TRANSACTION`, and something prepared behind it",
        &["query SET TRANSACTION READ ONLY", "query PREPARE s FROM 'SELECT n FROM seed'", "prepare_on SELECT n FROM seed"],
        "fails INSERT INTO mark (v) VALUES ('next')"),
    // MySQL's flag tells of the transaction that it begins.
    restored("`SAVEPOINT` before anything else, without autocommit", &["query SET autocommit = 0", "query SAVEPOINT s"],
        "query ROLLBACK TO s").only(Flavor::MariaDb),
    pinned("XA", &["query XA START '{me}'"], "fails BEGIN").until(&["query XA END '{me}'", "query XA ROLLBACK '{me}'"]),

    // Prepared statements.
    restored("prepared statements (`mysql_stmt_prepare`)", &["prepare_on SELECT n, 'prepared' FROM seed"], "run"),
    restored("prepared statements, executed before", &["query USE other", "prepare_on SELECT n, DATABASE() FROM shop.seed", "run", "query SET time_zone = '+02:00'"], "run"),
    pinned("prepared statements of another database", &["prepare_on SELECT n, 'prepared' FROM seed", "query USE other"], "run")
        .until(&["done"]),
    pinned("prepared statements from before `SET NAMES`", &["prepare_on SELECT n, 'prepared' FROM seed", "query SET NAMES latin1"], "run")
        .until(&["done"]),
    restored("`PREPARE … FROM 'text'`",
        &["query USE other", "query PREPARE s FROM 'SELECT COUNT(*) >= 0, DATABASE(), ? FROM mark'", "query SET @a = 5"],
        "query EXECUTE s USING @a"),
    restored("`PREPARE … FROM 'text'` between two `USE`",
        &["query USE shop", "query PREPARE s FROM 'SELECT n FROM seed'", "query USE other"], "query EXECUTE s"),
    pinned("`PREPARE … FROM 'text'` before `USE`", &["query PREPARE s FROM 'SELECT n FROM seed'", "query USE other"], "query EXECUTE s")
        .until(&["query DEALLOCATE PREPARE s"]),
    pinned("`PREPARE … FROM @a`", &["query SET @a = 'SELECT n FROM seed'", "query PREPARE s FROM @a"], "query EXECUTE s"),

    // Of the statement before.
    asked("`LAST_INSERT_ID()`", &["query INSERT INTO mark (v) VALUES ('id')"], "query SELECT LAST_INSERT_ID() > 0"),
    asked("`LAST_INSERT_ID()` behind a prepared statement", &["prepare_on INSERT INTO mark (v) VALUES ('id')", "run"], "query SELECT LAST_INSERT_ID() > 0"),
    asked("`ROW_COUNT()`", &["query INSERT INTO mark (v) VALUES ('a'), ('b'), ('c')"], "query SELECT ROW_COUNT()"),
    asked("`FOUND_ROWS()`", &["query SELECT SQL_CALC_FOUND_ROWS n FROM (SELECT 1 AS n UNION SELECT 2) AS two LIMIT 1"], "query SELECT FOUND_ROWS()"),
    asked("`LASTVAL(s)`", &["query SELECT NEXTVAL(s)"], "query SELECT LASTVAL(s) > 0").only(Flavor::MariaDb),
    asked("`PREVIOUS VALUE FOR s`", &["query DO NEXTVAL(shop.s)"], "query SELECT PREVIOUS VALUE FOR `shop`.s > 0").only(Flavor::MariaDb),
    asked("`@@last_gtid`", &["query INSERT INTO mark (v) VALUES ('gtid')"], "query SELECT @@last_gtid <> ''").only(Flavor::MariaDb),
    asked("`SHOW WARNINGS`", &["query SELECT 1 / 0"], "query SHOW WARNINGS"),

    // What only this server has.
    pinned("temporary tables", &["query CREATE TEMPORARY TABLE scratch AS SELECT 7 AS n"], "query SELECT n FROM scratch")
        .until(&["query DROP TEMPORARY TABLE scratch"]),
    pinned("temporary tables made by a prepared statement",
        &["prepare_on CREATE TEMPORARY TABLE scratch AS SELECT 7 AS n", "run"], "query SELECT n FROM scratch")
        .until(&["query DROP TEMPORARY TABLE scratch"]),
    pinned("temporary tables made by `EXECUTE`",
        &["query PREPARE s FROM 'CREATE TEMPORARY TABLE scratch AS SELECT 7 AS n'", "query EXECUTE s"], "query SELECT n FROM scratch")
        .until(&["query PREPARE t FROM 'DROP TEMPORARY TABLE scratch'", "query EXECUTE t"]),
    pinned("temporary tables made by `EXECUTE` in another database",
        &["query USE other", "query PREPARE s FROM 'CREATE TEMPORARY TABLE scratch AS SELECT 7 AS n'", "query USE shop", "query EXECUTE s"],
        "query SELECT n FROM other.scratch"),
    pinned("`GET_LOCK`", &["query SELECT GET_LOCK('{me}', 9)"], "query SELECT IS_USED_LOCK('{me}') = CONNECTION_ID()")
        .until(&["query SELECT RELEASE_LOCK('{me}')"]),
    pinned("`GET_LOCK`, several", &["query SELECT GET_LOCK('{me} one', 9)", "query DO GET_LOCK('{me} two', 9)"], "query SELECT IS_USED_LOCK('{me} two') = CONNECTION_ID()")
        .until(&["query SELECT RELEASE_ALL_LOCKS()"]),
    pinned("`LOCK TABLES`", &["query LOCK TABLES mark READ"], "fails SELECT n FROM seed").until(&["query UNLOCK TABLES"]),
    // MySQL would wait for the tables that other connections have locked here.
    pinned("`FLUSH TABLES WITH READ LOCK`", &["query FLUSH TABLES WITH READ LOCK"], "query SELECT n FROM seed")
        .until(&["query UNLOCK TABLES"]).only(Flavor::MariaDb).blocks(),
    pinned("`HANDLER … OPEN`", &["query HANDLER seed OPEN AS h"], "query HANDLER h READ FIRST").until(&["query HANDLER h CLOSE"]),
    pinned("a result read row by row", &["stream SELECT n FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) AS three"], "fetch_row")
        .until(&["fetch_row", "fetch_row", "fetch_row"]).blocks(),
    pinned("`CALL`", &["query CALL remember(7)"], "query SELECT @remembered"),
    pinned("`CALL` that failed half-way", &["fails CALL remember_and_fail(7)"], "query SELECT @remembered"),
    pinned("stored functions", &["query SELECT remembering(7)"], "query SELECT @remembered"),
    pinned("several statements of which one failed", &["server_option 0", "query SELECT 1; SELECT * FROM missing; USE other"], "query SELECT DATABASE(), 7 FROM seed"),

    // The account and the connection.
    restored("`SET ROLE`", &["query SET ROLE clerk"], "query SELECT CURRENT_ROLE()"),
    restored("`mysql_change_user`", &["change_user clerk_user clerk other"], "query SELECT CURRENT_USER(), DATABASE()"),
    restored("the character set behind `mysql_reset_connection`", &["reset_connection"], CHARSETS),
    restored("`mysql_set_server_option` behind `mysql_reset_connection`", &["server_option 0", "reset_connection"], "query SELECT 1; SELECT 2"),
    restored("`mysql_set_server_option` behind `mysql_change_user`", &["server_option 0", "change_user clerk_user clerk other"], "query SELECT 1; SELECT 2"),
    restored("the character set behind `mysql_change_user`", &["character_set latin2", "change_user clerk_user clerk shop"], CHARSETS),
    restored("`mysql_set_server_option`", &["server_option 0"], "query SELECT 1; SELECT 2"),
    restored("`MYSQL_INIT_COMMAND`", &["init SET @a = 5, time_zone = '+03:00'", "connect"], "query SELECT @a, @@time_zone"),
    restored("`mysql_reset_connection`, which clears all but the database",
        &["init SET @a = 5, time_zone = '+03:00'", "connect", "character_set latin2", "query SET @b = 6", "reset_connection"],
        "query SELECT @a, @b, @@time_zone"),
    pinned("`SET RESOURCE GROUP`", &["query SET RESOURCE GROUP USR_default"], ANY_READ).only(Flavor::MySql),
    restored("`SET STATEMENT … FOR`, for that statement only",
        &["query SET STATEMENT max_statement_time = 5 FOR SELECT 1", "query SET @a = 5"], "query SELECT @a, @@max_statement_time").only(Flavor::MariaDb),
];
