/* A MySQL client that does what it is told: reads one command a line, answers each with exactly one line.
 *
 * N is the number of a handle, 0 to 199; "-" stands for a null pointer.
 *
 *   connect N HOST PORT SOCKET USER PASSWORD DATABASE    ok | error NUMBER SQLSTATE TEXT
 *   query N SQL                                          ok AFFECTED | rows A|B;C|D | error …
 *   ping N, select_db N NAME                             ok | error …
 *   character_set N NAME, server_option N NUMBER         ok | error …
 *   change_user N USER PASSWORD DATABASE                 ok | error …
 *   reset_connection N                                   ok | error …
 *   init N SQL                                           run by the library at each login of the next connect
 *   stream N SQL, fetch_row N                            row A|B | end | error … : rows read one by one
 *   free_result N                                        freed, after the stream's last row or before
 *   autocommit N 0, commit N, rollback N                 ok | error …
 *   prepare S SQL, execute S, …                          see statements.h
 *   keep N SQL, kill N ID, …                             see calls.h
 *   async N SQL, …                                       see asynchronous.h
 *   fd N, duplicate FD HOW, …                            see descriptors.h
 *   child MANNER COMMANDS, later N SQL, …                see children.h
 *   id N                                                 the server's id of the connection
 *   gone N                                               waits until the connection's other end has hung up
 *   read_timeout N SECONDS                               ok: set on the connected handle
 *   socket N                                             user timeout, keepalive, its idle time, interval and count
 *   copy N                                               moves the structure out and back, as DBD::mysql does
 *   close N                                              closed
 *   stack                                                the bytes of a small stack that were in use since the last time
 *   counters                                             those of the preloaded library, or none
 *
 * Builds against MariaDB's library, which defines LIBMARIADB, and against MySQL's.
 * CLIENT_NONBLOCK, if set, is the size in KiB of libmariadb's stack for asynchronous calls; 0: its own choice.
 * CLIENT_READ_TIMEOUT, if set, is the read timeout of every connect, in seconds.
 * CLIENT_STACK, if set, is the size in KiB of the stack of the one thread that does it all.
 * CLIENT_CA, if set, is the certificate authority of a TLS connection that verifies the server's name. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <mysql.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HANDLES 200
#define WORDS 6

static MYSQL handles[HANDLES];
static MYSQL_RES *streams[HANDLES];
static char *init_commands[HANDLES];

static void answer_error(MYSQL *mysql)
{
    printf("error %u %s %s\n", mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql));
}

static void answer(MYSQL *mysql, int failed)
{
    if (failed)
        answer_error(mysql);
    else
        printf("ok\n");
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
    const char *ca = getenv("CLIENT_CA");
    unsigned files_too = 1;
    for (int i = 0; i < WORDS; i++)
        words[i] = word(&rest);
    mysql_init(mysql);
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &files_too);
    if (init_commands[mysql - handles] != NULL)
        mysql_options(mysql, MYSQL_INIT_COMMAND, init_commands[mysql - handles]);
    free(init_commands[mysql - handles]);
    init_commands[mysql - handles] = NULL;
    if (getenv("CLIENT_READ_TIMEOUT") != NULL) {
        unsigned seconds = (unsigned)atoi(getenv("CLIENT_READ_TIMEOUT"));
        mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &seconds);
    }
    errno = 0;
#ifdef LIBMARIADB
    if (getenv("CLIENT_NONBLOCK") != NULL) {
        size_t stack = (size_t)atoi(getenv("CLIENT_NONBLOCK")) * 1024;
        mysql_options(mysql, MYSQL_OPT_NONBLOCK, stack > 0 ? &stack : NULL);
    }
    if (ca != NULL) {
        my_bool yes = 1;
        mysql_ssl_set(mysql, NULL, NULL, ca, NULL, NULL);
        mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
        mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    }
#else
    unsigned mode = ca ? SSL_MODE_VERIFY_IDENTITY : SSL_MODE_DISABLED;
    mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode);
    mysql_options(mysql, MYSQL_OPT_SSL_CA, ca);
#endif
    if (mysql_real_connect(mysql, words[0], words[3], words[4], words[5], words[1] ? (unsigned)atoi(words[1]) : 0,
                           words[2], 0) == mysql)
        printf("ok\n");
    else if (mysql_errno(mysql) < CR_MIN_ERROR)
        answer_error(mysql);
    else {
        /* Nobody there: errno says why, and some drivers look at it. */
        int why = errno;
        printf("error %u %s %s; %s\n", mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql),
               strerrorname_np(why));
    }
}

