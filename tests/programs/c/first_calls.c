/* A thread makes this process's first call of its client library, while the main thread forks, again and again; each
 * child makes a call too. Ends with the number of children that hang, which nobody else's locks could make them. */
#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 30
/* A child that lives longer hangs. */
#define PATIENCE 5

static MYSQL handle, other;
static pthread_barrier_t together;

static void *call(void *unused)
{
    pthread_barrier_wait(&together);
    mysql_ping(&handle);
    mysql_select_db(&handle, "shop");
    mysql_stat(&handle);
    return unused;
}

int main(void)
{
    pid_t children[CHILDREN];
    pthread_t thread;
    int hung = 0;
    mysql_library_init(0, NULL, NULL);
    mysql_init(&handle);
    mysql_init(&other);
    pthread_barrier_init(&together, NULL, 2);
    pthread_create(&thread, NULL, call, NULL);
    pthread_barrier_wait(&together);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            alarm(PATIENCE);
            mysql_ping(&other);
            mysql_dump_debug_info(&other);
            _exit(0);
        }
    }
    pthread_join(thread, NULL);
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        waitpid(children[i], &status, 0);
        hung += status != 0;
    }
    return hung;
}
