/* The same application on strings as puppet.py, with a client library's C API and nothing else: one thread for each
 * connection, or with PUPPET_FORKS one forked process. It has no retry logic of its own.
 *
 * Reads lines `CONNECTION OPERATION ARGUMENT`, answers lines `CONNECTION ok VALUE` or `CONNECTION error NUMBER TEXT`, values
 * as Python writes them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mysql.h>

enum { WORKERS = 64, LINE = 1 << 16 };

static struct worker {
    char name[64];
    FILE *orders;
    int reading;
} workers[WORKERS];
static int worker_count;

/* What a worker answers. */
struct answer {
    char *text;
    size_t length;
    FILE *file;
};

static const char *variable(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL ? value : otherwise;
}

static MYSQL *opened(char *account, const char *port)
{
    const char *user = "app", *password = variable("LAB_PASSWORD", "");
    MYSQL *mysql = mysql_init(NULL);
    if (strcmp(account, "-") != 0) {
        user = strsep(&account, " ");
        password = account;
    }
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (getenv("PUPPET_INIT_COMMAND") != NULL)
        mysql_options(mysql, MYSQL_INIT_COMMAND, getenv("PUPPET_INIT_COMMAND"));
    if (getenv("PUPPET_CONNECT_TIMEOUT") != NULL) {
        unsigned int seconds = (unsigned int)atoi(getenv("PUPPET_CONNECT_TIMEOUT"));
        mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    }
    if (getenv("LAB_TLS_OPTIONS") != NULL)
        mysql_options(mysql, MYSQL_READ_DEFAULT_FILE, getenv("LAB_TLS_OPTIONS"));
    if (mysql_real_connect(mysql, getenv("LAB_HOST"), user, password, "shop", (unsigned int)atoi(port), NULL,
                           CLIENT_MULTI_STATEMENTS | CLIENT_MULTI_RESULTS) != NULL)
        mysql_autocommit(mysql, 1);
    return mysql;
}

/* As Python's repr does it for a text. */
static void write_text(FILE *out, const char *text)
{
    char quote = strchr(text, '\'') != NULL && strchr(text, '"') == NULL ? '"' : '\'';
    fputc(quote, out);
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            fputs("\\n", out);
        else if (*text == '\t')
            fputs("\\t", out);
        else {
            if (*text == '\\' || *text == quote)
                fputc('\\', out);
            fputc(*text, out);
        }
    }
    fputc(quote, out);
}

static void write_value(FILE *out, const MYSQL_FIELD *field, const char *value)
{
    if (value == NULL)
        fputs("None", out);
    else if (field->type == MYSQL_TYPE_NEWDECIMAL)
        fprintf(out, "Decimal('%s')", value);
    else if (IS_NUM(field->type))
        fputs(value, out);
    else
        write_text(out, value);
}

/* Up to `limit` rows as a tuple of tuples, or only how many. */
static void write_rows(FILE *out, MYSQL_RES *result, unsigned long limit, int only_count)
{
    unsigned int fields = mysql_num_fields(result);
    unsigned long rows = 0;
    MYSQL_ROW row;
    if (!only_count)
        fputc('(', out);
    while (rows < limit && (row = mysql_fetch_row(result)) != NULL) {
        rows++;
        if (only_count)
            continue;
        fputs(rows > 1 ? ", (" : "(", out);
        for (unsigned int i = 0; i < fields; i++) {
            write_value(out, mysql_fetch_field_direct(result, i), row[i]);
            fputs(i + 1 < fields ? ", " : fields == 1 ? ",)" : ")", out);
        }
    }
    if (only_count)
        fprintf(out, "%lu", rows);
    else
        fputs(rows == 1 ? ",)" : ")", out);
}

/* 0, or 1 if it failed. */
static int call(MYSQL *mysql, char *argument, FILE *out)
{
    const char *name = strsep(&argument, " ");
    int number = argument != NULL ? atoi(argument) : 0;
    int failed = 0;
    if (strcmp(name, "next_result") == 0) {
        int next = mysql_next_result(mysql);
        fprintf(out, "%d", next);
        return next > 0;
    }
    if (strcmp(name, "set_server_option") == 0)
        failed = mysql_set_server_option(mysql, (enum enum_mysql_set_option)number);
    else if (strcmp(name, "set_character_set") == 0)
        failed = mysql_set_character_set(mysql, argument);
    else if (strcmp(name, "ping") == 0)
        failed = mysql_ping(mysql);
    else if (strcmp(name, "autocommit") == 0)
        failed = mysql_autocommit(mysql, number != 0);
    else if (strcmp(name, "commit") == 0)
        failed = mysql_commit(mysql);
    else if (strcmp(name, "rollback") == 0)
        failed = mysql_rollback(mysql);
    else
        abort();
    fputs("None", out);
    return failed != 0;
}

