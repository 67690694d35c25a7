/* A MySQL client with several handles that tells all that an application can see of each call: reads one command a line,
 * answers each with exactly one line.
 *
 * N and M are numbers of handles, 0 to 63; "-" stands for a null pointer.
 *
 *   connect N HOST PORT SOCKET USER PASSWORD DATABASE
 *   query N SQL                     all results of the text
 *   prepare N S SQL                 prepared statement S, 0 to 3, of the handle, anew: [prepared PARAMETERS FIELDS]
 *   execute N S WORD …              with these values: whole numbers, "-" for NULL, texts; [none] if S is not prepared
 *   unprepare N S                   closes it
 *   select_db N NAME, set_names N CHARSET, autocommit N 0, commit N, rollback N, ping N
 *   reset N                         mysql_reset_connection, behind the end of all its prepared statements
 *   kill N M                        handle M has the server end N's connection; waits until it has: gone
 *   give_up N                       from now on the first lost or rolled-back call is N's last, and so is the one behind
 *                                   the first refused one: [ended]
 *   close N
 *
 * An answer is one `[…]` for each result, `[rows A|B;C|D WARNINGS]`, `[ok AFFECTED ID WARNINGS INFO]` or `[error NUMBER
 * STATE TEXT]`, and then the handle's character set, whether it believes in autocommit, and, if the server has just told,
 * in an open transaction.
 * Bytes that are not printable ASCII are written \xNN.
 *
 * Builds against MariaDB's library, which defines LIBMARIADB, and against MySQL's. */
#define _GNU_SOURCE
#include <mysql.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDLES 64
#define STATEMENTS 4
#define WORDS 6
#define PARAMETERS 4
#define FIELDS 8
#define FIELD_SIZE 512

#ifdef LIBMARIADB
typedef my_bool flag;
#else
typedef bool flag;
#endif

static MYSQL handles[HANDLES];
static MYSQL_STMT *statements[HANDLES][STATEMENTS];
/* The call that is answered has told whether a transaction is open. */
static int told;
static enum { GOES_ON, GIVES_UP, REFUSED, ENDED } endurance[HANDLES];

static void put(const char *text, unsigned long length)
{
    for (unsigned long i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte > 0x7e)
            printf("\\x%02x", byte);
        else
            putchar(byte);
    }
}

static void put_failure(MYSQL *mysql, unsigned number, const char *state, const char *text)
{
    int lost = number == 2006 || number == 2013;
    told = 0;
    if (endurance[mysql - handles] == REFUSED || (endurance[mysql - handles] == GIVES_UP && (lost || number == 1213)))
        endurance[mysql - handles] = ENDED;
    else if (endurance[mysql - handles] == GIVES_UP && number == 1290)
        endurance[mysql - handles] = REFUSED;
    printf("[error %u %s ", number, state);
    put(text, strlen(text));
    printf("]");
}

static void put_error(MYSQL *mysql)
{
    put_failure(mysql, mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql));
}

static void put_done(MYSQL *mysql)
{
    const char *info = mysql_info(mysql);
    printf("[ok %lld %llu %u %s]", (long long)mysql_affected_rows(mysql), (unsigned long long)mysql_insert_id(mysql),
           mysql_warning_count(mysql), info ? info : "-");
}

static void put_rows(MYSQL *mysql, MYSQL_RES *result)
{
    const char *between_rows = "";
    MYSQL_ROW row;
    printf("[rows ");
    while ((row = mysql_fetch_row(result)) != NULL) {
        unsigned long *lengths = mysql_fetch_lengths(result);
        printf("%s", between_rows);
        for (unsigned i = 0; i < mysql_num_fields(result); i++) {
            if (i)
                putchar('|');
            if (row[i])
                put(row[i], lengths[i]);
            else
                printf("NULL");
        }
        between_rows = ";";
    }
    printf(" %u]", mysql_warning_count(mysql));
    mysql_free_result(result);
}

static void query(MYSQL *mysql, const char *text)
{
    if (mysql_real_query(mysql, text, (unsigned long)strlen(text)) != 0) {
        put_error(mysql);
        return;
    }
    for (;;) {
        MYSQL_RES *result = mysql_store_result(mysql);
        if (result != NULL)
            put_rows(mysql, result);
        else if (mysql_field_count(mysql) != 0)
            put_error(mysql);
        else
            put_done(mysql);
        int next = mysql_next_result(mysql);
        if (next < 0)
            return;
        if (next > 0) {
            put_error(mysql);
            return;
        }
    }
}

