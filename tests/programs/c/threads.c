/* Threads that are cancelled (pthread_cancel) in the middle of their statements.
 * Arguments: host port user password database. One answer a line:
 *
 *   begin SQL   begun: a thread with a cleanup handler runs the statement on a connection of its own, again and again
 *   ran N       once the threads have run N statements more
 *   cancel      how the thread that was begun last has ended, once it is joined, and how often a cleanup handler ran
 *   close       closed: the connection that it left
 *   query SQL   ok | error NUMBER, on the main thread's connection */
#define _GNU_SOURCE
#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char **words;
static char statement[256];
static MYSQL *mysql, *theirs;
static pthread_t thread;
static atomic_int ran, cleaned;

static MYSQL *open_one(void)
{
    MYSQL *made = mysql_init(NULL);
#ifndef LIBMARIADB
    unsigned mode = SSL_MODE_DISABLED;
    mysql_options(made, MYSQL_OPT_SSL_MODE, &mode);
#endif
    if (mysql_real_connect(made, words[1], words[3], words[4], words[5], (unsigned)atoi(words[2]), NULL, 0) == NULL) {
        fprintf(stderr, "%s\n", mysql_error(made));
        exit(2);
    }
    return made;
}

static int run(MYSQL *on, const char *text)
{
    int failed = mysql_query(on, text);
    MYSQL_RES *result = failed ? NULL : mysql_store_result(on);
    if (result != NULL)
        mysql_free_result(result);
    return failed;
}

static void clean(void *unused)
{
    (void)unused;
    cleaned++;
}

static void *again_and_again(void *unused)
{
    (void)unused;
    pthread_cleanup_push(clean, NULL);
    for (;;) {
        if (run(theirs, statement) == 0)
            ran++;
        pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return NULL;
}

int main(int count, char **given)
{
    char line[256];
    if (count != 6)
        return 2;
    words = given;
    setvbuf(stdout, NULL, _IOLBF, 0);
    mysql = open_one();
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "begin ", 6) == 0) {
            strcpy(statement, line + 6);
            theirs = open_one();
            pthread_create(&thread, NULL, again_and_again, NULL);
            printf("begun\n");
        } else if (strncmp(line, "ran ", 4) == 0) {
            for (int until = ran + atoi(line + 4); ran < until;)
                usleep(1000);
            printf("ran\n");
        } else if (strcmp(line, "cancel") == 0) {
            void *result = NULL;
            pthread_cancel(thread);
            pthread_join(thread, &result);
            printf("%s, %d\n", result == PTHREAD_CANCELED ? "cancelled" : "returned", cleaned);
        } else if (strcmp(line, "close") == 0) {
            mysql_close(theirs);
            printf("closed\n");
        } else if (run(mysql, line + 6) != 0)
            printf("error %u\n", mysql_errno(mysql));
        else
            printf("ok\n");
    }
    mysql_close(mysql);
    return 3;
}
