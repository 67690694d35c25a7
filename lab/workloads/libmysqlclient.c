/* Naive application code on the C API: one connection per pthread, autocommit. No retry and no reconnect but for what
 * LAB_EVICT, LAB_ROWS, LAB_SWALLOW, LAB_RETRY, LAB_FORM, LAB_PASSWORD_FILE and LAB_READERS ask for: see mysqldb.py.
 * Builds against MySQL's library and against MariaDB's (which defines LIBMARIADB).
 * Writes one record per attempted statement to standard output; stops when standard input ends. */
#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_int stopping;
static int read_every;
/* Only reads, of row 0 of worker 0: for readers. */
static int reads_only;
static long pause_ns;
static int first, count;
static int evict, rows, swallow, retry, readers, reckons;
/* How a row is written: one or two statements with the worker, the number of the write and of its row. */
static const char *const *form;
static const char *const forms[][3] = {
    {"plain", "INSERT INTO orders (worker, seq, note) VALUES (%d, %d, '%d')", NULL},
    {"chain", "INSERT INTO parents (worker, seq) VALUES (%d, %d)",
     "INSERT INTO orders (worker, seq, note, parent) VALUES (%d, %d, '%d', LAST_INSERT_ID())"},
    {"sequence", "INSERT INTO parents (id, worker, seq) VALUES (NEXTVAL(ids), %d, %d)",
     "INSERT INTO orders (worker, seq, note, parent) VALUES (%d, %d, '%d', LASTVAL(ids))"},
    {"family", "INSERT INTO parents (worker, seq) VALUES (%1$d, %2$d), (%1$d, %2$d), (%1$d, %2$d)",
     "INSERT INTO orders (worker, seq, note, parent) VALUES (%1$d, %2$d, '%3$d', %4$llu)"},
    {"function", "SELECT place(%d, %d, '%d')", NULL},
    {"view", "SET @w = %d, @s = %d, @p = '%d'", "SELECT placed FROM placing"},
    {"bulk", "INSERT INTO orders (worker, seq, note) SELECT %d, %d, n FROM numbers", NULL},
};
/* Every worker's last acknowledged row. Each reads its neighbour's: all connections mean one server, so what one was
 * told is stored, the other must find. */
static atomic_int *written;

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "%s is not set\n", name);
        exit(2);
    }
    return value;
}

static long long now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void rest(long nanoseconds)
{
    struct timespec time = {nanoseconds / 1000000000L, nanoseconds % 1000000000L};
    nanosleep(&time, NULL);
}

/* What became of a call. */
struct call {
    long long started;
    unsigned number;
    char message[512];
};

static void begin(struct call *call)
{
    call->started = now_us();
    call->number = 0;
    call->message[0] = 0;
}

/* Notes a failure of the connection behind what the message says so far. */
static void fail(struct call *call, MYSQL *mysql)
{
    size_t length = strlen(call->message);
    call->number = mysql_errno(mysql);
    snprintf(call->message + length, sizeof call->message - length, "%s%s", length ? " " : "", mysql_error(mysql));
}

static void record(int worker, int seq, const char *kind, const struct call *call, const char *outcome)
{
    char line[1024];
    int length = snprintf(line, sizeof line - 1, "%d,%d,%s,%lld,%lld,%s,%u,%s", worker, seq, kind, call->started,
                          now_us(), outcome, call->number, call->message);
    if (length > (int)sizeof line - 2)
        length = (int)sizeof line - 2;
    for (int i = 0; i < length; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    line[length++] = '\n';
    /* One write call per record, so that records of several threads never mix. */
    if (write(STDOUT_FILENO, line, (size_t)length) < 0)
        exit(1);
}

static const char *password(char *text, int size)
{
    const char *path = getenv("LAB_PASSWORD_FILE");
    FILE *file;
    if (path == NULL)
        return setting("LAB_PASSWORD");
    file = fopen(path, "r");
    if (file == NULL || fgets(text, size, file) == NULL)
        text[0] = 0;
    if (file != NULL)
        fclose(file);
    text[strcspn(text, "\n")] = 0;
    return text;
}

static int open_connection(MYSQL *mysql)
{
    const char *ca = getenv("LAB_SSL_CA");
    char text[128];
    mysql_init(mysql);
    if (ca != NULL) {
#ifdef LIBMARIADB
        my_bool yes = 1;
        mysql_ssl_set(mysql, NULL, NULL, ca, NULL, NULL);
        mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
        mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
#else
        unsigned int mode = SSL_MODE_VERIFY_IDENTITY;
        mysql_options(mysql, MYSQL_OPT_SSL_CA, ca);
        mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode);
#endif
    }
#ifndef LIBMARIADB
    else {
        unsigned int mode = SSL_MODE_DISABLED;
        char yes = 1;
        mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode);
        mysql_options(mysql, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &yes);
    }
