//! What the classifier says of statements as people write them. What it never says, whatever they write, is in
//! `properties`.

use super::Pin::*;
use super::SessionEffect as Leaves;
use super::SessionEffect::{Autocommit, Journal, NextTransaction, Unpin};
use super::TransactionEffect as Tx;
use super::*;

fn class(sql: &str) -> Statement {
    on(Server::MySql(80036), sql)
}

fn on(server: Server, sql: &str) -> Statement {
    classify(sql.as_bytes(), Dialect { server, ..Dialect::default() })
}

fn each(texts: &[&str], holds: impl Fn(&Statement) -> bool) {
    for text in texts {
        let statement = class(text);
        assert!(holds(&statement), "{text}\n{statement:?}");
    }
}

fn leaves(texts: &[&str], session: &[SessionEffect]) {
    each(texts, |it| it.session == session);
}

fn pins(texts: &[&str], pin: Pin) {
    each(texts, |it| {
        it.session.iter().any(|effect| matches!(effect, Leaves::Pin(it) | Leaves::Hold(it, _) if *it == pin))
    });
}

#[test]
fn queries_without_locks_or_side_effects_only_read_and_leave_nothing() {
    each(
        &[
            "SELECT 1",
            "select * from t where a in (1, 2) and (b = 3 or not (c)) and exists (select 1)",
            "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1",
            "WITH a AS (SELECT 1), b (x, y) AS (SELECT 1, 2) SELECT * FROM a JOIN b USING (x)",
            "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
            "TABLE t",
            "VALUES ROW(1, 2), ROW(3, 4)",
            "SELECT COUNT(*), SUM(a) OVER (PARTITION BY b ORDER BY c), RANK() OVER w FROM t WINDOW w AS (ORDER BY a)",
            "SELECT CAST(a AS DECIMAL(10,2)), CONVERT(b, CHAR(3)), NOW(), DATABASE() FROM `t` FORCE INDEX (`i`)",
            "SELECT * FROM (SELECT 1) AS d (a), (SELECT 2) e (b)",
            "SELECT * FROM t PARTITION (p0) WHERE MATCH (a) AGAINST ('x' IN BOOLEAN MODE)",
            "SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (a INT PATH '$.a')) AS j",
            "SELECT @x, @@sql_mode, @@session.autocommit",
            "SELECT 'FOR UPDATE', \"INTO OUTFILE\", `get_lock` FROM t -- FOR UPDATE",
            "SELECT 1;",
            "SELECT 1 ; /* done */ ;",
            "SELECT a FROM t LIMIT 1 # INTO @x",
            "SELECT REPLACE(a, 'x', 'y'), INSERT('a', 1, 1, 'b') FROM t",
            "SELECT 'it''s', 'it\\'s; DELETE FROM t'",
            "SHOW TABLES",
            "SHOW CREATE TABLE t",
            "SHOW FULL COLUMNS FROM t WHERE `Field` IN ('a')",
            "DESCRIBE t",
            "DESC t",
            "EXPLAIN SELECT * FROM t FOR UPDATE",
            "EXPLAIN UPDATE t SET a = 1",
            "EXPLAIN FORMAT=JSON INSERT INTO t (a) VALUES (1)",
            "EXPLAIN ANALYZE SELECT 1",
            "ANALYZE FORMAT=JSON SELECT 1",
            "HELP 'contents'",
            "DO 1 + 1",
            "",
            " /* nothing */ ;; -- at all",
        ],
        |it| {
            let (user_variables, queries, names_table) = (it.user_variables, it.queries, it.names_table);
            *it == Traits { user_variables, queries, names_table, ..Traits::READING }.into()
        },
    );
}

