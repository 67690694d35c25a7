/* A client library that nobody knows: every call says how it was called and returns a value of its own.
 * COMPLETE adds the accessors that a known library would have. TRUE is what a function that returns one byte says for
 * yes: libraries differ. */
#include <stdio.h>

#ifndef TRUE
#define TRUE 1
#endif

#define TEXT(value) ((value) ? (value) : "null")

/* Larger than any known structure, so that nobody who takes it for one steps outside. */
static char handle[8192], result[8192], statement[8192];

#define RETURNS_INT(name, value)                             \
    int name(void *mysql)                                    \
    {                                                        \
        printf("  " #name "(%d)\n", mysql == handle);        \
        return value;                                        \
    }
#define RETURNS_BYTE(name, value)                            \
    signed char name(void *mysql)                            \
    {                                                        \
        printf("  " #name "(%d)\n", mysql == handle);        \
        return value;                                        \
    }

void *mysql_init(void *mysql)
{
    printf("  mysql_init(%s)\n", mysql ? "a structure" : "null");
    return handle;
}

void *mysql_real_connect(void *mysql, const char *host, const char *user, const char *password, const char *database,
                         unsigned port, const char *socket, unsigned long flags)
{
    printf("  mysql_real_connect(%d, %s, %s, %s, %s, %u, %s, %#lx)\n", mysql == handle, TEXT(host), TEXT(user),
           TEXT(password), TEXT(database), port, TEXT(socket), flags);
    return host ? handle : NULL;
}

int mysql_real_query(void *mysql, const char *text, unsigned long length)
{
    printf("  mysql_real_query(%d, %.*s, %lu)\n", mysql == handle, (int)length, text, length);
    return 77;
}

int mysql_query(void *mysql, const char *text)
{
    printf("  mysql_query(%d, %s)\n", mysql == handle, text);
    return -5;
}

int mysql_send_query(void *mysql, const char *text, unsigned long length)
{
    printf("  mysql_send_query(%d, %.*s, %lu)\n", mysql == handle, (int)length, text, length);
    return 78;
}

RETURNS_BYTE(mysql_read_query_result, TRUE)
RETURNS_INT(mysql_next_result, -1)
RETURNS_INT(mysql_ping, 79)
RETURNS_BYTE(mysql_commit, TRUE)
RETURNS_BYTE(mysql_rollback, TRUE)
RETURNS_INT(mysql_reset_connection, 80)
RETURNS_INT(mysql_dump_debug_info, 81)

void *mysql_store_result(void *mysql)
{
    printf("  mysql_store_result(%d)\n", mysql == handle);
    return result;
}

void *mysql_use_result(void *mysql)
{
    printf("  mysql_use_result(%d)\n", mysql == handle);
    return NULL;
}

void mysql_free_result(void *freed)
{
    printf("  mysql_free_result(%d)\n", freed == result);
}

int mysql_select_db(void *mysql, const char *name)
{
    printf("  mysql_select_db(%d, %s)\n", mysql == handle, TEXT(name));
    return 82;
}

signed char mysql_autocommit(void *mysql, signed char mode)
{
    printf("  mysql_autocommit(%d, %d)\n", mysql == handle, mode);
    return TRUE;
}

int mysql_set_character_set(void *mysql, const char *name)
{
    printf("  mysql_set_character_set(%d, %s)\n", mysql == handle, TEXT(name));
    return 83;
}

signed char mysql_change_user(void *mysql, const char *user, const char *password, const char *database)
{
    printf("  mysql_change_user(%d, %s, %s, %s)\n", mysql == handle, TEXT(user), TEXT(password), TEXT(database));
    return 0;
}

int mysql_set_server_option(void *mysql, int option)
{
    printf("  mysql_set_server_option(%d, %d)\n", mysql == handle, option);
    return 84;
}

const char *mysql_stat(void *mysql)
{
    printf("  mysql_stat(%d)\n", mysql == handle);
    return "fine";
}

int mysql_refresh(void *mysql, unsigned options)
{
    printf("  mysql_refresh(%d, %u)\n", mysql == handle, options);
    return 85;
}

int mysql_kill(void *mysql, unsigned long id)
{
    printf("  mysql_kill(%d, %lu)\n", mysql == handle, id);
    return 86;
}

int mysql_shutdown(void *mysql, int level)
{
    printf("  mysql_shutdown(%d, %d)\n", mysql == handle, level);
    return 87;
}

void *mysql_list_dbs(void *mysql, const char *wild)
{
    printf("  mysql_list_dbs(%d, %s)\n", mysql == handle, TEXT(wild));
    return result;
}

void *mysql_list_fields(void *mysql, const char *table, const char *wild)
{
    printf("  mysql_list_fields(%d, %s, %s)\n", mysql == handle, TEXT(table), TEXT(wild));
    return result;
}

void *mysql_stmt_init(void *mysql)
{
    printf("  mysql_stmt_init(%d)\n", mysql == handle);
    return statement;
}

int mysql_stmt_prepare(void *prepared, const char *text, unsigned long length)
{
    printf("  mysql_stmt_prepare(%d, %.*s, %lu)\n", prepared == statement, (int)length, text, length);
    return 88;
}

int mysql_stmt_execute(void *executed)
{
    printf("  mysql_stmt_execute(%d)\n", executed == statement);
    return 89;
}

int mysql_stmt_store_result(void *stored)
{
    printf("  mysql_stmt_store_result(%d)\n", stored == statement);
    return 90;
}

int mysql_stmt_next_result(void *read)
{
    printf("  mysql_stmt_next_result(%d)\n", read == statement);
    return -91;
}

signed char mysql_stmt_bind_param(void *bound, void *binds)
{
    printf("  mysql_stmt_bind_param(%d, %d)\n", bound == statement, binds != NULL);
    return 0;
}

signed char mysql_stmt_bind_named_param(void *bound, void *binds, unsigned count, const char **names)
{
    printf("  mysql_stmt_bind_named_param(%d, %d, %u, %d)\n", bound == statement, binds != NULL, count, names != NULL);
    return TRUE;
}

signed char mysql_stmt_attr_set(void *set, int attribute, const char *value)
{
    printf("  mysql_stmt_attr_set(%d, %d, %s)\n", set == statement, attribute, value);
    return TRUE;
}

signed char mysql_stmt_send_long_data(void *sent, unsigned parameter, const char *data, unsigned long length)
{
    printf("  mysql_stmt_send_long_data(%d, %u, %.*s, %lu)\n", sent == statement, parameter, (int)length, TEXT(data), length);
    return TRUE;
}

signed char mysql_stmt_free_result(void *freed)
{
    printf("  mysql_stmt_free_result(%d)\n", freed == statement);
    return TRUE;
}

signed char mysql_stmt_reset(void *reset)
{
    printf("  mysql_stmt_reset(%d)\n", reset == statement);
    return TRUE;
}

signed char mysql_stmt_close(void *closed)
{
    printf("  mysql_stmt_close(%d)\n", closed == statement);
    return TRUE;
}

void mysql_close(void *mysql)
{
    printf("  mysql_close(%d)\n", mysql == handle);
}

unsigned long mysql_get_client_version(void)
{
    return 12345;
}

#ifdef COMPLETE
/* Silent: a library that looks at this one may ask them as often as it likes. */
#define ACCESSOR(name)       \
    long name(void *mysql)   \
    {                        \
        return mysql == NULL; \
    }
ACCESSOR(mysql_errno)
ACCESSOR(mysql_get_server_info)
ACCESSOR(mysql_error)
ACCESSOR(mysql_stmt_errno)
ACCESSOR(mysql_stmt_error)
ACCESSOR(mysql_stmt_sqlstate)
ACCESSOR(mysql_stmt_row_tell)
ACCESSOR(mysql_stmt_affected_rows)
ACCESSOR(mysql_stmt_insert_id)
ACCESSOR(mysql_stmt_param_count)
ACCESSOR(mysql_stmt_field_count)
ACCESSOR(mysql_stmt_attr_get)
ACCESSOR(mysql_stmt_result_metadata)
ACCESSOR(mysql_fetch_fields)
ACCESSOR(mysql_sqlstate)
ACCESSOR(mysql_thread_id)
ACCESSOR(mysql_affected_rows)
ACCESSOR(mysql_insert_id)
ACCESSOR(mysql_warning_count)
ACCESSOR(mysql_field_count)
ACCESSOR(mysql_more_results)
ACCESSOR(mysql_get_ssl_cipher)
ACCESSOR(mysql_character_set_name)
ACCESSOR(mysql_get_option)
ACCESSOR(mysql_options)
ACCESSOR(mysql_num_fields)
ACCESSOR(mysql_fetch_row)
ACCESSOR(mysql_fetch_lengths)
ACCESSOR(mysql_data_seek)
#endif
