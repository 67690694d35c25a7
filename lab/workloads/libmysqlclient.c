/* Naive application code on the C API: one connection per pthread, autocommit, no retry, no reconnect.
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

static void record(int worker, int seq, const char *kind, long long started, const char *outcome, MYSQL *failed)
{
    char line[1024];
    int length = snprintf(line, sizeof line - 1, "%d,%d,%s,%lld,%lld,%s,%u,%s", worker, seq, kind, started, now_us(),
                          outcome, failed ? mysql_errno(failed) : 0, failed ? mysql_error(failed) : "");
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

static int open_connection(MYSQL *mysql)
{
    const char *ca = getenv("LAB_SSL_CA");
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
    return mysql_real_connect(mysql, setting("LAB_HOST"), setting("LAB_USER"), setting("LAB_PASSWORD"),
                              setting("LAB_DATABASE"), (unsigned)atoi(setting("LAB_PORT")), NULL, 0) != NULL;
}

static int insert(MYSQL *mysql, int worker, int seq)
{
    char text[160];
    int length = snprintf(text, sizeof text, "INSERT INTO orders (worker, seq, note) VALUES (%d, %d, 'libmysqlclient')",
                          worker, seq);
    return mysql_real_query(mysql, text, (unsigned long)length) == 0;
}

/* 1: found, 0: not found, -1: error */
static int find(MYSQL *mysql, int worker, int seq)
{
    char text[160];
    int length = snprintf(text, sizeof text, "SELECT seq FROM orders WHERE worker = %d AND seq = %d", worker, seq);
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

static void *work(void *number)
{
    int index = (int)(long)number, next = (index + 1) % count, worker = first + index;
    int seq = 0, connected = 0;
    MYSQL mysql;
    mysql_thread_init();
    while (!stopping && !connected) {
        long long started = now_us();
        connected = open_connection(&mysql);
        record(worker, 0, "connect", started, connected ? "ok" : "error", connected ? NULL : &mysql);
        if (!connected) {
            mysql_close(&mysql);
            rest(50000000L);
        }
    }
    while (!stopping) {
        long long started = now_us();
        if (reads_only) {
            int found = find(&mysql, 0, 0);
            record(worker, 0, "select", started, found < 0 ? "error" : found ? "ok" : "stale",
                   found < 0 ? &mysql : NULL);
            rest(pause_ns);
            continue;
        }
        int stored = insert(&mysql, worker, ++seq);
        record(worker, seq, "insert", started, stored ? "ok" : "error", stored ? NULL : &mysql);
        if (stored)
            written[index] = seq;
        int last = written[next];
        if (last && seq % read_every == 0) {
            int found;
            started = now_us();
            found = find(&mysql, first + next, last);
            record(worker, last, "select", started, found < 0 ? "error" : found ? "ok" : "stale",
                   found < 0 ? &mysql : NULL);
        }
        rest(pause_ns);
    }
    if (connected)
        mysql_close(&mysql);
    mysql_thread_end();
    return NULL;
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
