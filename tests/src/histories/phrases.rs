//! The words of [`super::grammar`]: texts of statements, `#` for a number.

use super::grammar::{
    Mark::{self, *},
    Phrase,
};

pub const SETTINGS: &[&str] = &[
    "SET sql_mode = ''",
    "SET sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES'",
    "SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')",
    "SET sql_mode = DEFAULT",
    "SET @@session.time_zone = '+0#:00'",
    "SET time_zone = 'SYSTEM'",
    "SET NAMES latin1",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET NAMES utf8mb4",
    "SET CHARACTER SET latin1",
    "SET NAMES DEFAULT",
    "SET collation_connection = utf8mb4_unicode_ci",
    "SET character_set_results = NULL",
    "SET foreign_key_checks = 0, unique_checks = 0",
    "SET foreign_key_checks = 1",
    "SET LOCAL group_concat_max_len = 10#",
    "SET div_precision_increment = #",
    "SET @@lc_time_names = 'de_DE', default_week_format = 3",
    "SET sql_select_limit = #",
    "SET sql_select_limit = DEFAULT",
    "SET sql_safe_updates = 1",
    "SET innodb_lock_wait_timeout = #, lock_wait_timeout = 10#",
    "SET sql_auto_is_null = 1",
    "SET auto_increment_increment = #, auto_increment_offset = 1",
    "SET @@auto_increment_increment = DEFAULT",
    "SET @@session.timestamp = 12345678#.25",
    "SET timestamp = DEFAULT",
    "SET @a = 'with', sql_mode = 'NO_ZERO_DATE', @b = #",
    "SET time_zone = '+0#:00', sql_mode = 'nonsense'",
    "SET no_such_variable = #",
    "/* a comment */ set Session Time_Zone := '-0#:30' -- and another",
];

pub const USER_VARIABLES: &[&str] = &[
    "SET @a = #",
    "SET @a = @a + 1",
    "SET @b = CONCAT(@a, '-#'), @c = NULL",
    "SET @c := 1.50 * #, @a = -#",
    "SET @d = 'it''s \\\\ #'",
    "SET @e = 0x00ff41, @b = _latin1'x'",
    "SET @d = _utf8mb4'x' COLLATE utf8mb4_bin",
    "SET @`a` = UPPER('abc')",
    "SET @a = IF(@b IS NULL, 'none', @b)",
    "SET @d = 'é'",
];

pub const READS: &[(&str, Mark)] = &[
    ("SELECT * FROM t ORDER BY id", Plain),
    ("SELECT COUNT(*), SUM(n) FROM t", Plain),
    ("SELECT @a, @b, @c, @d, HEX(@e)", Plain),
    ("SELECT v FROM t WHERE n > 1 ORDER BY id LIMIT 2", Plain),
    ("SELECT id FROM t ORDER BY id FOR UPDATE", Fragile),
    ("SELECT 7 / 3, 'a' = 'A', \"x\"", Plain),
    ("SELECT CAST('x' AS SIGNED), 1 / 0", Plain),
    ("SELECT DATABASE(), @@autocommit, @@sql_mode", Fragile),
    ("SELECT DATE_FORMAT('2024-05-01', '%W %M'), WEEK('2024-05-01')", Plain),
    ("SELECT GROUP_CONCAT(v ORDER BY id) FROM t", Plain),
    ("SELECT * FROM w ORDER BY id", Fragile),
    ("SELECT COUNT(*) FROM w JOIN u", Fragile),
    ("SHOW TABLES", Plain),
    ("DO 1", Plain),
];

pub const WRITES: &[&str] = &[
    "INSERT INTO t (v, n) VALUES ('one', #)",
    "INSERT INTO t (v, n) VALUES ('two', #), ('more', 1#0)",
    "INSERT INTO t (v) VALUES ('null')",
    "INSERT IGNORE INTO t (v, n) VALUES ('ignored', 1), ('taken', #)",
    "INSERT INTO t (v, n) VALUES ('changed', #) ON DUPLICATE KEY UPDATE v = CONCAT(v, '+')",
    "INSERT INTO t (v, n) SELECT v, n + 200 FROM t WHERE n < 3 ORDER BY id",
    "REPLACE INTO t (v, n) VALUES ('replaced', #)",
    "UPDATE t SET v = CONCAT(v, '.') WHERE n <= #",
    "UPDATE t SET v = 'none' WHERE n = 1000",
    "DELETE FROM t WHERE n = #",
    "INSERT INTO u (v) VALUES ('u')",
    "INSERT INTO w (v, n) VALUES ('through a view', #)",
];

