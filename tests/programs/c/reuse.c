/* Numbers that change hands all the time: threads with connections to a server beside threads with sockets and pipes that
 * have nothing to do with it, all opened and closed again at once. Ends with its standard input.
 * Arguments: seed host port user password database. Says how often what was done, and every harm to a stranger. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <mysql.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLIENTS 4
#define STRANGERS 4

static char **words;
static atomic_int over;
static atomic_long statements, refused, strangers, harmed;

static void harm(const char *what)
{
    printf("a stranger was %s\n", what);
    harmed++;
}

/* Every second time by a system call that nobody sees. */
static void give_up(int fd, unsigned *seed)
{
    if (rand_r(seed) % 2)
        close(fd);
    else
        syscall(SYS_close, fd);
}

static int is_set(int fd, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) != 0 || value != 0;
}

static void talk(int one, int other)
{
    char said = 'x', heard = 0;
    if (write(one, &said, 1) != 1 || read(other, &heard, 1) != 1)
        harm("cut off");
    else if (heard != said)
        harm("spoken to");
}

static int listen_anywhere(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener, (struct sockaddr *)address, sizeof *address);
    listen(listener, 8);
    getsockname(listener, (struct sockaddr *)address, &length);
    return listener;
}

static void *be_a_stranger(void *number)
{
    unsigned seed = (unsigned)atoi(words[1]) + (unsigned)(long)number;
    struct sockaddr_in address;
    int listener = listen_anywhere(&address);
    while (!over) {
        int ends[2], tcp = rand_r(&seed) % 3 != 0;
        if (tcp) {
            ends[0] = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(ends[0], (struct sockaddr *)&address, sizeof address) != 0) {
                harm("not connected");
                close(ends[0]);
                continue;
            }
            ends[1] = accept(listener, NULL, NULL);
        } else
            pipe(ends);
        for (int i = rand_r(&seed) % 20; i > 0; i--) {
            talk(ends[1], ends[0]);
            if (tcp)
                talk(ends[0], ends[1]);
            if (tcp && (is_set(ends[0], SOL_SOCKET, SO_KEEPALIVE) || is_set(ends[0], IPPROTO_TCP, TCP_USER_TIMEOUT)))
                harm("set to something");
        }
        give_up(ends[0], &seed);
        give_up(ends[1], &seed);
        strangers++;
    }
    return NULL;
}

static void *be_a_client(void *number)
{
    unsigned seed = (unsigned)atoi(words[1]) + 100 + (unsigned)(long)number;
    mysql_thread_init();
    while (!over) {
        MYSQL *mysql = mysql_init(NULL);
        if (mysql_real_connect(mysql, words[2], words[4], words[5], words[6], (unsigned)atoi(words[3]), NULL, 0) == NULL)
            refused++;
        for (int i = rand_r(&seed) % 5; i > 0 && mysql_errno(mysql) == 0; i--)
            if (mysql_query(mysql, "INSERT INTO orders (worker, seq) VALUES (-6, 0)") == 0)
                statements++;
            else
                refused++;
        mysql_close(mysql);
    }
    mysql_thread_end();
    return NULL;
}

int main(int count, char **arguments)
{
    pthread_t threads[CLIENTS + STRANGERS];
    if (count != 7)
        return 2;
    words = arguments;
    setvbuf(stdout, NULL, _IOLBF, 0);
    mysql_library_init(0, NULL, NULL);
    for (long i = 0; i < CLIENTS + STRANGERS; i++)
        pthread_create(&threads[i], NULL, i < CLIENTS ? be_a_client : be_a_stranger, (void *)i);
    printf("begun\n");
    getchar();
    over = 1;
    for (long i = 0; i < CLIENTS + STRANGERS; i++)
        pthread_join(threads[i], NULL);
    printf("%ld statements, %ld refused, %ld strangers, %ld harmed\n", (long)statements, (long)refused, (long)strangers,
           (long)harmed);
    return harmed != 0;
}
