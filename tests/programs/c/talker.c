// Talks to a server in every way that a client library has: what is said is recorded on the way.
// talker HOST PORT USER PASSWORD TOPIC DIRECTORY
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *host, *user, *password, *directory;
static unsigned port;

static void fail(MYSQL *mysql, const char *what) {
    fprintf(stderr, "%s: %u %s\n", what, mysql_errno(mysql), mysql_error(mysql));
    exit(1);
}

static MYSQL *fresh(void) {
    MYSQL *mysql = mysql_init(NULL);
#ifndef MARIADB_BASE_VERSION
    unsigned disabled = SSL_MODE_DISABLED;
    bool yes = 1;
    mysql_options(mysql, MYSQL_OPT_SSL_MODE, &disabled);
    mysql_options(mysql, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &yes);
#endif
    return mysql;
}

static MYSQL *connected(MYSQL *mysql, unsigned long flags) {
    if (!mysql_real_connect(mysql, host, user, password, "shop", port, NULL, flags)) fail(mysql, "connect");
    return mysql;
}

// All results of a text. Errors belong to the matter.
static void run(MYSQL *mysql, const char *text) {
    if (mysql_query(mysql, text)) return;
    do {
        MYSQL_RES *result = mysql_use_result(mysql);
        if (!result) continue;
        while (mysql_fetch_row(result)) {
        }
        mysql_free_result(result);
    } while (!mysql_next_result(mysql));
}

static void queries(void) {
    MYSQL *mysql = connected(fresh(), CLIENT_MULTI_STATEMENTS);
    run(mysql, "CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, v VARCHAR(20))");
    run(mysql, "INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, '')");
    run(mysql, "SELECT * FROM t");
    run(mysql, "SELECT v FROM t WHERE id = 2");
    run(mysql, "SELECT * FROM t WHERE id > 9");
    run(mysql, "nonsense");
    run(mysql, "INSERT INTO t VALUES (1, 'again')");
    run(mysql, "START TRANSACTION");
    run(mysql, "INSERT INTO t VALUES (4, 'd')");
    run(mysql, "SAVEPOINT s");
    run(mysql, "nonsense in a transaction");
    run(mysql, "COMMIT");
    run(mysql, "SET autocommit = 0");
    run(mysql, "SELECT 1");
    run(mysql, "INSERT INTO t VALUES (5, 'e')");
    run(mysql, "ROLLBACK");
    run(mysql, "SET autocommit = 1");
    run(mysql, "SELECT 1; INSERT INTO t VALUES (6, 'f'); SELECT 2; SELECT * FROM t WHERE id > 99; DO 0");
    run(mysql, "SELECT 1; nonsense; SELECT 2");
    run(mysql, "CALL two_results()");
    run(mysql, "CALL failing()");
    run(mysql, "SELECT id, (SELECT 1 FROM (SELECT 1 UNION ALL SELECT 2) x WHERE id > 1) FROM t");
    run(mysql, "USE shop; SET @@session.sql_mode = ''");
    run(mysql, "SELECT REPEAT('x', 300), REPEAT('y', 1000)");
    mysql_ping(mysql);
    mysql_stat(mysql);
    mysql_select_db(mysql, "shop");
    mysql_select_db(mysql, "nowhere");
    mysql_set_server_option(mysql, MYSQL_OPTION_MULTI_STATEMENTS_OFF);
    run(mysql, "SELECT 1; SELECT 2");
    mysql_set_character_set(mysql, "latin1");
    mysql_dump_debug_info(mysql);
    mysql_kill(mysql, 99999999);
    mysql_reset_connection(mysql);
    MYSQL_RES *fields = mysql_list_fields(mysql, "orders", NULL);
    if (fields) mysql_free_result(fields);
    fields = mysql_list_processes(mysql);
    if (fields) mysql_free_result(fields);
    mysql_close(mysql);
}

