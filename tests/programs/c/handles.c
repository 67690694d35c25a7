/* Every way in which applications own a MYSQL structure, and calls in orders that no manual recommends.
 * Arguments: host port user password database. Connection ids are printed only as "same" or "another". */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *host, *user, *password, *database;
static unsigned port;

struct object {
    int before;
    MYSQL mysql;
    int after;
};

static MYSQL *open_on(MYSQL *mysql)
{
    return mysql_real_connect(mysql, host, user, password, database, port, NULL, 0);
}

static void use(const char *what, MYSQL *mysql)
{
    MYSQL_RES *result = NULL;
    MYSQL_ROW row;
    int failed = mysql_query(mysql, "SELECT 6 * 7");
    if (!failed)
        result = mysql_store_result(mysql);
    row = result ? mysql_fetch_row(result) : NULL;
    printf("%s: %s, %u %s %s\n", what, row ? row[0] : "nothing", mysql_errno(mysql), mysql_sqlstate(mysql),
           mysql_error(mysql));
    mysql_free_result(result);
}

static void on_heap(void)
{
    MYSQL *mysql = mysql_init(NULL);
    printf("connects to itself: %d\n", open_on(mysql) == mysql);
    use("heap", mysql);
    mysql_close(mysql);
}

static void on_stack(void)
{
    MYSQL mysql;
    mysql_init(&mysql);
    printf("connects to itself: %d\n", open_on(&mysql) == &mysql);
    use("stack", &mysql);
    mysql_close(&mysql);
}

static void embedded(void)
{
    struct object *object = malloc(sizeof *object);
    object->before = 11;
    object->after = 12;
    mysql_init(&object->mysql);
    open_on(&object->mysql);
    use("embedded", &object->mysql);
    printf("neighbours %d %d\n", object->before, object->after);
    mysql_close(&object->mysql);
    free(object);
}

static void closed_before_connect(void)
{
    MYSQL mysql;
    mysql_close(mysql_init(NULL));
    mysql_init(&mysql);
    mysql_close(&mysql);
    mysql_close(NULL);
    mysql_init(&mysql);
    use("never connected", &mysql);
    mysql_close(&mysql);
}

static void connected_twice(void)
{
    MYSQL *mysql = mysql_init(NULL);
    unsigned long id;
    open_on(mysql);
    id = mysql_thread_id(mysql);
    printf("second connect: %s\n", open_on(mysql) ? "made" : mysql_error(mysql));
    use("connected twice", mysql);
    printf("%s connection\n", mysql_thread_id(mysql) == id ? "same" : "another");
    mysql_close(mysql);
}

static void failed_then_connected(void)
{
    MYSQL *mysql = mysql_init(NULL);
    MYSQL *made = mysql_real_connect(mysql, host, user, "wrong", database, port, NULL, 0);
    printf("wrong password: %d %u %s\n", made == NULL, mysql_errno(mysql), mysql_sqlstate(mysql));
    printf("right password: %d\n", open_on(mysql) == mysql);
    use("second attempt", mysql);
    mysql_close(mysql);
}

static void closed_and_used_again(void)
{
    MYSQL mysql;
    for (int round = 0; round < 3; round++) {
        mysql_init(&mysql);
        open_on(&mysql);
        use("reused structure", &mysql);
        mysql_close(&mysql);
    }
}

/* What DBD::mysql does to reconnect by itself: the structure moves to another place and back. */
static void copied_out_and_back(void)
{
    MYSQL mysql, kept;
    mysql_init(&mysql);
    open_on(&mysql);
    memcpy(&kept, &mysql, sizeof kept);
    memset(&mysql, 0, sizeof mysql);
    mysql_init(&mysql);
    open_on(&mysql);
    use("the new one", &mysql);
    mysql_close(&mysql);
    memcpy(&mysql, &kept, sizeof mysql);
    use("the old one, back", &mysql);
    mysql_close(&mysql);
}

static void left_open(void)
{
    use("left open", open_on(mysql_init(NULL)));
}

int main(int count, char **words)
{
    if (count != 6)
        return 2;
    /* What was said before a crash is not lost with it. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    host = words[1];
    port = (unsigned)atoi(words[2]);
    user = words[3];
    password = words[4];
    database = words[5];
    on_heap();
    on_stack();
    embedded();
    closed_before_connect();
    connected_twice();
    failed_then_connected();
    closed_and_used_again();
    copied_out_and_back();
    left_open();
    return 5;
}
