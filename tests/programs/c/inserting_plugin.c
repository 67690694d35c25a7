/* A plug-in with its own client library linked into it: inserts a row for every line of its standard input.
 * Environment: PLUGIN_HOST, PLUGIN_USER, PLUGIN_PASSWORD, PLUGIN_DATABASE. */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef CLIENT_VERSION
/* Another version than that of the library that is linked in. */
unsigned long mysql_get_client_version(void)
{
    return CLIENT_VERSION;
}
#endif

void run_plugin(void)
{
    char line[64];
    MYSQL *mysql = mysql_init(NULL);
    if (mysql_real_connect(mysql, getenv("PLUGIN_HOST"), getenv("PLUGIN_USER"), getenv("PLUGIN_PASSWORD"),
                           getenv("PLUGIN_DATABASE"), 3306, NULL, 0) == NULL) {
        printf("%u %s\n", mysql_errno(mysql), mysql_error(mysql));
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        int failed = mysql_query(mysql, "INSERT INTO orders (worker, seq) VALUES (-4, 0)");
        printf("inserted %d: %u\n", !failed, mysql_errno(mysql));
        fflush(stdout);
    }
    mysql_close(mysql);
}