static void bind_number(MYSQL_BIND *bind, int *number) {
    memset(bind, 0, sizeof *bind);
    bind->buffer_type = MYSQL_TYPE_LONG;
    bind->buffer = number;
}

static void execute(MYSQL_STMT *statement) {
    if (mysql_stmt_execute(statement)) return;
    do {
        if (mysql_stmt_field_count(statement) == 0) continue;
        while (!mysql_stmt_fetch(statement)) {
        }
        mysql_stmt_free_result(statement);
    } while (!mysql_stmt_next_result(statement));
}

static MYSQL_STMT *prepared(MYSQL *mysql, const char *text) {
    MYSQL_STMT *statement = mysql_stmt_init(mysql);
    int failed = mysql_stmt_prepare(statement, text, strlen(text));
    if (failed) fprintf(stderr, "%s: %s\n", text, mysql_stmt_error(statement));
    return statement;
}

static void statements(void) {
    MYSQL *mysql = connected(fresh(), CLIENT_MULTI_STATEMENTS);
    run(mysql, "CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, v LONGTEXT)");
    int numbers[2] = {1, 2};
    MYSQL_BIND binds[2];
    bind_number(&binds[0], &numbers[0]);
    bind_number(&binds[1], &numbers[1]);

    MYSQL_STMT *plain = prepared(mysql, "SELECT 1, 'a'");
    execute(plain);
    execute(plain);
    MYSQL_STMT *sum = prepared(mysql, "SELECT ? + 1, ? AS second");
    mysql_stmt_bind_param(sum, binds);
    execute(sum);
    execute(sum);
    MYSQL_STMT *insert = prepared(mysql, "INSERT INTO t VALUES (?, ?)");
    char text[] = "long data";
    binds[1].buffer_type = MYSQL_TYPE_STRING;
    binds[1].buffer = text;
    binds[1].buffer_length = sizeof text - 1;
    mysql_stmt_bind_param(insert, binds);
    mysql_stmt_send_long_data(insert, 1, text, sizeof text - 1);
    mysql_stmt_send_long_data(insert, 1, text, sizeof text - 1);
    execute(insert);
    execute(insert);
    mysql_stmt_reset(insert);
    MYSQL_STMT *wrong = prepared(mysql, "SELECT nonsense");
    mysql_stmt_close(wrong);

    run(mysql, "INSERT INTO t VALUES (11, 'a'), (12, 'b'), (13, 'c'), (14, 'd'), (15, 'e')");
    for (int rows = 0; rows < 2; rows++) {
        MYSQL_STMT *cursor = prepared(mysql, rows ? "SELECT id FROM t ORDER BY id" : "SELECT id FROM t WHERE id > 99");
        unsigned long kind = CURSOR_TYPE_READ_ONLY, prefetch = 2;
        mysql_stmt_attr_set(cursor, STMT_ATTR_CURSOR_TYPE, &kind);
        mysql_stmt_attr_set(cursor, STMT_ATTR_PREFETCH_ROWS, &prefetch);
        execute(cursor);
        mysql_stmt_execute(cursor);
        mysql_stmt_fetch(cursor);
        mysql_stmt_reset(cursor);
        mysql_stmt_close(cursor);
    }
    MYSQL_STMT *kill = prepared(mysql, "SELECT (SELECT 1 UNION SELECT ?) AS two");
    mysql_stmt_bind_param(kill, binds);
    execute(kill);
    MYSQL_STMT *call = prepared(mysql, "CALL with_out(?, ?)");
    bind_number(&binds[1], &numbers[1]);
    mysql_stmt_bind_param(call, binds);
    execute(call);
    run(mysql, "ALTER TABLE t ADD w INT");
    MYSQL_STMT *all = prepared(mysql, "SELECT * FROM t WHERE id < 13");
    execute(all);
    run(mysql, "ALTER TABLE t ADD z INT");
    execute(all);
    mysql_stmt_close(all);
#ifdef MARIADB_BASE_VERSION
    MYSQL_STMT *bulk = prepared(mysql, "INSERT INTO t (id) VALUES (?)");
    int many[3] = {101, 102, 103};
    unsigned size = 3;
    MYSQL_BIND array;
    bind_number(&array, many);
    mysql_stmt_attr_set(bulk, STMT_ATTR_ARRAY_SIZE, &size);
    mysql_stmt_bind_param(bulk, &array);
    mysql_stmt_execute(bulk);
    mysql_stmt_execute(bulk);
    mysql_stmt_close(bulk);
    MYSQL_STMT *direct = mysql_stmt_init(mysql);
    mariadb_stmt_execute_direct(direct, "SELECT 7, 8", 11);
    mysql_stmt_close(direct);
#endif
    mysql_stmt_close(call);
    mysql_stmt_close(sum);
    mysql_stmt_close(insert);
    mysql_close(mysql);
}