static void put_statement_error(MYSQL *mysql, MYSQL_STMT *statement)
{
    put_failure(mysql, mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement), mysql_stmt_error(statement));
}

static void unprepare(MYSQL_STMT **statement)
{
    if (*statement != NULL)
        mysql_stmt_close(*statement);
    *statement = NULL;
}

static void unprepare_all(MYSQL *mysql)
{
    for (int i = 0; i < STATEMENTS; i++)
        unprepare(&statements[mysql - handles][i]);
}

static void prepare(MYSQL *mysql, MYSQL_STMT **statement, const char *text)
{
    unprepare(statement);
    *statement = mysql_stmt_init(mysql);
    if (mysql_stmt_prepare(*statement, text, (unsigned long)strlen(text)) != 0) {
        put_statement_error(mysql, *statement);
        unprepare(statement);
    } else {
        printf("[prepared %lu %u]", mysql_stmt_param_count(*statement), mysql_stmt_field_count(*statement));
    }
}

/* All rows, each field as a text. */
static int put_statement_rows(MYSQL_STMT *statement)
{
    static char texts[FIELDS][FIELD_SIZE];
    MYSQL_BIND binds[FIELDS];
    unsigned long lengths[FIELDS];
    flag nulls[FIELDS];
    unsigned fields = mysql_stmt_field_count(statement);
    int fetched;
    memset(binds, 0, sizeof binds);
    for (unsigned i = 0; i < fields && i < FIELDS; i++) {
        binds[i].buffer_type = MYSQL_TYPE_STRING;
        binds[i].buffer = texts[i];
        binds[i].buffer_length = FIELD_SIZE;
        binds[i].length = &lengths[i];
        binds[i].is_null = &nulls[i];
    }
    if (fields > FIELDS || mysql_stmt_bind_result(statement, binds) != 0 || mysql_stmt_store_result(statement) != 0)
        return 0;
    printf("[rows ");
    for (int row = 0; (fetched = mysql_stmt_fetch(statement)) == 0 || fetched == MYSQL_DATA_TRUNCATED; row++) {
        if (row)
            putchar(';');
        for (unsigned i = 0; i < fields; i++) {
            if (i)
                putchar('|');
            if (nulls[i])
                printf("NULL");
            else
                put(texts[i], lengths[i] < FIELD_SIZE ? lengths[i] : FIELD_SIZE);
        }
    }
    printf("]");
    mysql_stmt_free_result(statement);
    return 1;
}

static void execute(MYSQL *mysql, MYSQL_STMT *statement, char *rest)
{
    MYSQL_BIND binds[PARAMETERS];
    long long numbers[PARAMETERS];
    char *next;
    memset(binds, 0, sizeof binds);
    if (statement == NULL) {
        printf("[none]");
        told = 0;
        return;
    }
    for (int i = 0; i < PARAMETERS; i++)
        binds[i].buffer_type = MYSQL_TYPE_NULL;
    for (int i = 0; i < PARAMETERS && (next = strsep(&rest, " ")) != NULL; i++) {
        char *end;
        numbers[i] = strtoll(next, &end, 10);
        if (strcmp(next, "-") == 0)
            continue;
        if (*next != '\0' && *end == '\0') {
            binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
            binds[i].buffer = &numbers[i];
        } else {
            binds[i].buffer_type = MYSQL_TYPE_STRING;
            binds[i].buffer = next;
            binds[i].buffer_length = (unsigned long)strlen(next);
        }
    }
    if (mysql_stmt_param_count(statement) > PARAMETERS ||
        (mysql_stmt_param_count(statement) != 0 && mysql_stmt_bind_param(statement, binds) != 0) ||
        mysql_stmt_execute(statement) != 0)
        put_statement_error(mysql, statement);
    else if (mysql_stmt_field_count(statement) == 0)
        printf("[ok %lld %llu %u]", (long long)mysql_stmt_affected_rows(statement),
               (unsigned long long)mysql_stmt_insert_id(statement), mysql_warning_count(mysql));
    else if (!put_statement_rows(statement))
        put_statement_error(mysql, statement);
}

static void answer(MYSQL *mysql, int failed)
{
    if (failed)
        put_error(mysql);
    else
        printf("[ok]");
}

/* Splits off the first word; null for "-" and where there is none. */
static const char *word(char **rest)
{
    char *found = strsep(rest, " ");
    return found == NULL || strcmp(found, "-") == 0 ? NULL : found;
}