#endif
    return mysql_real_connect(mysql, setting("LAB_HOST"), setting("LAB_USER"), password(text, sizeof text),
                              setting("LAB_DATABASE"), (unsigned)atoi(setting("LAB_PORT")), NULL, 0) != NULL;
}

static int run(MYSQL *mysql, const char *text)
{
    MYSQL_RES *result;
    if (mysql_real_query(mysql, text, (unsigned long)strlen(text)) != 0)
        return 0;
    result = mysql_store_result(mysql);
    if (result != NULL)
        mysql_free_result(result);
    return mysql_errno(mysql) == 0;
}

static int insert(MYSQL *mysql, int worker, int seq, int part, int increment)
{
    char text[200];
    unsigned long long third = 0;
    for (int i = 0; i < 2 && form[i] != NULL; i++) {
        snprintf(text, sizeof text, form[i], worker, seq, part, third);
        if (!run(mysql, text))
            return 0;
        third = mysql_insert_id(mysql) + 2 * (unsigned)increment;
    }
    return 1;
}

/* How far apart ids are: asked before a transaction, and outside it. -1: error */
static int reckon(MYSQL *mysql)
{
    MYSQL_RES *result;
    MYSQL_ROW row;
    int increment;
    if (!reckons)
        return 1;
    if (mysql_query(mysql, "SELECT @@auto_increment_increment") != 0)
        return -1;
    result = mysql_store_result(mysql);
    row = result ? mysql_fetch_row(result) : NULL;
    increment = row ? atoi(row[0]) : -1;
    if (result)
        mysql_free_result(result);
    return increment;
}

/* A transaction of `rows` rows. The message tells how many, and which of them failed and were forgotten. */
static int transaction(MYSQL *mysql, int worker, int seq, struct call *call)
{
    for (int left = 10;; left--) {
        int length = snprintf(call->message, sizeof call->message, "[%d", rows), good, increment;
        call->number = 0;
        increment = reckon(mysql);
        good = increment > 0 && run(mysql, "BEGIN");
        for (int part = 1; good && part <= rows; part++) {
            if (insert(mysql, worker, seq, part, increment))
                continue;
            good = swallow;
            if (swallow && length < (int)sizeof call->message - 60)
                length += snprintf(call->message + length, sizeof call->message - (size_t)length, " %d=%u", part,
                                   mysql_errno(mysql));
        }
        snprintf(call->message + length, sizeof call->message - (size_t)length, "]");
        if (good && run(mysql, "COMMIT"))
            return 1;
        if (!retry || left == 0 || (mysql_errno(mysql) != 1213 && mysql_errno(mysql) != 1205)) {
            fail(call, mysql);
            return 0;
        }
        run(mysql, "ROLLBACK");
    }
}

/* 1: found, 0: not found, -1: error */
static int find(MYSQL *mysql, int worker, int seq)
{
    char text[160];
    int length = snprintf(text, sizeof text, "SELECT seq FROM orders WHERE worker = %d AND seq = %d LIMIT 1", worker, seq);
    MYSQL_RES *result;
    int found;
    if (mysql_real_query(mysql, text, (unsigned long)length) != 0)
        return -1;
    result = mysql_store_result(mysql);
    if (result == NULL)
        return -1;
    found = mysql_num_rows(result) > 0;
    mysql_free_result(result);
    return found;
}