static void upload(void) {
    MYSQL *mysql = fresh();
    unsigned on = 1;
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &on);
    connected(mysql, CLIENT_MULTI_STATEMENTS | CLIENT_LOCAL_FILES);
    run(mysql, "CREATE TEMPORARY TABLE t (id INT PRIMARY KEY)");
    run(mysql, "LOAD DATA LOCAL INFILE '/dev/null' INTO TABLE no_such_table");
    // The last one is not there. libmariadb reads no reply to the end behind that, and says nothing sensible any more.
    const char *names[] = {"some", "none", "some", "missing"};
    for (int at = 0; at < 4; at++) {
        char path[500], text[1000];
        snprintf(path, sizeof path, "%s/talker-%s-%s", directory, user, names[at]);
        if (strcmp(names[at], "missing")) {
            FILE *file = fopen(path, "w");
            for (int row = 1; file && at != 1 && row < 200; row++) fprintf(file, "%d\n", row);
            if (file) fclose(file);
        }
        const char *more = strcmp(names[at], "missing") ? "; SELECT COUNT(*) FROM t" : "";
        snprintf(text, sizeof text, "LOAD DATA LOCAL INFILE '%s' INTO TABLE t%s", path, more);
        run(mysql, text);
        if (!strcmp(names[at], "missing")) break;
        run(mysql, "SELECT 1");
        remove(path);
    }
    mysql_close(mysql);
}

static void users(void) {
    MYSQL *mysql = fresh();
    mysql_options(mysql, MYSQL_DEFAULT_AUTH, "mysql_native_password");
    connected(mysql, 0);
    run(mysql, "SET @a = 1");
    if (mysql_change_user(mysql, user, password, "shop")) fail(mysql, "change user");
    run(mysql, "SELECT @a");
    // On MariaDB that account has an authentication that libmysqlclient lacks.
    int can_be_other = 1;
#ifndef MARIADB_BASE_VERSION
    can_be_other = !strstr(mysql_get_server_info(mysql), "MariaDB");
#endif
    if (can_be_other && mysql_change_user(mysql, "other", "other-password", NULL)) fail(mysql, "other");
    run(mysql, "SELECT CURRENT_USER()");
    if (mysql_change_user(mysql, "blank", "", NULL)) fail(mysql, "blank");
    mysql_close(mysql);

    mysql = connected(fresh(), 0);
    mysql_change_user(mysql, "nobody", "wrong", NULL);
    run(mysql, "SELECT 1");
    mysql_close(mysql);

    mysql = fresh();
    mysql_real_connect(mysql, host, user, "wrong", NULL, port, NULL, 0);
    mysql_close(mysql);
}

