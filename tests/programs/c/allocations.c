/* How often memory is allocated, by whoever it is, during a hundred statements of each kind: allocations HOST PORT USER
   PASSWORD DATABASE. Prints a line for each kind. */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

/* Of this thread: others may do as they like. */
static __thread long allocations;

void *malloc(size_t size) { allocations++; return __libc_malloc(size); }
void *calloc(size_t count, size_t size) { allocations++; return __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { allocations++; return __libc_realloc(old, size); }

static MYSQL *mysql;
static MYSQL_STMT *read_one, *write_one;
static int id = 1, read_value;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void text(const char *text) {
    if (mysql_real_query(mysql, text, strlen(text)))
        fail(text, mysql_error(mysql));
    MYSQL_RES *result = mysql_store_result(mysql);
    if (result)
        mysql_free_result(result);
}

static void point_select(void) { text("SELECT n FROM t WHERE id = 1"); }
static void insert(void) { text("INSERT INTO t (n) VALUES (1)"); }
static void update(void) { text("UPDATE t SET n = n + 1 WHERE id = 1"); }

static void prepared_select(void) {
    if (mysql_stmt_execute(read_one) || mysql_stmt_store_result(read_one) || mysql_stmt_fetch(read_one))
        fail("prepared select", mysql_stmt_error(read_one));
    mysql_stmt_free_result(read_one);
}

static void prepared_insert(void) {
    if (mysql_stmt_execute(write_one))
        fail("prepared insert", mysql_stmt_error(write_one));
}

static MYSQL_STMT *prepared(const char *text, MYSQL_BIND *bind) {
    MYSQL_STMT *statement = mysql_stmt_init(mysql);
    if (mysql_stmt_prepare(statement, text, strlen(text)) || mysql_stmt_bind_param(statement, bind))
        fail(text, mysql_stmt_error(statement));
    return statement;
}

static void count(const char *name, void (*statement)(void)) {
    for (int at = 0; at < 10; at++)
        statement();
    allocations = 0;
    for (int at = 0; at < 100; at++)
        statement();
    printf("%s: %ld\n", name, allocations);
}

int main(int count_of, char **values) {
    if (count_of != 6)
        return 2;
    setvbuf(stdout, NULL, _IONBF, 0);
    mysql = mysql_init(NULL);
    if (!mysql_real_connect(mysql, values[1], values[3], values[4], values[5], atoi(values[2]), NULL, 0))
        fail("connect", mysql_error(mysql));
    MYSQL_BIND parameter, column;
    memset(&parameter, 0, sizeof parameter);
    memset(&column, 0, sizeof column);
    parameter.buffer_type = column.buffer_type = MYSQL_TYPE_LONG;
    parameter.buffer = &id;
    column.buffer = &read_value;
    read_one = prepared("SELECT n FROM t WHERE id = ?", &parameter);
    write_one = prepared("INSERT INTO t (n) VALUES (?)", &parameter);
    if (mysql_stmt_bind_result(read_one, &column))
        fail("bind", mysql_stmt_error(read_one));
    count("point select", point_select);
    count("insert", insert);
    count("update", update);
    count("prepared select", prepared_select);
    count("prepared insert", prepared_insert);
    mysql_close(mysql);
    return 0;
}