#[test]
fn a_query_that_locks_writes_or_calls_the_unknown_does_not_only_read() {
    each(
        &[
            "SELECT * FROM t FOR UPDATE",
            "SELECT * FROM t FOR SHARE SKIP LOCKED",
            "SELECT * FROM t LOCK IN SHARE MODE",
            "SELECT * FROM t INTO OUTFILE '/tmp/x'",
            "SELECT a INTO @x FROM t",
            "SELECT @x := 1",
            "SELECT GET_LOCK('a', 1)",
            "SELECT release_lock ('a')",
            "SELECT transfer(1, 2)",
            "SELECT `transfer`(1, 2)",
            "SELECT bank.now()",
            "SELECT bank . `now` /* */ ()",
            "SELECT LAST_INSERT_ID(5)",
            "SELECT NEXTVAL(s)",
            "SELECT NEXT VALUE FOR s",
            "SELECT s.nextval",
            "SELECT MASTER_POS_WAIT('a', 1)",
            "(SELECT * FROM t) FOR UPDATE",
            "WITH a AS (SELECT 1) DELETE FROM t",
            "WITH a AS (SELECT 1) UPDATE t SET b = 1",
            "WITH a AS (SELECT 1) (SELECT 1) ORDER BY 1, f(1)",
            "WITH a AS (SELECT f(1)), b (x) AS (SELECT 1) SELECT 1",
            "EXPLAIN ANALYZE SELECT f(1)",
            "EXPLAIN ANALYZE DELETE FROM t",
            "ANALYZE DELETE FROM t",
            "DO f(1)",
            "SELECT 1.e(2)",
            "SELECT \"a\"(1)",
            "SELECT * FROM t FOR\u{a0}UPDATE",
        ],
        |it| !it.only_reads,
    );
}

#[test]
fn writes_are_atomic_and_leave_nothing() {
    each(
        &[
            "INSERT INTO t (a, b) VALUES (1, 2) ON DUPLICATE KEY UPDATE a = VALUES(a)",
            "INSERT INTO `db`.`t` (`a`) VALUES ('x')",
            "INSERT t (a) SELECT 1",
            "INSERT INTO t (a) VALUES (1) AS new(b) ON DUPLICATE KEY UPDATE a = new.b",
            "REPLACE INTO t VALUES (NOW())",
            "UPDATE t SET a = CONCAT(a, 'x') WHERE id IN (1)",
            "DELETE FROM t WHERE a = 1;",
        ],
        |it| {
            let (user_variables, names_table) = (it.user_variables, it.names_table);
            *it == Traits { user_variables, names_table, ..Traits::WRITING }.into()
        },
    );
}

#[test]
fn what_gives_another_value_at_every_run_varies() {
    each(
        &[
            "SELECT UUID()",
            "INSERT INTO t VALUES (RAND())",
            "SELECT SLEEP(1)",
            "SELECT SYSDATE()",
            "SELECT CONNECTION_ID()",
            "SELECT f(1)",
            "SELECT @@hostname",
            "SELECT @@global.sql_mode",
            "SELECT @@gtid_executed",
            "SELECT @@read_only",
            "LOAD DATA INFILE 'a' INTO TABLE t",
        ],
        |it| it.varies,
    );
    each(&["SELECT NOW()", "SELECT @@sql_mode", "INSERT INTO t (a) VALUES (1)"], |it| !it.varies);
}

#[test]
fn locks_on_rows_that_are_read_and_snapshots_are_had_on_this_server_only() {
    let locks = [
        "SELECT * FROM t FOR UPDATE",
        "select n from t where id = 1 for update nowait",
        "SELECT * FROM t FOR SHARE SKIP LOCKED",
        "SELECT * FROM t FOR UPDATE OF t",
        "SELECT * FROM t FOR /* x */ UPDATE",
        "SELECT * FROM t LOCK IN SHARE MODE",
        "(SELECT * FROM t FOR UPDATE)",
        "TABLE t FOR UPDATE",
        "SELECT * FROM (SELECT id FROM t LIMIT 1 FOR UPDATE) d",
        "SELECT a FROM u WHERE id IN (SELECT id FROM t FOR SHARE)",
        "WITH c AS (SELECT id FROM t FOR UPDATE) SELECT * FROM c",
        "WITH c AS (SELECT id FROM t LOCK IN SHARE MODE) UPDATE u SET a = 1",
        "INSERT INTO u SELECT * FROM t FOR UPDATE",
        "INSERT INTO u (a) VALUES ((SELECT id FROM t LIMIT 1 FOR SHARE))",
        "SELECT id INTO @a FROM t FOR UPDATE",
        "SET @a = (SELECT id FROM t FOR UPDATE)",
        "SET STATEMENT max_statement_time = 1 FOR SELECT * FROM t FOR UPDATE",
        "DO (SELECT id FROM t FOR UPDATE)",
        "SELECT 1; SELECT * FROM t FOR UPDATE",
        "SELECT * FROM t /*!50000 FOR UPDATE */",
        "SELECT * FROM t WHERE id = ? FOR UPDATE",
    ];
    each(&locks, |it| it.only_here == Some(OnlyHere::RowLocks));
    let snapshots = [
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
        "start transaction read only, with consistent snapshot",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE",
        "START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */",
        "START TRANSACTION WITH CONSISTENT INNODB SNAPSHOT",
    ];
    each(&snapshots, |it| it.only_here == Some(OnlyHere::Snapshot) && it.transaction == Tx::Begin);
    let none =
        ["SELECT 1", "SELECT 'FOR UPDATE'", "START TRANSACTION", "BEGIN", "UPDATE t SET a = 1", "SHOW INDEX FROM t"];
    each(&none, |it| it.only_here.is_none());
}

