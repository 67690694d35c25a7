/* Threads that write over a connection each and fork all the while, until the standard input ends.
 * Arguments: host port user password database seed.
 *
 * A child ends at once, execs, writes over a connection of its own (some in a grandchild, some in a thread), closes the
 * connection that it inherited, or even uses it, which does no harm only as long as its parent waits.
 *
 * Writes "problem …" for whatever should not be, and at the end
 * "done forks F written W own O" (rows by the threads, rows by the children). */
#define _GNU_SOURCE
#include <errno.h>
#include <mysql.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define UNWAITED 6
#define ROWS 3
/* A child that lives longer hangs. */
#define PATIENCE 40

extern char **environ;

enum deed { ENDS, EXECS, VFORKS, SPAWNS, OWN, OWN_IN_GRANDCHILD, OWN_IN_THREAD, USES, CLOSES, DEEDS };

static const char *names[DEEDS] = {"ends", "execs", "vforks", "spawns", "own", "own in grandchild", "own in thread",
                                   "uses", "closes"};

static char **words;
static atomic_int stop;
static atomic_long forks, written, own;

struct child {
    pid_t pid;
    enum deed deed;
};

struct storm {
    pthread_t thread;
    int number;
    unsigned seed;
    long rows;
    long own_rows;
    MYSQL mysql;
    struct child unwaited[UNWAITED];
};

static int open_connection(MYSQL *mysql)
{
    mysql_init(mysql);
    return mysql_real_connect(mysql, words[1], words[3], words[4], words[5], (unsigned)atoi(words[2]), NULL, 0) == mysql;
}

static int insert(MYSQL *mysql, int worker, long seq)
{
    char text[128];
    snprintf(text, sizeof text, "INSERT INTO orders (worker, seq) VALUES (%d, %ld)", worker, seq);
    return mysql_query(mysql, text) == 0 && mysql_affected_rows(mysql) == 1;
}

/* Not with stdio: somebody else may have held its lock when this process was forked. */
static void problem_of_child(const char *what, MYSQL *mysql)
{
    dprintf(STDOUT_FILENO, "problem in child %d: %s: %u %s\n", (int)getpid(), what, mysql_errno(mysql), mysql_error(mysql));
}

struct life {
    int worker;
    long first;
};

static void *live(void *argument)
{
    struct life *life = argument;
    MYSQL mysql;
    if (!open_connection(&mysql)) {
        problem_of_child("connect", &mysql);
        return "failed";
    }
    for (long row = 0; row < ROWS; row++)
        if (!insert(&mysql, life->worker, life->first + row)) {
            problem_of_child("insert", &mysql);
            return "failed";
        }
    mysql_close(&mysql);
    return NULL;
}

static int ended_well(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR)
            return 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int use(MYSQL *mysql)
{
    MYSQL_RES *result = mysql_query(mysql, "SELECT 1") == 0 ? mysql_store_result(mysql) : NULL;
    if (result == NULL)
        problem_of_child("the inherited connection", mysql);
    else
        mysql_free_result(result);
    return result == NULL;
}

static int do_as_a_child(struct storm *storm, enum deed deed)
{
    struct life life = {100 + storm->number, storm->own_rows};
    char *arguments[] = {"true", NULL};
    pthread_t thread;
    void *failed = "failed";
    pid_t pid;
    alarm(PATIENCE);
    switch (deed) {
    case EXECS:
        execv("/bin/true", arguments);
        return 1;
    case OWN:
        return live(&life) != NULL;
    case OWN_IN_GRANDCHILD:
        pid = fork();
        if (pid == 0) {
            alarm(PATIENCE);
            _exit(live(&life) != NULL);
        }
        return !ended_well(pid);
    case OWN_IN_THREAD:
        if (pthread_create(&thread, NULL, live, &life) == 0)
            pthread_join(thread, &failed);
        return failed != NULL;
    case USES:
        return use(&storm->mysql);
    case CLOSES:
        mysql_close(&storm->mysql);
        return 0;
    default:
        return 0;
    }
}

static pid_t start(struct storm *storm, enum deed deed)
{
    char *arguments[] = {"true", NULL};
    pid_t pid;
    if (deed == SPAWNS)
        return posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ) == 0 ? pid : -1;
    if (deed == VFORKS) {
        pid = vfork();
        if (pid == 0) {
            execv("/bin/true", arguments);
            _exit(1);
        }
        return pid;
    }
    pid = fork();
    if (pid == 0)
        _exit(do_as_a_child(storm, deed));
    return pid;
}

static void wait_for(struct child *child)
{
    int status;
    if (child->pid == 0)
        return;
    if (waitpid(child->pid, &status, 0) != child->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        printf("problem: child %d, which %s, ended with %#x\n", (int)child->pid, names[child->deed], status);
    else if (child->deed >= OWN && child->deed <= OWN_IN_THREAD)
        own += ROWS;
    child->pid = 0;
}

static void *rage(void *argument)
{
    struct storm *storm = argument;
    long number = 0;
    while (!stop) {
        struct child *child = &storm->unwaited[number++ % UNWAITED];
        if (!insert(&storm->mysql, storm->number, storm->rows++)) {
            printf("problem: thread %d: %u %s\n", storm->number, mysql_errno(&storm->mysql), mysql_error(&storm->mysql));
            break;
        }
        written++;
        wait_for(child);
        child->deed = (enum deed)(rand_r(&storm->seed) % DEEDS);
        child->pid = start(storm, child->deed);
        if (child->pid < 0) {
            printf("problem: no child: %s\n", strerror(errno));
            break;
        }
        forks++;
        storm->own_rows += ROWS;
        if (child->deed == USES)
            wait_for(child);
    }
    for (int i = 0; i < UNWAITED; i++)
        wait_for(&storm->unwaited[i]);
    mysql_close(&storm->mysql);
    return NULL;
}

int main(int count, char **arguments)
{
    static struct storm storms[THREADS];
    char nothing;
    if (count != 7)
        return 2;
    words = arguments;
    setvbuf(stdout, NULL, _IOLBF, 0);
    mysql_library_init(0, NULL, NULL);
    for (int i = 0; i < THREADS; i++) {
        storms[i].number = i;
        storms[i].seed = (unsigned)strtoul(words[6], NULL, 16) + (unsigned)i;
        if (!open_connection(&storms[i].mysql))
            return 3;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_create(&storms[i].thread, NULL, rage, &storms[i]);
    printf("raging\n");
    while (read(STDIN_FILENO, &nothing, 1) > 0)
        ;
    stop = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(storms[i].thread, NULL);
    printf("done forks %ld written %ld own %ld\n", forks, written, own);
    return 0;
}