// What only one of the libraries has.
static void extras(void) {
    MYSQL *mysql = fresh();
#ifndef MARIADB_BASE_VERSION
    bool yes = 1;
    mysql_options(mysql, MYSQL_OPT_OPTIONAL_RESULTSET_METADATA, &yes);
    connected(mysql, CLIENT_MULTI_STATEMENTS);
    MYSQL_BIND attribute;
    int number = 7;
    bind_number(&attribute, &number);
    const char *name = "answer";
    mysql_bind_param(mysql, 1, &attribute, &name);
    run(mysql, "SELECT 1, 2");
    run(mysql, "SET resultset_metadata = NONE");
    run(mysql, "SELECT 1, 2");
    run(mysql, "SELECT 1, 2 FROM DUAL WHERE 1 = 0; SELECT 3");
    MYSQL_STMT *statement = prepared(mysql, "SELECT 1, 2");
    mysql_stmt_close(statement);
    run(mysql, "SET resultset_metadata = FULL");
    run(mysql, "SELECT 1, 2");
    run(mysql, "SET session_track_gtids = OWN_GTID, session_track_transaction_info = 'CHARACTERISTICS'");
    run(mysql, "SET session_track_state_change = ON, session_track_schema = ON");
    run(mysql, "START TRANSACTION; INSERT INTO orders (worker, seq) VALUES (1, 1); ROLLBACK; USE shop");
#else
    connected(mysql, CLIENT_MULTI_STATEMENTS);
    run(mysql, "SET session_track_state_change = ON, session_track_schema = ON");
    run(mysql, "SET session_track_transaction_info = 'CHARACTERISTICS', session_track_system_variables = '*'");
    run(mysql, "START TRANSACTION; INSERT INTO orders (worker, seq) VALUES (1, 1); ROLLBACK; USE shop");
#endif
    mysql_close(mysql);
}

#ifdef MARIADB_BASE_VERSION
static void report(const MYSQL *mysql, unsigned stage, unsigned of, double progress, const char *info, unsigned length) {
    (void)mysql, (void)stage, (void)of, (void)progress, (void)info, (void)length;
}
#endif

static void progress(void) {
#ifdef MARIADB_BASE_VERSION
    MYSQL *mysql = fresh();
    mysql_optionsv(mysql, MYSQL_PROGRESS_CALLBACK, report);
    connected(mysql, CLIENT_MULTI_STATEMENTS);
    run(mysql, "SET progress_report_time = 1");
    run(mysql, "CREATE TEMPORARY TABLE p ENGINE=Aria AS SELECT seq, REPEAT('x', 200) AS t FROM seq_1_to_1500000");
    run(mysql, "ALTER TABLE p ADD KEY (t, seq), ADD KEY (seq, t)");
    run(mysql, "SELECT 1");
    mysql_close(mysql);
#endif
}

// Packets of 16 MiB and more, both ways, and of the lengths about which frames are full or empty.
static void big(void) {
    MYSQL *mysql = connected(fresh(), CLIENT_MULTI_STATEMENTS);
    for (int more = -1; more < 2; more++) {
        for (unsigned frames = 1; frames < 3; frames++) {
            char text[100];
            // In front of a value of 16 MB stands its length, in four bytes; from 16 MiB on, in nine.
            unsigned long length = frames * 0xFFFFFFUL + more, head = length - 9 < 0x1000000 ? 4 : 9;
            snprintf(text, sizeof text, "SELECT REPEAT('x', %lu); DO 0", length - head);
            run(mysql, text);
            if (mysql_errno(mysql)) fail(mysql, text);
            char *long_text = malloc(length);
            memset(long_text, ' ', length);
            memcpy(long_text, "SELECT 1", 8);
            // In front of it stands the command.
            if (mysql_real_query(mysql, long_text, length - 1)) fail(mysql, "a long text");
            mysql_free_result(mysql_store_result(mysql));
            free(long_text);
        }
    }
    mysql_close(mysql);
}

// How the results of a text end: O for an OK, R for rows, E for an error.
static void results_of(MYSQL *mysql, const char *text, char *kinds) {
    int failed = mysql_query(mysql, text);
    while (!failed) {
        MYSQL_RES *result = mysql_use_result(mysql);
        if (result) {
            while (mysql_fetch_row(result)) {
            }
            int cut_off = mysql_errno(mysql);
            mysql_free_result(result);
            if (cut_off) {
                failed = 1;
                break;
            }
        }
        *kinds++ = result ? 'R' : 'O';
        int next = mysql_next_result(mysql);
        if (next < 0) break;
        failed = next > 0;
    }
    if (failed) *kinds++ = 'E';
    *kinds = 0;
}

