/* Asynchronous calls of client.c: MariaDB's with _start and _cont, if CLIENT_NONBLOCK was set for the connect; Oracle's.
 *
 *   async N SQL            as query, and so is its result stored
 *   async_send N SQL       sent | error …; the answer is read by `read N`, in the blocking way
 *   async_next N           rows … | ok AFFECTED | end | error …
 *   async_reset N          ok | error …
 *   async_execute S        ok | error …, a prepared statement (MariaDB's library only)
 *   async_close N          closed
 *   read N                 rows … | ok AFFECTED | error … */

#ifdef LIBMARIADB

static int wait_for(MYSQL *mysql, int status)
{
    struct pollfd socket = {mysql_get_socket(mysql), 0, 0};
    socket.events = (short)((status & MYSQL_WAIT_READ ? POLLIN : 0) | (status & MYSQL_WAIT_WRITE ? POLLOUT : 0)
                            | (status & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
    if (poll(&socket, 1, 30000) <= 0)
        return MYSQL_WAIT_TIMEOUT;
    return (socket.revents & (POLLIN | POLLHUP | POLLERR) ? MYSQL_WAIT_READ : 0)
           | (socket.revents & POLLOUT ? MYSQL_WAIT_WRITE : 0) | (socket.revents & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
}

/* Drives FUNCTION of HANDLE to its end; CODE is what its blocking twin returns. */
#define DRIVE(function, code, mysql, handle, ...)                                                                    \
    do {                                                                                                             \
        int status = function##_start(&(code), handle __VA_ARGS__);                                                  \
        while (status != 0)                                                                                          \
            status = function##_cont(&(code), handle, wait_for(mysql, status));                                      \
    } while (0)

static int async_real_query(MYSQL *mysql, const char *text)
{
    int code;
    DRIVE(mysql_real_query, code, mysql, mysql, , text, (unsigned long)strlen(text));
    return code;
}

static int async_send_query(MYSQL *mysql, const char *text)
{
    int code;
    DRIVE(mysql_send_query, code, mysql, mysql, , text, (unsigned long)strlen(text));
    return code;
}

static MYSQL_RES *async_store_result(MYSQL *mysql)
{
    MYSQL_RES *result;
    DRIVE(mysql_store_result, result, mysql, mysql);
    return result;
}

static int async_next_result(MYSQL *mysql)
{
    int code;
    DRIVE(mysql_next_result, code, mysql, mysql);
    return code;
}

static int async_reset_connection(MYSQL *mysql)
{
    int code;
    DRIVE(mysql_reset_connection, code, mysql, mysql);
    return code;
}

static void async_close(MYSQL *mysql)
{
    int status = mysql_close_start(mysql);
    while (status != 0)
        status = mysql_close_cont(mysql, wait_for(mysql, status));
}

static int async_execute(MYSQL *mysql, MYSQL_STMT *stmt)
{
    int code;
    DRIVE(mysql_stmt_execute, code, mysql, stmt);
    return code;
}

#else

#define DRIVE(status, call)                                                                                          \
    do {                                                                                                             \
        struct pollfd socket = {mysql->net.fd, POLLIN, 0};                                                           \
        while ((status = call) == NET_ASYNC_NOT_READY)                                                               \
            poll(&socket, 1, 5);                                                                                     \
    } while (0)

static int async_real_query(MYSQL *mysql, const char *text)
{
    enum net_async_status status;
    DRIVE(status, mysql_real_query_nonblocking(mysql, text, (unsigned long)strlen(text)));
    return status == NET_ASYNC_ERROR;
}

static int async_send_query(MYSQL *mysql, const char *text)
{
    enum net_async_status status;
    DRIVE(status, mysql_send_query_nonblocking(mysql, text, (unsigned long)strlen(text)));
    return status == NET_ASYNC_ERROR;
}

static MYSQL_RES *async_store_result(MYSQL *mysql)
{
    enum net_async_status status;
    MYSQL_RES *result = NULL;
    DRIVE(status, mysql_store_result_nonblocking(mysql, &result));
    return result;
}

static int async_next_result(MYSQL *mysql)
{
    enum net_async_status status;
    DRIVE(status, mysql_next_result_nonblocking(mysql));
    return status == NET_ASYNC_ERROR ? 1 : status == NET_ASYNC_COMPLETE_NO_MORE_RESULTS ? -1 : 0;
}

static int async_reset_connection(MYSQL *mysql)
{
    enum net_async_status status;
    DRIVE(status, mysql_reset_connection_nonblocking(mysql));
    return status == NET_ASYNC_ERROR;
}

static void async_close(MYSQL *mysql)
{
    mysql_close(mysql);
}

static int async_execute(MYSQL *mysql, MYSQL_STMT *stmt)
{
    (void)mysql;
    return mysql_stmt_execute(stmt);
}

#endif

static void async_query(MYSQL *mysql, const char *text)
{
    if (async_real_query(mysql, text) != 0)
        answer_error(mysql);
    else
        print_stored(mysql, async_store_result(mysql));
}

static void async_next(MYSQL *mysql)
{
    int code = async_next_result(mysql);
    if (code > 0)
        answer_error(mysql);
    else if (code < 0)
        printf("end\n");
    else
        print_stored(mysql, async_store_result(mysql));
}

/* 0 if the command is none of these. */
static int obey_asynchronously(MYSQL *mysql, const char *command, char *rest)
{
    struct statement *s = &statements[mysql - handles];
    if (strcmp(command, "async") == 0)
        async_query(mysql, rest);
    else if (strcmp(command, "async_send") == 0) {
        if (async_send_query(mysql, rest) != 0)
            answer_error(mysql);
        else
            printf("sent\n");
    } else if (strcmp(command, "async_next") == 0)
        async_next(mysql);
    else if (strcmp(command, "async_reset") == 0)
        answer(mysql, async_reset_connection(mysql));
    else if (strcmp(command, "async_execute") == 0)
        answer_statement(s, async_execute(&handles[0], s->stmt));
    else if (strcmp(command, "async_close") == 0) {
        async_close(mysql);
        printf("closed\n");
    } else if (strcmp(command, "read") == 0) {
        if (mysql_read_query_result(mysql))
            answer_error(mysql);
        else
            print_result(mysql);
    } else
        return 0;
    return 1;
}
