/* Does one thing many times, for those who measure: bench HOST PORT USER PASSWORD DATABASE WORK TIMES.
   `connections` opens so many and prints the KiB of resident memory that they take. */
#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char **arguments;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static MYSQL *connected(void) {
    MYSQL *mysql = mysql_init(NULL);
    if (!mysql_real_connect(mysql, arguments[1], arguments[3], arguments[4], arguments[5], atoi(arguments[2]), NULL, 0))
        fail("connect", mysql_error(mysql));
    return mysql;
}

static void run(MYSQL *mysql, const char *text) {
    if (mysql_real_query(mysql, text, strlen(text)))
        fail(text, mysql_error(mysql));
    MYSQL_RES *result = mysql_store_result(mysql);
    if (result)
        mysql_free_result(result);
}

static void *idle(void *nothing) {
    pause();
    return nothing;
}

static long resident(void) {
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%*d %ld", &pages) != 1)
        fail("statm", "cannot be read");
    fclose(statm);
    return pages * sysconf(_SC_PAGESIZE) / 1024;
}

static void prepared(MYSQL *mysql, int times) {
    const char *text = "SELECT n FROM bench WHERE id = ?";
    int id = 1, n = 0;
    MYSQL_BIND parameter, column;
    memset(&parameter, 0, sizeof parameter);
    memset(&column, 0, sizeof column);
    parameter.buffer_type = column.buffer_type = MYSQL_TYPE_LONG;
    parameter.buffer = &id;
    column.buffer = &n;
    MYSQL_STMT *statement = mysql_stmt_init(mysql);
    if (mysql_stmt_prepare(statement, text, strlen(text)) || mysql_stmt_bind_param(statement, &parameter))
        fail("prepare", mysql_stmt_error(statement));
    for (int at = 0; at < times; at++) {
        if (mysql_stmt_execute(statement) || mysql_stmt_bind_result(statement, &column) ||
            mysql_stmt_store_result(statement) || mysql_stmt_fetch(statement))
            fail("execute", mysql_stmt_error(statement));
        mysql_stmt_free_result(statement);
    }
    mysql_stmt_close(statement);
}

int main(int count, char **values) {
    if (count != 8)
        return 2;
    arguments = values;
    const char *work = values[6];
    int times = atoi(values[7]);
    pthread_t other;
    if (strstr(work, "in-threads") && pthread_create(&other, NULL, idle, NULL))
        fail("thread", "cannot be started");
    MYSQL *mysql = connected();
    if (!strcmp(work, "connections")) {
        MYSQL **all = calloc(times, sizeof *all);
        long before = resident();
        for (int at = 0; at < times; at++)
            run(all[at] = connected(), "SELECT 1");
        printf("%ld\n", resident() - before);
        for (int at = 0; at < times; at++)
            mysql_close(all[at]);
        free(all);
    } else if (!strncmp(work, "prepared", 8)) {
        prepared(mysql, times);
    } else {
        for (int at = 0; at < times; at++) {
            if (!strncmp(work, "select", 6)) {
                int other = !strcmp(work, "selects") && at % 2;
                run(mysql, other ? "SELECT id FROM bench WHERE n = 1" : "SELECT n FROM bench WHERE id = 1");
            } else if (!strcmp(work, "insert")) {
                run(mysql, "INSERT INTO log VALUES (1)");
            } else if (!strcmp(work, "set")) {
                run(mysql, at % 2 ? "SET @@sql_safe_updates = 0" : "SET @@sql_safe_updates = 1");
            } else {
                run(mysql, "BEGIN");
                run(mysql, "SELECT n FROM bench WHERE id = 1 FOR UPDATE");
                run(mysql, "UPDATE bench SET n = n + 1 WHERE id = 1");
                run(mysql, "COMMIT");
            }
        }
    }
    mysql_close(mysql);
    return 0;
}
