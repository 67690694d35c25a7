/* Calls every function of unknown_library.c and says what came back. */
#include <stdio.h>
#include <string.h>

void *mysql_init(void *);
void *mysql_real_connect(void *, const char *, const char *, const char *, const char *, unsigned, const char *,
                         unsigned long);
int mysql_real_query(void *, const char *, unsigned long);
int mysql_query(void *, const char *);
int mysql_send_query(void *, const char *, unsigned long);
signed char mysql_read_query_result(void *);
int mysql_next_result(void *);
int mysql_ping(void *);
signed char mysql_commit(void *);
signed char mysql_rollback(void *);
int mysql_reset_connection(void *);
int mysql_dump_debug_info(void *);
void *mysql_store_result(void *);
void *mysql_use_result(void *);
void mysql_free_result(void *);
int mysql_select_db(void *, const char *);
signed char mysql_autocommit(void *, signed char);
int mysql_set_character_set(void *, const char *);
signed char mysql_change_user(void *, const char *, const char *, const char *);
int mysql_set_server_option(void *, int);
const char *mysql_stat(void *);
int mysql_refresh(void *, unsigned);
int mysql_kill(void *, unsigned long);
int mysql_shutdown(void *, int);
void *mysql_list_dbs(void *, const char *);
void *mysql_list_fields(void *, const char *, const char *);
void *mysql_stmt_init(void *);
int mysql_stmt_prepare(void *, const char *, unsigned long);
int mysql_stmt_execute(void *);
int mysql_stmt_store_result(void *);
int mysql_stmt_next_result(void *);
signed char mysql_stmt_bind_param(void *, void *);
signed char mysql_stmt_bind_named_param(void *, void *, unsigned, const char **);
signed char mysql_stmt_attr_set(void *, int, const void *);
signed char mysql_stmt_send_long_data(void *, unsigned, const char *, unsigned long);
signed char mysql_stmt_free_result(void *);
signed char mysql_stmt_reset(void *);
signed char mysql_stmt_close(void *);
void mysql_close(void *);
unsigned long mysql_get_client_version(void);

#define NUMBER(call) printf("%s = %ld\n", #call, (long)(call))
#define SAME(call, expected) printf("%s is %s: %d\n", #call, #expected, (call) == (expected))

static void call_everything(void)
{
    static const char text[] = "INSERT INTO t VALUES (1)";
    char own[4096];
    void *mysql = mysql_init(own);
    void *rows, *statement;
    NUMBER(mysql_get_client_version());
    SAME(mysql_init(NULL), mysql);
    SAME(mysql_real_connect(mysql, "db.lab.test", "user", "password", "database", 3306, "/socket", 0x80000001UL), mysql);
    SAME(mysql_real_connect(mysql, "db.lab.test", NULL, NULL, NULL, 65536 + 3306, NULL, ~0UL), mysql);
    SAME(mysql_real_connect(mysql, NULL, "user", NULL, NULL, 0, NULL, 0), NULL);
    NUMBER(mysql_real_query(mysql, text, sizeof text - 1));
    NUMBER(mysql_query(mysql, text));
    NUMBER(mysql_send_query(mysql, text, 6));
    NUMBER(mysql_read_query_result(mysql));
    NUMBER(mysql_next_result(mysql));
    NUMBER(mysql_ping(mysql));
    NUMBER(mysql_commit(mysql));
    NUMBER(mysql_rollback(mysql));
    NUMBER(mysql_reset_connection(mysql));
    NUMBER(mysql_dump_debug_info(mysql));
    rows = mysql_store_result(mysql);
    SAME(mysql_use_result(mysql), NULL);
    mysql_free_result(rows);
    NUMBER(mysql_select_db(mysql, "shop"));
    NUMBER(mysql_select_db(mysql, NULL));
    NUMBER(mysql_autocommit(mysql, 0));
    NUMBER(mysql_autocommit(mysql, -3));
    NUMBER(mysql_set_character_set(mysql, "utf8mb4"));
    NUMBER(mysql_change_user(mysql, "other", "secret", NULL));
    NUMBER(mysql_set_server_option(mysql, 1));
    NUMBER(strcmp(mysql_stat(mysql), "fine"));
    NUMBER(mysql_refresh(mysql, 0xffffffffu));
    NUMBER(mysql_kill(mysql, ~0UL));
    NUMBER(mysql_shutdown(mysql, -1));
    SAME(mysql_list_dbs(mysql, "s%"), rows);
    SAME(mysql_list_fields(mysql, "orders", NULL), rows);
    statement = mysql_stmt_init(mysql);
    NUMBER(mysql_stmt_prepare(statement, text, sizeof text - 1));
    NUMBER(mysql_stmt_attr_set(statement, 204, text));
    NUMBER(mysql_stmt_bind_param(statement, own));
    NUMBER(mysql_stmt_bind_named_param(statement, own, 2, NULL));
    NUMBER(mysql_stmt_send_long_data(statement, 3, text, 6));
    NUMBER(mysql_stmt_send_long_data(statement, 0, NULL, 0));
    NUMBER(mysql_stmt_execute(statement));
    NUMBER(mysql_stmt_store_result(statement));
    NUMBER(mysql_stmt_next_result(statement));
    NUMBER(mysql_stmt_free_result(statement));
    NUMBER(mysql_stmt_reset(statement));
    NUMBER(mysql_stmt_close(statement));
    mysql_close(mysql);
    fflush(stdout);
}