#[test]
fn what_may_ask_for_a_file_streams() {
    each(
        &[
            "LOAD DATA LOCAL INFILE 'a' INTO TABLE t",
            "load xml low_priority local infile 'a' into table t",
            "/*!50000 LOAD DATA LOCAL INFILE 'a' INTO TABLE t */",
            "LOAD DATA /*!99999 LOCAL */ INFILE 'a' INTO TABLE t",
            "SELECT 1; LOAD DATA LOCAL INFILE 'a' INTO TABLE t; SELECT 2",
            "SET STATEMENT max_statement_time = 1 FOR LOAD DATA LOCAL INFILE 'a' INTO TABLE t",
            "LOAD DATA LOCAL INFILE 'a' INTO TABLE t /* ",
            "EXECUTE s",
            "EXECUTE IMMEDIATE 'LOAD DATA LOCAL INFILE 0x61 INTO TABLE t'",
            "BEGIN NOT ATOMIC EXECUTE IMMEDIATE @x; END",
            "CALL p()",
            "FROBNICATE",
        ],
        |it| it.streams,
    );
    each(
        &[
            "LOAD DATA INFILE 'a' INTO TABLE t",
            "INSERT INTO t VALUES ('LOAD DATA LOCAL INFILE')",
            "INSERT INTO t (a) VALUES (1) /* LOAD DATA LOCAL */",
            "SELECT 1; UPDATE t SET a = 1",
            "COMMIT",
            "CREATE TABLE t (a INT)",
        ],
        |it| !it.streams,
    );
}

#[test]
fn what_speaks_of_the_statement_before_uses_it() {
    each(
        &[
            "SELECT LAST_INSERT_ID()",
            "SELECT ROW_COUNT()",
            "SELECT FOUND_ROWS()",
            "SELECT @@identity, @@last_insert_id",
            "INSERT INTO t VALUES (last_insert_id ( ))",
            "SHOW WARNINGS LIMIT 1",
            "SHOW ERRORS",
            "SHOW COUNT(*) WARNINGS",
            "GET DIAGNOSTICS @n = NUMBER",
        ],
        |it| it.uses_previous,
    );
    each(&["SELECT 1", "SELECT LAST_INSERT_ID(1)", "SHOW TABLES"], |it| !it.uses_previous);
}

#[test]
fn transactions_begin_and_end_where_they_say_so() {
    for (text, effect) in [
        ("BEGIN", Tx::Begin),
        ("begin work;", Tx::Begin),
        ("START TRANSACTION", Tx::Begin),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", Tx::Begin),
        ("COMMIT", Tx::Commit),
        ("COMMIT WORK AND NO CHAIN NO RELEASE", Tx::Commit),
        ("COMMIT AND CHAIN", Tx::Opaque),
        ("ROLLBACK", Tx::Rollback),
        ("ROLLBACK RELEASE", Tx::Opaque),
        ("ROLLBACK AND NO CHAIN", Tx::Rollback),
        ("ROLLBACK TO SAVEPOINT a", Tx::Savepoint),
        ("ROLLBACK WORK TO a", Tx::Savepoint),
        ("SAVEPOINT a", Tx::Savepoint),
        ("RELEASE SAVEPOINT a", Tx::Savepoint),
        ("XA START 'a'", Tx::Opaque),
        ("SELECT 1", Tx::None),
        ("INSERT INTO t VALUES (1)", Tx::None),
        ("CREATE TEMPORARY TABLE t (a INT)", Tx::None),
        ("DROP TEMPORARY TABLE t", Tx::None),
        ("CALL p()", Tx::Opaque),
    ] {
        assert_eq!(class(text).transaction, effect, "{text}");
    }
    each(&["BEGIN", "ROLLBACK", "SAVEPOINT a"], |it| it.only_reads);
    each(&["COMMIT", "ROLLBACK AND CHAIN", "XA COMMIT 'a'"], |it| !it.only_reads);
}