static int query(MYSQL *mysql, const char *text, FILE *out)
{
    MYSQL_RES *result;
    if (mysql_real_query(mysql, text, strlen(text)) != 0)
        return 1;
    result = mysql_store_result(mysql);
    if (result == NULL && mysql_field_count(mysql) > 0)
        return 1;
    if (result == NULL) {
        fprintf(out, "(%llu, %llu)", (unsigned long long)mysql_affected_rows(mysql),
                (unsigned long long)mysql_insert_id(mysql));
        return 0;
    }
    write_rows(out, result, (unsigned long)-1, 0);
    mysql_free_result(result);
    return 0;
}

static int stream(MYSQL *mysql, const char *operation, const char *text, MYSQL_RES **open, FILE *out)
{
    int begins = strcmp(operation, "rest_of_stream") != 0;
    if (begins && mysql_real_query(mysql, text, strlen(text)) != 0)
        return 1;
    if (begins)
        *open = mysql_use_result(mysql);
    write_rows(out, *open, strcmp(operation, "open_stream") == 0 ? 1 : (unsigned long)-1, strcmp(operation, "stream") == 0);
    if (mysql_errno(mysql) != 0)
        return 1;
    if (strcmp(operation, "open_stream") != 0) {
        mysql_free_result(*open);
        *open = NULL;
    }
    return 0;
}

/* One write for each line, so that lines of several workers never mix. */
static void tell(const char *name, int failed, MYSQL *mysql, struct answer *answer)
{
    char *line = NULL;
    int length;
    fclose(answer->file);
    if (failed)
        length = asprintf(&line, "%s error %u %s\n", name, mysql_errno(mysql), mysql_error(mysql));
    else
        length = asprintf(&line, "%s ok %s\n", name, answer->text);
    for (char *at = line; (at = strchr(at, '\n')) != NULL && at[1] != '\0';)
        *at = ' ';
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        abort();
    free(line);
    free(answer->text);
}

static void *serve(void *argument)
{
    struct worker *worker = argument;
    FILE *orders = fdopen(worker->reading, "r");
    char *line = malloc(LINE);
    MYSQL *mysql = NULL;
    MYSQL_RES *open = NULL;
    mysql_thread_init();
    while (fgets(line, LINE, orders) != NULL) {
        char *rest = line, *operation;
        struct answer answer = {0};
        int failed = 0;
        line[strcspn(line, "\n")] = '\0';
        operation = strsep(&rest, " ");
        answer.file = open_memstream(&answer.text, &answer.length);
        if (strncmp(operation, "connect", 7) == 0) {
            int to_port = strcmp(operation, "connect_to_port") == 0;
            char nobody[] = "-";
            MYSQL *old = mysql;
            mysql = opened(to_port ? nobody : rest, to_port ? rest : variable("LAB_PORT", "3306"));
            failed = mysql_errno(mysql) != 0;
            fputs("'connected'", answer.file);
            if (old != NULL)
                mysql_close(old);
        } else if (strcmp(operation, "query") == 0)
            failed = query(mysql, rest, answer.file);
        else if (strcmp(operation, "call") == 0)
            failed = call(mysql, rest, answer.file);
        else
            failed = stream(mysql, operation, rest, &open, answer.file);
        tell(worker->name, failed, mysql, &answer);
    }
    return NULL;
}

static struct worker *hired(const char *name)
{
    struct worker *worker;
    pthread_t thread;
    int ends[2];
    for (worker = workers; worker < workers + worker_count; worker++)
        if (strcmp(worker->name, name) == 0)
            return worker;
    if (worker_count == WORKERS || pipe2(ends, O_CLOEXEC) != 0)
        abort();
    worker_count++;
    snprintf(worker->name, sizeof worker->name, "%s", name);
    worker->reading = ends[0];
    if (getenv("PUPPET_FORKS") == NULL) {
        worker->orders = fdopen(ends[1], "w");
        pthread_create(&thread, NULL, serve, worker);
        pthread_detach(thread);
        return worker;
    }
    if (fork() == 0) {
        close(ends[1]);
        for (struct worker *other = workers; other < worker; other++)
            fclose(other->orders);
        serve(worker);
        _exit(0);
    }
    close(ends[0]);
    worker->orders = fdopen(ends[1], "w");
    return worker;
}

int main(void)
{
    static char line[LINE];
    mysql_library_init(0, NULL, NULL);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *rest = line, *name = strsep(&rest, " ");
        struct worker *worker = hired(name);
        fputs(rest, worker->orders);
        fflush(worker->orders);
    }
    /* Python's program ends without closing its connections, since its threads are daemons. */
    _exit(0);
}
