/* Opens and closes connections, from several threads at once.
 * Arguments: host port user password database threads. One answer a line:
 *
 *   connect N   "RESIDENT DESCRIPTORS": KiB of resident memory and open descriptors, after N connections were opened,
 *               used (a statement and a prepared one) and closed again; or what went wrong */
#define _GNU_SOURCE
#include <dirent.h>
#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char **words;
static atomic_int left, failed;

static int use(MYSQL *mysql)
{
    MYSQL_STMT *statement = mysql_stmt_init(mysql);
    MYSQL_RES *result;
    int bad = mysql_query(mysql, "SET @a = 1") != 0 || mysql_query(mysql, "SELECT @a") != 0
              || (result = mysql_store_result(mysql)) == NULL;
    if (!bad)
        mysql_free_result(result);
    bad |= mysql_stmt_prepare(statement, "DO ?", 4) != 0;
    mysql_stmt_close(statement);
    return bad;
}

static void *open_and_close(void *unused)
{
    (void)unused;
    mysql_thread_init();
    while (left-- > 0) {
        MYSQL *mysql = mysql_init(NULL);
#ifndef LIBMARIADB
        unsigned mode = SSL_MODE_DISABLED;
        mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode);
#endif
        if (mysql_real_connect(mysql, words[1], words[3], words[4], words[5], (unsigned)atoi(words[2]), NULL, 0) == NULL
            || use(mysql)) {
            fprintf(stderr, "%u %s\n", mysql_errno(mysql), mysql_error(mysql));
            failed++;
        }
        mysql_close(mysql);
    }
    mysql_thread_end();
    return NULL;
}

static int descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static long resident(void)
{
    char line[256];
    long kibibytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status) != NULL)
        sscanf(line, "VmRSS: %ld", &kibibytes);
    fclose(status);
    return kibibytes;
}

int main(int count, char **given)
{
    enum { MOST = 64 };
    pthread_t threads[MOST];
    char line[64];
    int number;
    if (count != 7 || (number = atoi(given[6])) > MOST || mysql_library_init(0, NULL, NULL) != 0)
        return 2;
    words = given;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin) != NULL) {
        left = atoi(line + strlen("connect "));
        for (int i = 0; i < number; i++)
            pthread_create(&threads[i], NULL, open_and_close, NULL);
        for (int i = 0; i < number; i++)
            pthread_join(threads[i], NULL);
        if (failed > 0)
            printf("%d failed\n", failed);
        else
            printf("%ld %d\n", resident(), descriptors());
    }
    return 3;
}