#[test]
fn a_word_that_begins_or_ends_a_transaction_is_plain_if_nothing_follows() {
    for word in ["BEGIN", "begin", "COMMIT", "Commit", "ROLLBACK", "rollback"] {
        for text in [word.to_owned(), format!(" {word}\n")] {
            let traits = plain::classify(text.as_bytes()).expect(&text).traits;
            assert_eq!(Statement::from(traits), classify_closely(text.as_bytes(), Dialect::default()), "{text}");
        }
        for behind in [" WORK", ";", "1", "$", "é", "`", " AND CHAIN", " -- ", "()", "\0"] {
            assert!(plain::classify(format!("{word}{behind}").as_bytes()).is_none(), "{word}{behind}");
        }
    }
}

#[test]
fn ddl_and_its_kin_commit_implicitly() {
    each(
        &[
            "CREATE TABLE t (a INT)",
            "CREATE DEFINER=`a`@`%` TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
            "ALTER TABLE t ADD b INT",
            "DROP TABLE t",
            "TRUNCATE t",
            "RENAME TABLE a TO b",
            "GRANT ALL ON *.* TO a",
            "REVOKE ALL ON *.* FROM a",
            "ANALYZE TABLE t",
            "ANALYZE LOCAL TABLE t",
            "OPTIMIZE TABLE t",
            "REPAIR TABLE t",
            "CHECK TABLE t",
            "CACHE INDEX t IN hot",
            "LOAD INDEX INTO CACHE t",
            "INSTALL PLUGIN a SONAME 'b'",
            "FLUSH TABLES",
            "RESET MASTER",
            "LOCK TABLES t READ",
            "UNLOCK TABLES",
            "START REPLICA",
            "STOP SLAVE",
            "CHANGE MASTER TO MASTER_HOST = 'a'",
            "SET PASSWORD = 'a'",
            "SET autocommit = 1",
        ],
        |it| it.transaction == Tx::ImplicitCommit,
    );
}

#[test]
fn a_routine_is_one_statement_whatever_its_body_holds() {
    each(
        &[
            "CREATE PROCEDURE p() BEGIN SELECT 1; COMMIT; SET @a = 1; END",
            "CREATE OR REPLACE DEFINER = CURRENT_USER() FUNCTION f() RETURNS INT BEGIN RETURN 1; END;",
            "ALTER EVENT e DO BEGIN DELETE FROM t; END",
        ],
        |it| !it.only_reads && it.transaction == Tx::ImplicitCommit && it.session.is_empty(),
    );
    each(&["CREATE PROCEDURE p() SELECT 1; SET autocommit = 0"], |it| *it == Statement::unknowable());
    each(&["BEGIN NOT ATOMIC SELECT 1; COMMIT; END", "BEGIN INSERT INTO t VALUES (1); END"], |it| {
        *it == Statement::unknowable()
    });
}

#[test]
fn set_of_the_session_is_journalled() {
    leaves(
        &[
            "SET NAMES utf8mb4",
            "SET NAMES utf8mb4, @@SESSION.sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), \
             @@SESSION.sql_auto_is_null = 0, @@SESSION.wait_timeout = 2147483",
            "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin'",
            "SET CHARACTER SET utf8",
            "SET CHARSET utf8",
            "SET sql_mode = ''",
            "SET SESSION sql_mode := 'ANSI', foreign_key_checks = 0",
            "SET @@local.time_zone = '+00:00'",
            "SET `time_zone` = '+00:00'",
            "SET @x = 1, @`y z` = 'a', @'q' = @x + 1",
            "SET @old = @@sql_mode",
            "SET SESSION sql_mode = @@global.sql_mode",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET SESSION transaction_isolation = 'READ-COMMITTED'",
            "SET transaction_isolation = 'READ-COMMITTED'",
            "SET ROLE NONE",
            "SET @@session.max_execution_time = 5;",
        ],
        &[Journal],
    );
    each(&["SET NAMES utf8", "SET @x = 1", "SET autocommit = 0"], |it| it.only_reads && it.atomic);
}

