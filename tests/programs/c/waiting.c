/* How does libmariadb wait for an answer: waiting HOST PORT USER PASSWORD DATABASE [timeout|callback|nonblocking]
   Prints the system call in which the thread sleeps that has sent a statement. */
#define _GNU_SOURCE
#include <mysql.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t waiter;
static volatile int sent;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static int callback(my_socket socket, my_bool read, int timeout) {
    static int asked;
    if (sent && !asked++)
        puts("callback");
    struct pollfd wanted = {socket, read ? POLLIN : POLLOUT, 0};
    return poll(&wanted, 1, timeout);
}

static void run(MYSQL *mysql, const char *text) {
    if (mysql_query(mysql, text))
        fail(text, mysql_error(mysql));
    MYSQL_RES *result = mysql_store_result(mysql);
    if (result)
        mysql_free_result(result);
}

/* A thread that runs has no number in there. */
static long sleeps_in(void) {
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", waiter);
    FILE *file = fopen(path, "r");
    if (!file)
        fail(path, "cannot be read");
    if (!fgets(line, sizeof line, file))
        line[0] = 0;
    fclose(file);
    char *end;
    long number = strtol(line, &end, 10);
    return end == line ? -1 : number;
}

static void *watches(void *holder) {
    for (;;) {
        long number = sent ? sleeps_in() : -1;
#ifdef SYS_poll
        if (number == SYS_poll)
            number = SYS_ppoll;
#endif
        if (number == SYS_ppoll || number == SYS_recvfrom) {
            puts(number == SYS_ppoll ? "poll" : "recv");
            run(holder, "DO RELEASE_LOCK('waiting')");
            return NULL;
        }
        sched_yield();
    }
}

static MYSQL *connected(char **arguments, const char *how) {
    MYSQL *mysql = mysql_init(NULL);
    unsigned seconds = 60;
    if (!strcmp(how, "timeout"))
        mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &seconds);
    if (!strcmp(how, "callback"))
        mysql_options(mysql, MARIADB_OPT_IO_WAIT, callback);
    if (!strcmp(how, "nonblocking"))
        mysql_options(mysql, MYSQL_OPT_NONBLOCK, 0);
    if (!mysql_real_connect(mysql, arguments[1], arguments[3], arguments[4], arguments[5], atoi(arguments[2]), NULL, 0))
        fail("connect", mysql_error(mysql));
    return mysql;
}

int main(int count, char **arguments) {
    if (count < 6)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    MYSQL *holder = connected(arguments, ""), *mysql = connected(arguments, count > 6 ? arguments[6] : "");
    run(holder, "DO GET_LOCK('waiting', 60)");
    waiter = gettid();
    pthread_t watcher;
    if (pthread_create(&watcher, NULL, watches, holder))
        fail("thread", "cannot be started");
    sent = 1;
    run(mysql, "DO GET_LOCK('waiting', 60)");
    pthread_join(watcher, NULL);
    mysql_close(mysql);
    mysql_close(holder);
    return 0;
}
