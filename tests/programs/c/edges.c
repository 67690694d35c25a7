/* Calls at the edge of what the manual allows. Arguments: what host port user password database.
 * "lengths": statements of length 0 and -1, which libmariadb measures itself.
 * "cancel": a thread is cancelled while its statement waits; the program goes on. */
#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MYSQL *mysql;

static void *insert(void *unused)
{
    (void)unused;
    mysql_query(mysql, "INSERT INTO orders (worker, seq) VALUES (-6, 0)");
    return NULL;
}

int main(int count, char **words)
{
    char line[8];
    if (count != 7)
        return 2;
    mysql = mysql_init(NULL);
    if (mysql_real_connect(mysql, words[2], words[4], words[5], words[6], (unsigned)atoi(words[3]), NULL, 0) == NULL) {
        fprintf(stderr, "%s\n", mysql_error(mysql));
        return 2;
    }
    if (strcmp(words[1], "lengths") == 0) {
        const char *text = "INSERT INTO orders (worker, seq) VALUES (-5, 0)";
        printf("-1: %d\n", mysql_real_query(mysql, text, (unsigned long)-1));
        printf("0: %d\n", mysql_real_query(mysql, text, 0));
    } else {
        pthread_t thread;
        void *result;
        printf("ready\n");
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) == NULL)
            return 2;
        pthread_create(&thread, NULL, insert, NULL);
        if (fgets(line, sizeof line, stdin) == NULL)
            return 2;
        pthread_cancel(thread);
        pthread_join(thread, &result);
        printf("joined\n");
        return 3;
    }
    mysql_close(mysql);
    return 3;
}