#[test]
fn autocommit_is_followed_in_every_spelling() {
    leaves(
        &[
            "SET autocommit=0",
            "set session autocommit = OFF",
            "SET @@autocommit := FALSE",
            "SET @@session.autocommit='off'",
        ],
        &[Journal, Autocommit(false)],
    );
    leaves(
        &["SET AUTOCOMMIT = 1", "SET @@local.autocommit = TRUE", "SET LOCAL autocommit=on"],
        &[Journal, Autocommit(true)],
    );
    leaves(
        &["SET autocommit = 1 - 1", "SET autocommit = @x", "SET autocommit = DEFAULT"],
        &[Journal, Leaves::Pin(Unclear)],
    );
    leaves(&["SET sql_mode = '', autocommit = 0, time_zone = 'UTC'"], &[Journal, Autocommit(false)]);
}

#[test]
fn isolation_of_the_next_transaction_is_not_the_sessions() {
    leaves(
        &[
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SET @@transaction_isolation = 'SERIALIZABLE'",
            "SET @@tx_isolation = 'SERIALIZABLE'",
            "SET @@transaction_read_only = 1",
        ],
        &[NextTransaction],
    );
}

#[test]
fn set_of_the_server_writes_and_leaves_nothing_in_the_session() {
    each(
        &[
            "SET GLOBAL max_connections = 1",
            "SET PERSIST max_connections = 1",
            "SET @@global.max_connections = 1",
            "SET @@PERSIST_ONLY.a = 1",
            "SET GLOBAL TRANSACTION READ ONLY",
            "SET PASSWORD FOR a = 'b'",
            "SET DEFAULT ROLE ALL TO a",
        ],
        |it| !it.only_reads && it.session.is_empty(),
    );
    each(&["SET GLOBAL a = 1, SESSION b = 2", "SET GLOBAL a = 1, b = 2", "SET @x = 1, @@global.a = 1"], |it| {
        !it.only_reads && it.session == [Leaves::Pin(Unclear)]
    });
}

#[test]
fn set_from_data_or_chance_pins() {
    leaves(
        &[
            "SET @x = (SELECT MAX(a) FROM t)",
            "SET @x = UUID()",
            "SET @x = f(1)",
            "SET @x = NOW()",
            "SET @x = LAST_INSERT_ID()",
            "SET @x = @@hostname",
        ],
        &[Leaves::Pin(UserVariable)],
    );
    leaves(
        &[
            "SET SESSION sql_mode = (SELECT a FROM t)",
            "SET @x = UUID(), sql_mode = ''",
            "SET insert_id = 5",
            "SET SESSION gtid_next = 'AUTOMATIC'",
            "SET pseudo_thread_id = 5",
            "SET rand_seed1 = 5",
            "SET timestamp = 5",
            "SET hot.key_buffer_size = 5",
        ],
        &[Leaves::Pin(Unclear)],
    );
}

#[test]
fn set_statement_is_what_it_is_set_for() {
    assert_eq!(class("SET STATEMENT max_statement_time = 1 FOR SELECT 1"), class("SELECT 1"));
    assert_eq!(class("SET STATEMENT a = 1, b = (1) FOR DELETE FROM t"), class("DELETE FROM t"));
    assert_eq!(class("SET STATEMENT a = 1"), Statement::unknowable());
}