/// MariaDB only: what frameworks send for each new object.
pub const RETURNING: &[&str] = &[
    "INSERT INTO t (v, n) VALUES ('one', #) RETURNING id, v",
    "INSERT INTO t (v, n) VALUES ('two', #), ('more', 1#0) RETURNING id",
    "INSERT INTO w (v, n) VALUES ('through a view', #) RETURNING id",
    "DELETE FROM t WHERE n = # RETURNING v",
];

pub const RETURNING_WITH_IDS: &[&str] = &[
    "INSERT INTO t (id, v, n) VALUES ({id} + 1#, 'one', #) RETURNING id, v",
    "REPLACE INTO t (id, v, n) VALUES ({id} + 7#, 'replaced', #) RETURNING n",
    "DELETE FROM t WHERE n = # RETURNING v",
];

/// Without generated ids.
pub const WRITES_WITH_IDS: &[&str] = &[
    "INSERT INTO t (id, v, n) VALUES ({id} + 1#, 'one', #)",
    "INSERT INTO t (id, v, n) VALUES ({id} + 2#, 'two', #), ({id} + 3#, 'more', 1#0)",
    "INSERT IGNORE INTO t (id, v, n) VALUES ({id} + 4#, 'ignored', 1), ({id} + 5#, 'taken', #)",
    "INSERT INTO t (id, v, n) VALUES ({id} + 6#, 'changed', #) ON DUPLICATE KEY UPDATE v = CONCAT(v, '+')",
    "INSERT INTO t (id, v, n) SELECT id + 90, v, n + 200 FROM t WHERE n < 3 ORDER BY id",
    "REPLACE INTO t (id, v, n) VALUES ({id} + 7#, 'replaced', #)",
    "UPDATE t SET v = CONCAT(v, '.') WHERE n <= #",
    "UPDATE w SET v = CONCAT(v, '-') WHERE n <= #",
    "DELETE FROM t WHERE n = #",
    "INSERT INTO u (v) VALUES ('u')",
];

pub const BOUNDARIES: &[(&str, Mark)] = &[
    ("BEGIN", Plain),
    ("BEGIN", Plain),
    ("BEGIN WORK", Plain),
    ("START TRANSACTION", Plain),
    ("START TRANSACTION WITH CONSISTENT SNAPSHOT", Fragile),
    ("START TRANSACTION READ ONLY", Plain),
    ("SAVEPOINT s", Plain),
    ("ROLLBACK TO s", Plain),
    ("ROLLBACK TO SAVEPOINT s", Plain),
    ("RELEASE SAVEPOINT s", Plain),
    ("COMMIT", Plain),
    ("COMMIT", Plain),
    ("ROLLBACK", Plain),
    ("COMMIT AND CHAIN", Fragile),
];

pub const FAILING: &[(&str, Mark)] = &[
    ("INSERT INTO t (v, n) VALUES ('twice', 1)", Plain),
    ("INSERT INTO t (v, n) VALUES ('new', 77), ('twice', 1)", Plain),
    ("SELECT * FROM missing", Plain),
    ("SELECT FROM WHERE", Plain),
    ("SELEC 1", Pins),
    ("INSERT INTO t (id) VALUES (NULL, 1)", Plain),
    ("UPDATE t SET n = 'not a number' WHERE id = {id}", Plain),
    ("INSERT INTO t (v) VALUES ('a text that is longer than the column, which has only thirty')", Plain),
    ("DROP TABLE missing", Fragile),
    ("USE no_such_database", Plain),
    ("SET GLOBAL max_connections = 5", Plain),
];