/* What else a text of several statements, or a CALL, has to say. */
static void read_further_results(MYSQL *mysql)
{
    while (mysql_more_results(mysql) && mysql_next_result(mysql) == 0) {
        MYSQL_RES *result = mysql_store_result(mysql);
        if (result != NULL)
            mysql_free_result(result);
    }
}

static void print_text_row(MYSQL_RES *result, MYSQL_ROW row)
{
    for (unsigned i = 0; i < mysql_num_fields(result); i++)
        printf("%s%s", i ? "|" : "", row[i] ? row[i] : "NULL");
}

static void print_stored(MYSQL *mysql, MYSQL_RES *result)
{
    MYSQL_ROW row;
    const char *between_rows = "";
    if (result == NULL) {
        if (mysql_field_count(mysql) != 0)
            answer_error(mysql);
        else
            printf("ok %lld\n", (long long)mysql_affected_rows(mysql));
        return;
    }
    printf("rows ");
    while ((row = mysql_fetch_row(result)) != NULL) {
        printf("%s", between_rows);
        print_text_row(result, row);
        between_rows = ";";
    }
    printf("\n");
    mysql_free_result(result);
}

/* The result that was just announced. */
static void print_result(MYSQL *mysql)
{
    print_stored(mysql, mysql_store_result(mysql));
}

static void query(MYSQL *mysql, const char *text)
{
    if (mysql_real_query(mysql, text, (unsigned long)strlen(text)) != 0) {
        answer_error(mysql);
        return;
    }
    print_result(mysql);
    read_further_results(mysql);
}

static void fetch_streamed(MYSQL *mysql)
{
    MYSQL_RES *result = streams[mysql - handles];
    MYSQL_ROW row = mysql_fetch_row(result);
    if (row != NULL) {
        printf("row ");
        print_text_row(result, row);
        printf("\n");
    } else if (mysql_errno(mysql) != 0)
        answer_error(mysql);
    else
        printf("end\n");
}

static void stream(MYSQL *mysql, const char *text)
{
    if (mysql_real_query(mysql, text, (unsigned long)strlen(text)) != 0
        || (streams[mysql - handles] = mysql_use_result(mysql)) == NULL)
        answer_error(mysql);
    else
        fetch_streamed(mysql);
}

static void change_user(MYSQL *mysql, char *rest)
{
    const char *user = word(&rest), *password = word(&rest), *database = word(&rest);
    answer(mysql, mysql_change_user(mysql, user, password, database));
}

#include "statements.h"
#include "calls.h"
#include "asynchronous.h"
#include "descriptors.h"
#include "stack.h"

static void wait_until_gone(MYSQL *mysql)
{
    struct pollfd other_end = {mysql->net.fd, POLLRDHUP, 0};
    printf(poll(&other_end, 1, 20000) == 1 ? "gone\n" : "still there\n");
}

#include "children.h"

static void print_socket(MYSQL *mysql)
{
    static const int options[][2] = {{IPPROTO_TCP, TCP_USER_TIMEOUT}, {SOL_SOCKET, SO_KEEPALIVE},
                                     {IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_TCP, TCP_KEEPINTVL},
                                     {IPPROTO_TCP, TCP_KEEPCNT}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        int value = -1;
        socklen_t length = sizeof value;
        getsockopt(mysql->net.fd, options[i][0], options[i][1], &value, &length);
        printf("%s%d", i ? " " : "", value);
    }
    printf("\n");
}