#[test]
fn state_that_cannot_be_rebuilt_pins() {
    pins(&["CREATE TEMPORARY TABLE t (a INT)", "CREATE OR REPLACE TEMPORARY TABLE t SELECT 1"], TemporaryTable);
    pins(&["SELECT GET_LOCK('a', 1)", "DO get_lock('a', 1)", "SELECT `get_lock`('a', 1)"], UserLock);
    pins(&["LOCK TABLES t WRITE", "lock table t read"], TableLock);
    pins(
        &["FLUSH TABLES WITH READ LOCK", "FLUSH TABLES t FOR EXPORT", "LOCK INSTANCE FOR BACKUP", "BACKUP STAGE START"],
        GlobalLock,
    );
    pins(&["XA BEGIN 'a'", "XA PREPARE 'a'"], Xa);
    pins(&["HANDLER t OPEN", "HANDLER t OPEN AS h"], Handler);
    pins(
        &[
            "SELECT @a := 1",
            "UPDATE t SET a = (@x := @x + 1)",
            "SELECT 1 INTO @x",
            "SELECT 1 INTO x",
            "GET DIAGNOSTICS @a = NUMBER",
        ],
        UserVariable,
    );
    pins(&["PREPARE s FROM @x", "PREPARE s FROM 'a' 'b'", "PREPARE s FROM _latin1'a'"], PreparedSql);
    pins(&["PREPARE s FROM 'SELECT 1'; SELECT 1", "DO 1; EXECUTE s", "DO 1; DROP PREPARE s"], PreparedSql);
    let prepare = |text: Option<&[u8]>| Leaves::PrepareSql(b"s".to_vec(), text.map(<[u8]>::to_vec));
    leaves(&["PREPARE s FROM 'SELECT ?'", "prepare `s` from 'SELECT ?' ;"], &[prepare(Some(b"SELECT ?"))]);
    leaves(&["PREPARE s FROM 'SELECT ''a'''", "PREPARE s FROM 'SELECT \\'a\\''"], &[prepare(None)]);
    leaves(&["DEALLOCATE PREPARE s", "DROP PREPARE `s`"], &[Leaves::Deallocate(b"s".to_vec())]);
    each(&["EXECUTE s", "EXECUTE `s` USING @a, @b"], |it| {
        it.session.contains(&Leaves::Execute(b"s".to_vec())) && it.session.contains(&Leaves::Pin(Unclear))
    });
    pins(&["CALL p()", "CALL db.p"], Call);
    pins(&["EXECUTE s", "EXECUTE IMMEDIATE 'x'", "FROBNICATE", "1", "BINLOG 'x'", "USE a b"], Unclear);
    leaves(&["UNLOCK TABLES"], &[Unpin(TableLock), Unpin(GlobalLock)]);
    leaves(&["HANDLER t READ FIRST", "XA RECOVER"], &[]);
    each(&["CALL p()", "EXECUTE s"], |it| !it.atomic && !it.only_reads);
}

#[test]
fn a_name_that_is_built_into_other_servers_only_is_a_stored_functions() {
    let (mariadb, mysql) = (Server::MariaDb(101106), Server::MySql(90700));
    for (text, built_in, stored) in [
        ("SELECT UUID_TO_BIN('x')", mysql, mariadb),
        ("SELECT a FROM t WHERE bin_to_uuid(id) = 'x'", mysql, mariadb),
        ("SELECT JSON_STORAGE_SIZE(a) FROM t", mysql, mariadb),
        ("SELECT NATURAL_SORT_KEY(a) FROM t", mariadb, mysql),
        ("SELECT sformat('{}', a) FROM t", mariadb, mysql),
        ("SELECT MD5(a) FROM t", mariadb, mysql),
        ("SELECT VEC_TOTEXT(a) FROM t", Server::MariaDb(110800), mariadb),
    ] {
        let pins = |statement: &Statement| statement.session.contains(&Leaves::Pin(Call));
        let (here, there) = (on(built_in, text), on(stored, text));
        assert!(here.only_reads && !pins(&here), "{text}");
        assert!(!there.only_reads && there.varies && pins(&there), "{text}");
        assert!(!on(Server::Unknown, text).only_reads, "{text}");
    }
    for text in ["SELECT shop.uuid_to_bin('x')", "SELECT `uuid_to_bin`('x')", "SELECT shop . md5 (a) FROM t"] {
        assert!(!on(mysql, text).only_reads && !on(mariadb, text).only_reads, "{text}");
    }
}

#[test]
fn with_space_before_the_parenthesis_some_names_may_be_a_stored_functions() {
    each(
        &["SELECT MAX (a) FROM t", "SELECT now /* */ ()", "SELECT Substr\n('a', 1)", "UPDATE t SET a = trim (a)"],
        |it| !it.only_reads && it.session.contains(&Leaves::Pin(Call)),
    );
    each(
        &[
            "SELECT MAX(a) FROM t",
            "SELECT COUNT (*) FROM t",
            "SELECT CONCAT (a, b) FROM t",
            "SELECT a FROM t WHERE b IN (1)",
        ],
        |it| it.only_reads && it.session.is_empty(),
    );
    // A keyword of MySQL; on MariaDB the name is free.
    each(&["SELECT escape(1)", "SELECT a, columns(1)"], |it| !it.only_reads);
    each(&["SELECT * FROM t WHERE a LIKE 'x' ESCAPE ('!')"], |it| it.only_reads);
}