static void open_connection(MYSQL *mysql, char *rest)
{
    const char *words[WORDS];
    for (int i = 0; i < WORDS; i++)
        words[i] = word(&rest);
    endurance[mysql - handles] = GOES_ON;
    mysql_init(mysql);
#ifndef LIBMARIADB
    unsigned mode = SSL_MODE_DISABLED;
    bool yes = 1;
    mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode);
    mysql_options(mysql, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &yes);
#endif
    answer(mysql, mysql_real_connect(mysql, words[0], words[3], words[4], words[5],
                                     words[1] ? (unsigned)atoi(words[1]) : 0, words[2],
                                     CLIENT_MULTI_STATEMENTS) == NULL);
}

static void end_by(MYSQL *mysql, MYSQL *other)
{
    struct pollfd other_end = {mysql->net.fd, POLLRDHUP, 0};
    char text[40];
    snprintf(text, sizeof text, "KILL %lu", mysql_thread_id(mysql));
    if (mysql_query(other, text) != 0)
        put_error(other);
    else
        printf(poll(&other_end, 1, 20000) == 1 ? "gone" : "still there");
}

static void put_beliefs(MYSQL *mysql)
{
    printf(" %s%s%s", mysql_character_set_name(mysql), mysql->server_status & SERVER_STATUS_AUTOCOMMIT ? " autocommit" : "",
           told && mysql->server_status & SERVER_STATUS_IN_TRANS ? " in-transaction" : "");
}

static void obey(char *line)
{
    const char *command = strsep(&line, " ");
    const char *number = strsep(&line, " ");
    MYSQL *mysql = &handles[number ? atoi(number) % HANDLES : 0];
    char *rest = line ? line : "";
    int closes = strcmp(command, "close") == 0;
    int prepares = strcmp(command, "prepare") == 0;
    int executes = strcmp(command, "execute") == 0;
    int unprepares = strcmp(command, "unprepare") == 0;
    MYSQL_STMT **statement = NULL;
    /* Neither client library reads the status in the reply to select_db, ping and reset. In that to prepare it does, but
     * the protected twin's flag is put out again: libmysqlclient believes that preparing a query opens a transaction. */
    int silent = strcmp(command, "select_db") == 0 || strcmp(command, "ping") == 0 || strcmp(command, "reset") == 0;
    told = !prepares && !unprepares && !silent;
    if (prepares || executes || unprepares) {
        const char *slot = strsep(&rest, " ");
        statement = &statements[mysql - handles][slot ? atoi(slot) % STATEMENTS : 0];
    }
    if (strcmp(command, "connect") == 0)
        open_connection(mysql, rest);
    else if (strcmp(command, "give_up") == 0)
        endurance[mysql - handles] = GIVES_UP;
    else if (endurance[mysql - handles] == ENDED && !closes)
        printf("[ended]");
    else if (strcmp(command, "query") == 0)
        query(mysql, rest);
    else if (prepares)
        prepare(mysql, statement, rest);
    else if (executes)
        execute(mysql, *statement, rest);
    else if (unprepares) {
        unprepare(statement);
        printf("[ok]");
    } else if (strcmp(command, "select_db") == 0)
        answer(mysql, mysql_select_db(mysql, rest));
    else if (strcmp(command, "set_names") == 0)
        answer(mysql, mysql_set_character_set(mysql, rest));
    else if (strcmp(command, "autocommit") == 0)
        answer(mysql, mysql_autocommit(mysql, atoi(rest) != 0));
    else if (strcmp(command, "commit") == 0)
        answer(mysql, mysql_commit(mysql));
    else if (strcmp(command, "rollback") == 0)
        answer(mysql, mysql_rollback(mysql));
    else if (strcmp(command, "reset") == 0) {
        unprepare_all(mysql);
        answer(mysql, mysql_reset_connection(mysql));
    } else if (strcmp(command, "ping") == 0)
        answer(mysql, mysql_ping(mysql));
    else if (strcmp(command, "kill") == 0)
        end_by(mysql, &handles[atoi(rest) % HANDLES]);
    else if (closes) {
        unprepare_all(mysql);
        mysql_close(mysql);
    } else
        printf("unknown command %s", command);
    if (closes)
        printf("closed");
    else
        put_beliefs(mysql);
    printf("\n");
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while ((length = getline(&line, &size, stdin)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        obey(line);
    }
    free(line);
    return 0;
}
