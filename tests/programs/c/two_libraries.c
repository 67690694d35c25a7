/* Two client libraries in one process: libmariadb, linked, and another one behind a plug-in, loaded with
 * dlopen(RTLD_LOCAL) in the middle of the work with the first.
 * Arguments: plug-in host port user password database. */
#include <dlfcn.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>

static void insert(MYSQL *mysql)
{
    int failed = mysql_query(mysql, "INSERT INTO orders (worker, seq) VALUES (-2, 0)");
    printf("libmariadb: %d %u, %d rows\n", failed, mysql_errno(mysql), (int)mysql_affected_rows(mysql));
    fflush(stdout);
}

int main(int count, char **words)
{
    MYSQL *mysql = mysql_init(NULL);
    void *plugin;
    void (*run)(void);
    if (count != 7)
        return 2;
    if (mysql_real_connect(mysql, words[2], words[4], words[5], words[6], (unsigned)atoi(words[3]), NULL, 0) == NULL) {
        fprintf(stderr, "%s\n", mysql_error(mysql));
        return 2;
    }
    insert(mysql);
    plugin = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
    if (plugin == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    *(void **)&run = dlsym(plugin, "run_plugin");
    run();
    insert(mysql);
    run();
    mysql_close(mysql);
    return 3;
}