#[test]
fn a_stored_function_may_do_what_a_procedure_may() {
    pins(
        &["SELECT f(1)", "INSERT INTO t (a) VALUES (shop.f(1))", "DO `f`()", "WITH a AS (SELECT f(1)) SELECT 1"],
        Call,
    );
    each(&["CREATE TABLE t (a INT)", "ALTER TABLE t ADD INDEX i (a)", "INSERT INTO t (a) VALUES (NOW())"], |it| {
        !it.session.contains(&Leaves::Pin(Call))
    });
}

fn named(name: &str) -> Name {
    let (qualifier, name) = name.split_once('.').map_or((None, name), |(one, two)| (Some(one.into()), two));
    Name { qualifier, name: name.into() }
}

#[test]
fn what_is_held_by_name_is_let_go_by_name() {
    let hold = |texts: &[&str], pin, name| leaves(texts, &[Leaves::Hold(pin, named(name))]);
    let release = |texts: &[&str], pin, name| leaves(texts, &[Leaves::Release(pin, named(name))]);
    hold(
        &["CREATE TEMPORARY TABLE t (a INT)", "CREATE OR REPLACE TEMPORARY TABLE IF NOT EXISTS `t` SELECT 1"],
        TemporaryTable,
        "t",
    );
    hold(&["CREATE TEMPORARY TABLE a.t LIKE b"], TemporaryTable, "a.t");
    release(&["DROP TEMPORARY TABLE t", "DROP TEMPORARY TABLES IF EXISTS `t` CASCADE;"], TemporaryTable, "t");
    leaves(
        &["DROP TEMPORARY TABLE a, b.c"],
        &[Leaves::Release(TemporaryTable, named("a")), Leaves::Release(TemporaryTable, named("b.c"))],
    );
    leaves(&["ALTER TABLE t RENAME TO u", "RENAME TABLE t TO u"], &[Leaves::Rename(TemporaryTable)]);
    leaves(&["CREATE TEMPORARY SEQUENCE s"], &[Leaves::Pin(TemporaryTable)]);
    hold(&["SELECT GET_LOCK('a', 5)", "DO get_lock('a', -1);", "SELECT GET_LOCK('a', 0) AS `b`"], UserLock, "a");
    release(&["SELECT RELEASE_LOCK('a')", "DO RELEASE_LOCK('a')", "SELECT release_lock ('a') AS b"], UserLock, "a");
    leaves(&["SELECT RELEASE_ALL_LOCKS()"], &[Unpin(UserLock)]);
    hold(&["HANDLER t OPEN AS h", "HANDLER a.t OPEN h", "HANDLER h OPEN", "HANDLER a.h OPEN"], Handler, "h");
    release(&["HANDLER h CLOSE", "HANDLER a.h CLOSE"], Handler, "h");
    hold(&["XA START 'a','b',1", "XA BEGIN 'a', 'b', 1 JOIN", "XA PREPARE 'a','b',1"], Xa, "'a','b',1");
    release(&["XA COMMIT 'a','b',1 ONE PHASE", "XA ROLLBACK 'a','b',1"], Xa, "'a','b',1");
}

#[test]
fn what_may_not_have_been_called_once_releases_nothing() {
    leaves(
        &[
            "SELECT RELEASE_LOCK('a') FROM t",
            "SELECT IF(0, RELEASE_LOCK('a'), 1)",
            "SELECT RELEASE_LOCK('a') WHERE 0",
            "SELECT RELEASE_LOCK('a') LIMIT 0",
            "SELECT RELEASE_LOCK(@a)",
            "SELECT RELEASE_LOCK('it''s')",
            "SELECT RELEASE_ALL_LOCKS() FROM t",
            "SELECT 1 AND RELEASE_ALL_LOCKS()",
        ],
        &[],
    );
    leaves(
        &["SELECT GET_LOCK('a', 5) FROM t", "SELECT GET_LOCK(CONCAT('a'), 5)", "SELECT GET_LOCK('a', 1), 1"],
        &[Leaves::Pin(UserLock)],
    );
}

#[test]
fn use_names_the_database_without_quotes() {
    leaves(&["USE shop", "use `shop`;", "USE \"shop\""], &[Leaves::Use(b"shop".to_vec())]);
    leaves(&["USE `a``b`"], &[Leaves::Use(b"a`b".to_vec())]);
}

