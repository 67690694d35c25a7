/* Says whether its connection survives that its server ends it while it is idle: "protected" or "lost". A
 * program of its own (-DMAIN), or a plug-in with run_plugin(), with the client library that it is linked with. With the
 * argument "late" it does all that while it ends.
 * Environment: PLUGIN_HOST, PLUGIN_USER, PLUGIN_PASSWORD, PLUGIN_DATABASE. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errmsg.h>
#include <mysql.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static MYSQL *connected(void)
{
    MYSQL *mysql = mysql_init(NULL);
#ifndef LIBMARIADB
    unsigned mode = SSL_MODE_DISABLED;
    mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode);
#endif
    if (mysql_real_connect(mysql, getenv("PLUGIN_HOST"), getenv("PLUGIN_USER"), getenv("PLUGIN_PASSWORD"),
                           getenv("PLUGIN_DATABASE"), 3306, NULL, 0) == NULL)
        printf("connect: %u %s\n", mysql_errno(mysql), mysql_error(mysql));
    return mysql;
}

static void end_connection(MYSQL *mysql)
{
    char text[64];
    MYSQL *other = connected();
    struct pollfd gone = {mysql->net.fd, POLLRDHUP, 0};
    snprintf(text, sizeof text, "KILL %lu", mysql_thread_id(mysql));
    if (mysql_query(other, text) != 0)
        printf("kill: %s\n", mysql_error(other));
    mysql_close(other);
    poll(&gone, 1, 20000);
}

void run_plugin(void)
{
    MYSQL *mysql = connected();
    end_connection(mysql);
    if (mysql_query(mysql, "DO 1") == 0)
        printf("protected\n");
    else if (mysql_errno(mysql) == CR_SERVER_GONE_ERROR || mysql_errno(mysql) == CR_SERVER_LOST)
        printf("lost\n");
    else
        printf("error %u\n", mysql_errno(mysql));
    mysql_close(mysql);
    fflush(stdout);
}

/* Before main of whoever is linked with it, and after. */
#ifdef EARLY_AND_LATE
__attribute__((constructor)) static void early(void)
{
    printf("early: ");
    run_plugin();
}

__attribute__((destructor)) static void late(void)
{
    printf("late: ");
    run_plugin();
}
#endif

/* A program with its own idea of what libc is. */
#ifdef WRAPPED
int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    printf("connect ");
#ifdef RAW
    return (int)syscall(SYS_connect, fd, address, length);
#else
    int (*next)(int, const struct sockaddr *, socklen_t);
    *(void **)&next = dlsym(RTLD_NEXT, "connect");
    return next(fd, address, length);
#endif
}

int close(int fd)
{
#ifdef RAW
    return (int)syscall(SYS_close, fd);
#else
    int (*next)(int);
    *(void **)&next = dlsym(RTLD_NEXT, "close");
    return next(fd);
#endif
}
#endif

#ifdef MAIN
/* What C++ makes of a static object that is left to be destroyed (Itanium C++ ABI, 3.3.6.3). */
int __cxa_atexit(void (*)(void *), void *, void *);
extern void *__dso_handle;

static void at_the_end(void *object)
{
    printf("%s: ", (const char *)object);
    run_plugin();
}

static void at_exit(void)
{
    at_the_end("atexit");
}

int main(int count, char **words)
{
    printf("secure: %lu\n", getauxval(AT_SECURE));
    if (count == 2 && strcmp(words[1], "late") == 0) {
        __cxa_atexit(at_the_end, "static object", __dso_handle);
        atexit(at_exit);
        return 4;
    }
    run_plugin();
    return 3;
}
#endif
