/* A plug-in that is linked with unknown_library.c and uses its client library as the manual says. Environment: PLUGIN_HOST,
 * PLUGIN_USER, PLUGIN_PASSWORD, PLUGIN_DATABASE. */
#include <stdio.h>
#include <stdlib.h>

void *mysql_init(void *);
void *mysql_real_connect(void *, const char *, const char *, const char *, const char *, unsigned, const char *,
                         unsigned long);
int mysql_query(void *, const char *);
int mysql_ping(void *);
void mysql_close(void *);
unsigned long mysql_get_client_version(void);

void run_plugin(void)
{
    void *mysql = mysql_init(NULL);
    void *connected = mysql_real_connect(mysql, getenv("PLUGIN_HOST"), getenv("PLUGIN_USER"), getenv("PLUGIN_PASSWORD"),
                                         getenv("PLUGIN_DATABASE"), 3306, NULL, 0);
    printf("plug-in: version %lu, connected %d\n", mysql_get_client_version(), connected == mysql);
    if (connected != NULL) {
        printf("plug-in: query %d, ping %d\n", mysql_query(mysql, "INSERT INTO orders (worker, seq) VALUES (-3, 0)"),
               mysql_ping(mysql));
    }
    mysql_close(mysql);
    fflush(stdout);
}