/* Connects, unless it is connected, until it succeeds or the program ends. */
static int connected(MYSQL *mysql, int worker, int *open)
{
    while (!stopping && !*open) {
        struct call call;
        begin(&call);
        *open = open_connection(mysql);
        if (!*open)
            fail(&call, mysql);
        record(worker, 0, "connect", &call, *open ? "ok" : "error");
        if (!*open) {
            mysql_close(mysql);
            rest(50000000L);
        }
    }
    return *open;
}

static void after_error(MYSQL *mysql, unsigned number, int *open)
{
    if (evict && number != 1213 && number != 1205) {
        mysql_close(mysql);
        *open = 0;
    } else if (rows > 1) {
        run(mysql, "ROLLBACK");
    }
}

static void look_up(MYSQL *mysql, int worker, int of, int row, int *open)
{
    struct call call;
    int found;
    begin(&call);
    found = find(mysql, of, row);
    if (found < 0)
        fail(&call, mysql);
    record(worker, row, "select", &call, found < 0 ? "error" : found ? "ok" : "stale");
    if (found < 0)
        after_error(mysql, call.number, open);
}

static void *work(void *number)
{
    int index = (int)(long)number, worker = first + index;
    /* A worker that only reads is nobody's neighbour. */
    int writers = count > readers ? count - readers : 1;
    int next = readers + (index + readers * (writers - 1) + 1) % writers;
    int seq = 0, open = 0;
    MYSQL mysql;
    mysql_thread_init();
    while (!stopping && connected(&mysql, worker, &open)) {
        int last = written[next];
        if (reads_only || index < readers) {
            if (reads_only || last)
                look_up(&mysql, worker, reads_only ? 0 : first + next, reads_only ? 0 : last, &open);
            rest(pause_ns);
            continue;
        }
        struct call call;
        begin(&call);
        int stored = 0, increment;
        seq++;
        if (rows > 1)
            stored = transaction(&mysql, worker, seq, &call);
        else if ((increment = reckon(&mysql)) > 0)
            stored = insert(&mysql, worker, seq, 1, increment);
        if (!stored && rows <= 1)
            fail(&call, &mysql);
        record(worker, seq, "insert", &call, stored ? "ok" : "error");
        if (stored)
            written[index] = seq;
        else
            after_error(&mysql, call.number, &open);
        last = written[next];
        if (last && seq % read_every == 0 && connected(&mysql, worker, &open))
            look_up(&mysql, worker, first + next, last, &open);
        rest(pause_ns);
    }
    if (open)
        mysql_close(&mysql);
    mysql_thread_end();
    return NULL;
}

static int number_of(const char *name, int otherwise)
{
    const char *value = getenv(name);
    return value ? atoi(value) : otherwise;
}

int main(void)
{
    pthread_t *threads;
    char byte;
    count = atoi(setting("LAB_THREADS"));
    first = atoi(setting("LAB_FIRST_WORKER"));
    threads = calloc((size_t)count, sizeof *threads);
    written = calloc((size_t)count, sizeof *written);
    read_every = atoi(setting("LAB_READ_EVERY"));
    reads_only = getenv("LAB_READS_ONLY") != NULL;
    evict = getenv("LAB_EVICT") != NULL;
    swallow = getenv("LAB_SWALLOW") != NULL;
    retry = getenv("LAB_RETRY") != NULL;
    rows = number_of("LAB_ROWS", 1);
    readers = number_of("LAB_READERS", 0);
    const char *name = getenv("LAB_FORM");
    form = forms[0] + 1;
    for (size_t i = 0; name != NULL && i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i][0], name) == 0)
            form = forms[i] + 1;
    reckons = name != NULL && strcmp(name, "family") == 0;
    pause_ns = (long)(atof(setting("LAB_PAUSE_MS")) * 1e6);
    mysql_library_init(0, NULL, NULL);
    for (int i = 0; i < count; i++) {
        pthread_create(&threads[i], NULL, work, (void *)(long)i);
        /* Spread over the pause, as workers are that have been at it for a while. */
        rest(pause_ns / count);
    }
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    stopping = 1;
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    free(written);
    mysql_library_end();
    return 0;
}