#[test]
fn several_statements_are_not_atomic_and_only_read_if_all_do() {
    each(&["SELECT 1; SELECT 2", "SELECT 1;; SHOW TABLES;"], |it| it.only_reads && !it.atomic);
    each(&["SELECT 1; DELETE FROM t", "DELETE FROM t; SELECT 1", "SELECT 1; SELECT 'open"], |it| {
        !it.only_reads && !it.atomic
    });
    each(&["BEGIN; SELECT 1", "SELECT 1; COMMIT", "SELECT 1; DROP TABLE t"], |it| it.transaction == Tx::Opaque);
    leaves(&["SET NAMES utf8; SET time_zone = 'UTC'"], &[Journal]);
    leaves(&["SET @a = 1; USE x; SET autocommit = 0"], &[Journal, Leaves::Use(b"x".to_vec()), Autocommit(false)]);
    leaves(&["USE x; SELECT 1"], &[Leaves::Use(b"x".to_vec())]);
    leaves(&["SET @a = 1; SELECT 1", "SELECT 1; SET NAMES utf8"], &[Leaves::Pin(Unclear)]);
    // The answer to the first says nothing of the second.
    leaves(&["LOCK TABLES t READ; UNLOCK TABLES"], &[Leaves::Pin(TableLock)]);
    leaves(&["SELECT 1; UNLOCK TABLES", "SELECT RELEASE_LOCK('a'); SELECT RELEASE_ALL_LOCKS()"], &[]);
    leaves(&["CREATE TEMPORARY TABLE t (a INT); DROP TEMPORARY TABLE t"], &[Leaves::Pin(TemporaryTable)]);
}

#[test]
fn only_a_comment_of_its_own_vouches() {
    each(
        &[
            "/* pointsman:idempotent */ DELETE FROM t",
            "DELETE FROM t -- pointsman:idempotent",
            "DELETE /*pointsman:idempotent*/ FROM t",
        ],
        |it| it.vouched,
    );
    each(
        &[
            "SELECT '/* pointsman:idempotent */'",
            "/* not pointsman:idempotent */ SELECT 1",
            "SELECT 1 /*! pointsman:idempotent */",
            "/*+ pointsman:idempotent */ SELECT 1",
        ],
        |it| !it.vouched,
    );
}

#[test]
fn a_conditional_comment_counts_read_and_skipped() {
    each(
        &[
            "SELECT 1 /*!50000 FOR UPDATE */",
            "/*! DELETE FROM t */",
            "SELECT /*M! f(1), */ 1",
            "SELECT 1 /*!80000 INTO @x */",
        ],
        |it| !it.only_reads,
    );
    each(&["SELECT /*!40001 SQL_NO_CACHE */ 1", "/*!50000 SELECT 1 */"], |it| it.only_reads && it.atomic);
    each(&["/*!50000 COMMIT */", "SELECT 1 /*!99999 ; BEGIN */"], |it| it.transaction == Tx::Opaque);
    leaves(&["/*!40101 SET NAMES utf8 */"], &[Journal, Leaves::Pin(Unclear)]);
    each(&["/*!50000 SELECT */ /*!99999 1; DELETE */ /*!60000 1 */", "SELECT 1 /*! /* */ FOR UPDATE */"], |it| {
        *it == Statement::unknowable()
    });
    each(&["SELECT /*!99999 '*/ f(1) -- ' */"], |it| !it.only_reads);
}

#[test]
fn a_backslash_in_double_quotes_is_read_both_ways() {
    each(&[r#"SELECT "a\" FOR UPDATE -- ""#, r#"SELECT "\"; DELETE FROM t; -- ""#], |it| !it.only_reads);
    each(&[r#"SELECT "a\n" FROM t"#], |it| it.only_reads);
}

#[test]
fn the_dialect_decides_where_a_string_ends() {
    let text = br"SELECT '\' FOR UPDATE -- '";
    assert!(classify(text, Dialect::default()).only_reads);
    assert!(!classify(text, Dialect { no_backslash_escapes: true, ..Dialect::default() }).only_reads);
    let sjis = Dialect { ascii_unsafe_charset: true, ..Dialect::default() };
    assert_eq!(classify(b"SELECT '\x95\x5c'", sjis), Statement::unknowable());
    assert!(classify(b"SELECT 1", sjis).only_reads);
}

#[test]
fn a_text_without_an_end_is_one_rejected_statement() {
    each(&["SELECT 'abc", "SELECT 1 /* abc", "SELECT `a", "SET @x = 'a", "BEGIN /*! ", "SELECT \"a\\"], |it| {
        !it.only_reads && it.atomic && it.session.is_empty() && it.transaction == Tx::None
    });
}