/// Several statements in one text.
pub const SEVERAL: &[(&str, Mark)] = &[
    ("SELECT 1; SELECT 2, 3", Fragile),
    ("SET @a = 5; SELECT @a", Pins),
    ("INSERT INTO u (v) VALUES ('first'); SELECT COUNT(*) FROM t", Fragile),
    ("BEGIN; INSERT INTO u (v) VALUES ('whole'); COMMIT", Pins),
    ("DO 1; INSERT INTO u (v) VALUES ('behind')", Fragile),
    ("UPDATE t SET v = 'half'; INSERT INTO t (id) VALUES ({id}); SELECT 1", Fragile),
    ("SET NAMES latin1; USE {db}", Fragile),
    ("SET @a = #, @b = 'x'; SET time_zone = '+0#:00'", Fragile),
    ("BEGIN; UPDATE t SET v = 'open' WHERE n = 2", Pins),
];

/// A statement, and one that asks for what it left.
pub const ASKS: &[(&str, &str)] = &[
    ("UPDATE t SET v = CONCAT(v, '!') WHERE n <= #", "SELECT ROW_COUNT()"),
    ("SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 1", "SELECT FOUND_ROWS()"),
    ("INSERT IGNORE INTO t (id, v, n) VALUES ({id}, 'ignored', 1)", "SHOW WARNINGS"),
    ("SELECT CAST('x' AS SIGNED) FROM t", "SELECT @@warning_count, @@error_count"),
    ("SELECT * FROM missing", "SHOW ERRORS"),
];

pub const ASKS_IDS: &[(&str, &str)] = &[
    ("INSERT INTO t (v, n) VALUES ('parent', #)", "SELECT LAST_INSERT_ID()"),
    ("INSERT INTO t (v, n) VALUES ('parent', #)", "INSERT INTO t (v) VALUES (CONCAT('child of ', LAST_INSERT_ID()))"),
    ("INSERT INTO t (v, n) VALUES ('parent', #)", "SELECT @@last_insert_id, @@identity"),
    ("UPDATE t SET v = CONCAT(v, '!') WHERE n <= #", "SELECT LAST_INSERT_ID()"),
    ("SELECT * FROM t", "SELECT LAST_INSERT_ID()"),
];

/// MariaDB only. A sequence that a transaction has used is not what it was when the transaction is rolled back.
pub const ASKS_SEQUENCES: &[(&str, &str)] = &[
    ("SELECT NEXTVAL(q)", "SELECT LASTVAL(q)"),
    ("INSERT INTO t (v, n) VALUES (NEXTVAL(q), #)", "INSERT INTO u (v) VALUES (CONCAT('child of ', LASTVAL(q)))"),
    ("INSERT INTO u (v) VALUES (NEXT VALUE FOR q)", "SELECT PREVIOUS VALUE FOR q"),
    ("UPDATE t SET v = CONCAT(v, '!') WHERE n <= #", "SELECT LASTVAL(q)"),
];

/// What SQL prepares under a name.
pub const NAMED: &[Phrase] = &[
    Phrase { text: "SELECT @a, 4", values: "", mark: Plain },
    Phrase { text: "SELECT v, DATABASE() FROM t WHERE n < 3 ORDER BY id", values: "", mark: Plain },
    Phrase { text: "SELECT v, ? FROM t WHERE n < 3 ORDER BY id", values: " USING @b", mark: Plain },
    Phrase { text: "UPDATE t SET v = CONCAT(v, 7) WHERE n <= ?", values: " USING @a", mark: Plain },
    Phrase { text: "INSERT INTO u (v) VALUES (?)", values: " USING @a", mark: Plain },
    Phrase { text: "SET @c = 8", values: "", mark: Pins },
];

/// What the C API prepares.
pub const PREPARED: &[Phrase] = &[
    Phrase { text: "INSERT INTO t (v, n) VALUES (?, ?)", values: " bound #", mark: Plain },
    Phrase { text: "SELECT id, v, n FROM t WHERE n < ? ORDER BY id", values: " #", mark: Plain },
    Phrase { text: "UPDATE t SET v = CONCAT(v, ?) WHERE n <= ?", values: " x #", mark: Plain },
    Phrase { text: "DELETE FROM t WHERE n = ?", values: " #", mark: Plain },
    Phrase { text: "SELECT @a, ?, ?", values: " - text", mark: Plain },
    Phrase { text: "SELECT DATABASE(), COUNT(*) FROM t", values: "", mark: Plain },
    Phrase { text: "SELECT @@time_zone, @@sql_mode, ?", values: " #", mark: Fragile },
    Phrase { text: "SET time_zone = '+05:00'", values: "", mark: Fragile },
    Phrase { text: "SET @a = ?", values: " #", mark: Pins },
    Phrase { text: "COMMIT", values: "", mark: Plain },
];

