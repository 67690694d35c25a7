/* A parent with a connection and a child that does one thing; then the parent goes on.
 * Arguments: host port user password database what-the-child-does (close, own, exit). */
#define _GNU_SOURCE
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char **words;

static MYSQL *open_one(void)
{
    MYSQL *mysql = mysql_init(NULL);
    return mysql_real_connect(mysql, words[1], words[3], words[4], words[5], (unsigned)atoi(words[2]), NULL, 0);
}

static void insert(const char *who, MYSQL *mysql)
{
    char text[100];
    snprintf(text, sizeof text, "INSERT INTO orders (worker, seq, note) VALUES (-1, 0, '%s')", who);
    if (mysql_query(mysql, text) == 0)
        printf("%s: inserted %d\n", who, (int)mysql_affected_rows(mysql));
    else
        printf("%s: %u %s\n", who, mysql_errno(mysql), mysql_sqlstate(mysql));
    fflush(stdout);
}

static int child(MYSQL *inherited, const char *does)
{
    if (strcmp(does, "close") == 0) {
        mysql_close(inherited);
        printf("child: closed\n");
        fflush(stdout);
    } else if (strcmp(does, "own") == 0) {
        MYSQL *mysql = open_one();
        for (int i = 0; i < 3; i++)
            insert("child", mysql);
        mysql_close(mysql);
    }
    return 6;
}

int main(int count, char **arguments)
{
    MYSQL *mysql;
    unsigned long id;
    pid_t pid;
    int status;
    if (count != 7)
        return 2;
    words = arguments;
    mysql = open_one();
    id = mysql_thread_id(mysql);
    insert("parent", mysql);
    pid = fork();
    if (pid == 0)
        _exit(child(mysql, words[6]));
    if (strcmp(words[6], "own") == 0)
        insert("parent", mysql);
    waitpid(pid, &status, 0);
    printf("child ended with %d\n", WEXITSTATUS(status));
    insert("parent", mysql);
    insert("parent", mysql);
    printf("%s connection\n", mysql_thread_id(mysql) == id ? "same" : "another");
    mysql_close(mysql);
    return 4;
}