static void results_of_statement(MYSQL *mysql, const char *text, unsigned long cursor, char *kinds) {
    MYSQL_STMT *statement = mysql_stmt_init(mysql);
    unsigned long prefetch = 3;
    int failed = mysql_stmt_prepare(statement, text, strlen(text));
    *kinds++ = failed ? 'E' : 'S';
    if (!failed) {
        mysql_stmt_attr_set(statement, STMT_ATTR_CURSOR_TYPE, &cursor);
        mysql_stmt_attr_set(statement, STMT_ATTR_PREFETCH_ROWS, &prefetch);
        failed = mysql_stmt_execute(statement);
        while (!failed) {
            int has_rows = mysql_stmt_field_count(statement) > 0, fetched = 0;
            while (has_rows && (fetched = mysql_stmt_fetch(statement)) != MYSQL_NO_DATA && fetched != 1) {
            }
            if (fetched == 1) {
                failed = 1;
                break;
            }
            *kinds++ = has_rows ? 'R' : 'O';
            if (has_rows) mysql_stmt_free_result(statement);
            int next = mysql_stmt_next_result(statement);
            if (next < 0) break;
            failed = next > 0;
        }
        if (failed) *kinds++ = 'E';
    }
    *kinds = 0;
    mysql_stmt_close(statement);
}

// The only value of a result, or E.
static void value_of(MYSQL *mysql, const char *text, char *value) {
    strcpy(value, "E");
    if (mysql_query(mysql, text)) return;
    MYSQL_RES *result = mysql_store_result(mysql);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    if (row && row[0]) strcpy(value, row[0]);
    mysql_free_result(result);
}

// Does what its standard input says, and answers each line: status flags, how results ended.
static void asked(void) {
    MYSQL *mysql = fresh();
    unsigned on = 1;
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &on);
    connected(mysql, CLIENT_MULTI_STATEMENTS | CLIENT_LOCAL_FILES);
    static char line[100000], kinds[10000];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        const char *text = line + 2;
        int failed = 0;
        *kinds = 0;
        switch (*line) {
        case 'q': results_of(mysql, text, kinds); break;
        case 'v': value_of(mysql, text, kinds); break;
        case 'p': results_of_statement(mysql, text, CURSOR_TYPE_NO_CURSOR, kinds); break;
        case 'c': results_of_statement(mysql, text, CURSOR_TYPE_READ_ONLY, kinds); break;
        case 'P': failed = mysql_ping(mysql); break;
        case 'S': failed = !mysql_stat(mysql); break;
        case 'D': failed = mysql_select_db(mysql, text); break;
        case 'R': failed = mysql_reset_connection(mysql); break;
        case 'U': failed = mysql_change_user(mysql, user, password, "shop"); break;
        default: fail(mysql, line);
        }
        if (!*kinds) strcpy(kinds, failed ? "E" : *line == 'S' ? "S" : "O");
        printf("%u %s\n", mysql->server_status, kinds);
        fflush(stdout);
    }
    mysql_close(mysql);
}

int main(int count, char **values) {
    if (count != 7) return 2;
    host = values[1], port = atoi(values[2]), user = values[3], password = values[4], directory = values[6];
    struct { const char *name; void (*talk)(void); } topics[] = {
        {"queries", queries}, {"statements", statements}, {"upload", upload},
        {"users", users}, {"extras", extras}, {"progress", progress}, {"asked", asked}, {"big", big},
    };
    for (unsigned at = 0; at < sizeof topics / sizeof *topics; at++) {
        if (!strcmp(topics[at].name, values[5])) {
            topics[at].talk();
            return 0;
        }
    }
    return 2;
}