static void copy_out_and_back(MYSQL *mysql)
{
    MYSQL kept;
    memcpy(&kept, mysql, sizeof kept);
    memset(mysql, 0, sizeof *mysql);
    memcpy(mysql, &kept, sizeof kept);
    printf("copied\n");
}

static void print_counters(void)
{
    static const char *names[] = {"protected_connections", "suspects", "holds", "held_ms", "moves", "reruns", "replays",
                                  "victims", "surfaced", "failed_open"};
    unsigned long long counters[sizeof names / sizeof *names];
    int (*fill)(void *, size_t);
    *(void **)&fill = dlsym(RTLD_DEFAULT, "pointsman_read_counters");
    if (fill == NULL) {
        printf("none\n");
        return;
    }
    fill(counters, sizeof counters);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        printf("%s%s=%llu", i ? " " : "", names[i], counters[i]);
    printf("\n");
}

static void obey(char *line)
{
    const char *command = strsep(&line, " ");
    const char *number = strsep(&line, " ");
    MYSQL *mysql = &handles[number ? atoi(number) % HANDLES : 0];
    if (strcmp(command, "connect") == 0)
        open_connection(mysql, line);
    else if (strcmp(command, "query") == 0)
        query(mysql, line);
    else if (strcmp(command, "ping") == 0)
        answer(mysql, mysql_ping(mysql));
    else if (strcmp(command, "reset_connection") == 0)
        answer(mysql, mysql_reset_connection(mysql));
    else if (strcmp(command, "select_db") == 0)
        answer(mysql, mysql_select_db(mysql, line));
    else if (strcmp(command, "character_set") == 0)
        answer(mysql, mysql_set_character_set(mysql, line));
    else if (strcmp(command, "server_option") == 0)
        answer(mysql, mysql_set_server_option(mysql, (enum enum_mysql_set_option)atoi(line)));
    else if (strcmp(command, "change_user") == 0)
        change_user(mysql, line);
    else if (strcmp(command, "init") == 0) {
        init_commands[mysql - handles] = strdup(line);
        printf("ok\n");
    } else if (strcmp(command, "stream") == 0)
        stream(mysql, line);
    else if (strcmp(command, "fetch_row") == 0)
        fetch_streamed(mysql);
    else if (strcmp(command, "free_result") == 0) {
        mysql_free_result(streams[mysql - handles]);
        printf("freed\n");
    } else if (strcmp(command, "autocommit") == 0)
        answer(mysql, mysql_autocommit(mysql, atoi(line) != 0));
    else if (strcmp(command, "commit") == 0)
        answer(mysql, mysql_commit(mysql));
    else if (strcmp(command, "rollback") == 0)
        answer(mysql, mysql_rollback(mysql));
    else if (strcmp(command, "id") == 0)
        printf("%lu\n", mysql_thread_id(mysql));
    else if (strcmp(command, "gone") == 0)
        wait_until_gone(mysql);
    else if (strcmp(command, "socket") == 0)
        print_socket(mysql);
    else if (strcmp(command, "read_timeout") == 0) {
        unsigned seconds = (unsigned)atoi(line);
        answer(mysql, mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &seconds));
    } else if (strcmp(command, "stack") == 0)
        printf("%zu\n", stack_used());
    else if (strcmp(command, "copy") == 0)
        copy_out_and_back(mysql);
    else if (strcmp(command, "close") == 0) {
        mysql_close(mysql);
        printf("closed\n");
    } else if (strcmp(command, "counters") == 0)
        print_counters();
    else if (!obey_call(mysql, command, line) && !obey_asynchronously(mysql, command, line)
             && !obey_about_descriptors(mysql, command, number, line)
             && !obey_parent(mysql, command, number, line)
             && !obey_statement(handles, command, number, line))
        printf("unknown command %s\n", command);
}

static void *talk(void *unused)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    (void)unused;
    while ((length = getline(&line, &size, stdin)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        obey(line);
    }
    free(line);
    return NULL;
}

int main(void)
{
    const char *stack = getenv("CLIENT_STACK");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (stack != NULL)
        return in_a_small_thread(talk, (size_t)atoi(stack));
    talk(NULL);
    return 0;
}
