/* When the preloaded library wakes up: one thing of the application's, then what it has cost so far.
 * Arguments: what host port user password database. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <mysql.h>
#include <netinet/in.h>
#include "../../../include/pointsman.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 16

static char **words;
static int early_connect = -2;
static pthread_barrier_t start;

/* Only the awake library has loaded the unwinder; nothing else here needs it. */
static const char *state(void)
{
    return dlopen("libgcc_s.so.1", RTLD_LAZY | RTLD_NOLOAD) == NULL ? "asleep" : "awake";
}

/* Its connections that are protected. */
static int protected(void)
{
    struct pointsman_counters counters = {0};
    int (*read_counters)(struct pointsman_counters *, size_t) = dlsym(RTLD_DEFAULT, "pointsman_read_counters");
    if (read_counters == NULL || read_counters(&counters, sizeof counters) != 0)
        return -1;
    return (int)counters.protected_connections;
}

static int connect_to_nobody(void)
{
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int result = connect(fd, (struct sockaddr *)&nobody, sizeof nobody);
    close(fd);
    return result;
}

/* Runs before the constructor of any library. */
static void before_everything(int count, char **arguments, char **environment)
{
    (void)count, (void)arguments, (void)environment;
    early_connect = connect_to_nobody();
}
__attribute__((section(".preinit_array"), used)) static void (*const first)(int, char **, char **) = before_everything;

static int ask(void)
{
    MYSQL *mysql = mysql_init(NULL);
    if (mysql_real_connect(mysql, words[2], words[4], words[5], words[6], (unsigned)atoi(words[3]), NULL, 0) == NULL) {
        printf("%u %s\n", mysql_errno(mysql), mysql_error(mysql));
        return 1;
    }
    int failed = mysql_query(mysql, "DO 1");
    mysql_close(mysql);
    return failed;
}

static void *ask_at_once(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&start);
    return (void *)(long)ask();
}

static int ask_everywhere(void)
{
    pthread_t threads[THREADS];
    long failures = 0;
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, ask_at_once, NULL);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        failures += (long)failed;
    }
    return (int)failures;
}

static void end(const char *who, pid_t child)
{
    int status;
    waitpid(child, &status, 0);
    printf("%s ended with %d\n", who, WEXITSTATUS(status));
    fflush(stdout);
}

int main(int count, char **arguments)
{
    if (count != 7)
        return 2;
    words = arguments;
    printf("early connect %d, %s\n", early_connect, state());
    fflush(stdout);
    if (strcmp(words[1], "nothing") == 0) {
        connect_to_nobody();
    } else if (strcmp(words[1], "once") == 0) {
        printf("failed %d\n", ask());
    } else if (strcmp(words[1], "at-once") == 0) {
        printf("failed %d\n", ask_everywhere());
    } else if (strcmp(words[1], "children") == 0) {
        for (int i = 0; i < 2; i++) {
            pid_t child = fork();
            if (child == 0)
                _exit(10 * ask_everywhere() + (protected() == THREADS ? 5 : 6));
            end("child", child);
        }
        pid_t child = vfork();
        if (child == 0)
            _exit(connect_to_nobody() == -1 && close(-1) == -1 ? 7 : 8);
        end("vfork child", child);
    }
    printf("%s\n", state());
    if (strcmp(state(), "awake") == 0)
        printf("protected %d\n", protected());
    return 3;
}
