/* An application whose signal handlers are busy with sockets of their own, all the time.
 * Arguments: host address port user password database flag; with the flag "restart" interrupted system calls are started
 * again (SA_RESTART), else not. `address` is the same server, which the library leaves alone. One answer a line:
 *
 *   storm N     N statements, each on a connection that was ended before; every tenth round also a fresh connection and a
 *               prepared statement: "stormed" | what went wrong
 *   query SQL   ok | error NUMBER
 *   told        how many SIGTERM came
 *   blocked     the numbers of the signals that it blocks, or "none"
 *   handled     whether handlers ran, and how many of their sockets were not as they had left them */
#define _GNU_SOURCE
#include <errno.h>
#include <mysql.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { FAR = 3000 };

static char **words;
static MYSQL *mysql, *administrator;
static int listener;
static struct sockaddr_in here;
static volatile sig_atomic_t handled, touched, noted, told;

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    getsockopt(fd, level, name, &value, &length);
    return value;
}

static void use_sockets(int signal)
{
    int kept = errno;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct linger at_once = {1, 0};
    (void)signal;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    connect(fd, (struct sockaddr *)&here, sizeof here);
    if (option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0 || option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) != 0)
        touched++;
    dup2(fd, FAR);
    close(dup(fd));
    close(fcntl(fd, F_DUPFD, 4));
    close(FAR);
    close(fd);
    close(-1);
    handled++;
    errno = kept;
}

static void note(int signal)
{
    (void)signal;
    noted++;
}

static void be_told(int signal)
{
    (void)signal;
    told++;
}

static void say_what_is_blocked(void)
{
    sigset_t mask;
    int any = 0;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int signal = 1; signal < 65; signal++)
        if (sigismember(&mask, signal) == 1)
            any += printf("%d ", signal);
    printf(any ? "\n" : "none\n");
}

static MYSQL *open_on(const char *host)
{
    MYSQL *made = mysql_init(NULL);
#ifndef LIBMARIADB
    unsigned mode = SSL_MODE_DISABLED;
    mysql_options(made, MYSQL_OPT_SSL_MODE, &mode);
#endif
    if (mysql_real_connect(made, host, words[4], words[5], words[6], (unsigned)atoi(words[3]), NULL, 0) == NULL) {
        printf("cannot connect: %u %s\n", mysql_errno(made), mysql_error(made));
        exit(2);
    }
    return made;
}

static void every(int which, int microseconds)
{
    struct itimerval time = {{0, microseconds}, {0, microseconds}};
    setitimer(which, &time, NULL);
}

/* To this very thread, as some profilers do, whatever it does. */
static void every_to_this_thread(int signal, long nanoseconds)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal};
    struct itimerspec time = {{0, nanoseconds}, {0, nanoseconds}};
    timer_t timer;
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &time, NULL);
}

static const char *row(MYSQL *on, const char *text)
{
    static char kept[64];
    MYSQL_RES *result;
    MYSQL_ROW found;
    if (mysql_query(on, text) != 0 || (result = mysql_store_result(on)) == NULL) {
        snprintf(kept, sizeof kept, "error %u", mysql_errno(on));
        return kept;
    }
    found = mysql_fetch_row(result);
    snprintf(kept, sizeof kept, "%s", found ? found[0] : "none");
    mysql_free_result(result);
    return kept;
}

static int prepared(MYSQL *on)
{
    MYSQL_STMT *statement = mysql_stmt_init(on);
    int failed = mysql_stmt_prepare(statement, "DO 1", 4) != 0 || mysql_stmt_execute(statement) != 0;
    mysql_stmt_close(statement);
    return failed;
}

static void storm(int rounds)
{
    char text[64], expected[16];
    for (int round = 0; round < rounds; round++) {
        const char *found;
        int fd;
        snprintf(text, sizeof text, "KILL %lu", mysql_thread_id(mysql));
        if (mysql_query(administrator, text) != 0) {
            printf("%d: the administrator has error %u\n", round, mysql_errno(administrator));
            return;
        }
        snprintf(text, sizeof text, "SELECT %d", round);
        snprintf(expected, sizeof expected, "%d", round);
        found = row(mysql, text);
        /* A kill is not over when it is acknowledged: a statement may have been under way. */
        if (strcmp(found, "error 2013") == 0)
            found = row(mysql, text);
        if (strcmp(found, expected) != 0) {
            printf("%d: %s\n", round, found);
            return;
        }
        if (round % 10 == 0) {
            MYSQL *fresh = open_on(words[1]);
            if (prepared(fresh) || prepared(mysql)) {
                printf("%d: a prepared statement failed\n", round);
                return;
            }
            mysql_close(fresh);
        }
        while ((fd = accept(listener, NULL, NULL)) >= 0)
            close(fd);
    }
    printf("stormed\n");
}

int main(int count, char **given)
{
    struct sigaction action = {.sa_handler = use_sockets}, other = {.sa_handler = note}, end = {.sa_handler = be_told};
    static char stack[16384];
    stack_t aside = {.ss_sp = stack, .ss_size = sizeof stack};
    socklen_t length = sizeof here;
    char line[256];
    if (count != 8)
        return 2;
    words = given;
    setvbuf(stdout, NULL, _IOLBF, 0);
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    bind(listener, (struct sockaddr *)&here, sizeof here);
    listen(listener, 1024);
    getsockname(listener, (struct sockaddr *)&here, &length);
    /* As the JVM and Ruby have it: handlers run on a small stack of their own. */
    sigaltstack(&aside, NULL);
    action.sa_flags = other.sa_flags = end.sa_flags = SA_ONSTACK | (strcmp(words[7], "restart") == 0 ? SA_RESTART : 0);
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGUSR2, &other, NULL);
    sigaction(SIGPROF, &other, NULL);
    sigaction(SIGVTALRM, &other, NULL);
    sigaction(SIGCHLD, &other, NULL);
    sigaction(SIGWINCH, &other, NULL);
    sigaction(SIGTERM, &end, NULL);
    administrator = open_on(words[2]);
    every(ITIMER_REAL, 3000);
    every(ITIMER_PROF, 1000);
    every(ITIMER_VIRTUAL, 1000);
    every_to_this_thread(SIGUSR2, 5000000);
    mysql = open_on(words[1]);
    for (;;) {
        if (fgets(line, sizeof line, stdin) == NULL) {
            if (!ferror(stdin) || errno != EINTR)
                break;
            clearerr(stdin);
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "storm ", 6) == 0)
            storm(atoi(line + 6));
        else if (strncmp(line, "query ", 6) == 0) {
            if (mysql_query(mysql, line + 6) != 0)
                printf("error %u\n", mysql_errno(mysql));
            else
                printf("ok\n");
        } else if (strcmp(line, "told") == 0)
            printf("%d\n", (int)told);
        else if (strcmp(line, "blocked") == 0)
            say_what_is_blocked();
        else
            printf("%s, touched %d\n", handled > 0 && noted > 0 ? "handled" : "not handled", (int)touched);
    }
    mysql_close(mysql);
    mysql_close(administrator);
    return 3;
}