pub const PREPARED_WITH_IDS: &[Phrase] = &[
    Phrase { text: "INSERT INTO t (id, v, n) VALUES ({id} + 300 + ?, 'bound', ?)", values: " # #", mark: Plain },
    Phrase { text: "INSERT INTO u (v) VALUES (?)", values: " bound", mark: Plain },
    PREPARED[1],
    PREPARED[2],
    PREPARED[3],
    PREPARED[4],
    PREPARED[5],
    PREPARED[6],
    PREPARED[7],
    PREPARED[8],
    PREPARED[9],
];

pub const TEMPORARY: &str = "a temporary table";
pub const HANDLER: &str = "HANDLER";
pub const USER_LOCK: &str = "GET_LOCK";
pub const TABLE_LOCK: &str = "LOCK TABLES";

pub const HELD: &[(&str, Mark)] = &[
    ("CREATE TEMPORARY TABLE scratch AS SELECT 7 AS n", Holds(TEMPORARY)),
    ("CREATE TEMPORARY TABLE IF NOT EXISTS scratch (n INT)", Holds(TEMPORARY)),
    ("INSERT INTO scratch VALUES (8)", Plain),
    ("DROP TEMPORARY TABLE scratch", LetsGo(TEMPORARY)),
    ("DROP TEMPORARY TABLE scratch", LetsGo(TEMPORARY)),
    ("HANDLER t OPEN AS h", Holds(HANDLER)),
    ("HANDLER h READ NEXT", Fragile),
    ("HANDLER h CLOSE", LetsGo(HANDLER)),
    ("SET @d = (SELECT MAX(n) FROM t)", Pins),
    ("SELECT COUNT(*) INTO @c FROM t", Pins),
    ("SELECT @b := MAX(id) FROM t", Pins),
    ("SET last_insert_id = 42", Pins),
    ("SET insert_id = 4#", Pins),
];

pub const USER_LOCKS: &[(&str, Mark)] = &[
    ("SELECT GET_LOCK('{db}', 0)", Holds(USER_LOCK)),
    ("DO GET_LOCK('{db}', 0)", Holds(USER_LOCK)),
    ("SELECT RELEASE_LOCK('{db}')", LetsGo(USER_LOCK)),
    ("SELECT RELEASE_LOCK('{db}')", LetsGo(USER_LOCK)),
    ("SELECT RELEASE_ALL_LOCKS()", LetsGoAll(USER_LOCK)),
];

pub const TABLE_LOCKS: &[(&str, Mark)] = &[
    ("LOCK TABLES t WRITE", Holds(TABLE_LOCK)),
    ("LOCK TABLES t READ, u AS w WRITE", Holds(TABLE_LOCK)),
    ("UNLOCK TABLES", LetsGo(TABLE_LOCK)),
    ("UNLOCK TABLES", LetsGo(TABLE_LOCK)),
];

/// Looked at in the end.
pub const OBSERVED: &[&str] = &[
    "SELECT DATABASE(), @@autocommit, @@sql_mode, @@time_zone, @@sql_select_limit, @@group_concat_max_len",
    "SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection, \
     @@lc_time_names, @@default_week_format",
    "SELECT {isolation}, {read_only}, @@foreign_key_checks, @@unique_checks, @@sql_safe_updates",
    "SELECT @@div_precision_increment, @@innodb_lock_wait_timeout, @@lock_wait_timeout, @@sql_auto_is_null",
    "SELECT HEX(@a), HEX(@b), HEX(@c), HEX(@d), HEX(@e)",
    "SELECT IF(@a IS NULL, '', CONCAT(CHARSET(@a), COLLATION(@a))), IF(@d IS NULL, '', CONCAT(CHARSET(@d), COLLATION(@d)))",
    "SELECT IS_USED_LOCK('{db}') = CONNECTION_ID()",
    "SELECT IF(@@timestamp < 1000000000, NOW(6), 'now')",
    "SELECT * FROM {db}.t ORDER BY id",
    "SELECT * FROM {db}.scratch",
    "SELECT COUNT(*) FROM {db}.u",
];
