/* A process that never touches MySQL: says what libc tells it when calls fail, and how many threads and descriptors
 * it has. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* With an errno from before, so that a call which leaves it alone is told apart from one that sets it. */
#define SAY(call)                                                        \
    do {                                                                 \
        errno = ENOTTY;                                                  \
        long result = (long)(call);                                      \
        printf("%s = %ld, %s\n", #call, result, strerrorname_np(errno)); \
    } while (0)

static int entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void sockets(void)
{
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &nobody.sin_addr);
    SAY(connect(fd, (struct sockaddr *)&nobody, sizeof nobody));
    SAY(connect(fd, NULL, sizeof nobody));
    SAY(connect(fd, (struct sockaddr *)&nobody, 1));
    SAY(connect(-1, (struct sockaddr *)&nobody, sizeof nobody));
    SAY(close(fd));
    SAY(close(fd));
}

static void names(void)
{
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    SAY(getaddrinfo("no-such-name.lab.test", "3306", NULL, &found) == EAI_NONAME);
    SAY(getaddrinfo("a name that is none", NULL, &hints, &found) != 0);
    SAY(getaddrinfo(NULL, NULL, NULL, &found) == EAI_NONAME);
    SAY(getaddrinfo("127.0.0.1", "3306", &hints, &found));
    printf("%d %d\n", found->ai_family, ntohs(((struct sockaddr_in *)found->ai_addr)->sin_port));
    freeaddrinfo(found);
    SAY(getaddrinfo("db.lab.test", "3306", &hints, &found));
    freeaddrinfo(found);
}

static void descriptors(void)
{
    int fd = open("/dev/null", O_RDONLY);
    SAY(close(-1));
    SAY(close(100000));
    SAY(dup(-1));
    SAY(dup(fd));
    SAY(dup2(-1, 5));
    SAY(dup2(fd, -1));
    SAY(dup2(fd, fd));
    SAY(dup2(fd, 50));
    SAY(dup3(fd, fd, 0));
    SAY(dup3(fd, 51, O_CLOEXEC));
    SAY(dup3(fd, 51, 12345));
    SAY(fcntl(-1, F_GETFD));
    SAY(fcntl(51, F_GETFD));
    SAY(fcntl(fd, F_SETFD, FD_CLOEXEC));
    SAY(fcntl(fd, F_GETFD));
    SAY(fcntl(fd, F_DUPFD, 60));
    SAY(fcntl(fd, F_DUPFD_CLOEXEC, 61));
    SAY(fcntl(fd, F_DUPFD, -1));
    SAY(fcntl(fd, 9999));
    SAY(close_range(50, 61, 0));
    SAY(close_range(61, 50, 0));
    closefrom(50);
    SAY(fcntl(60, F_GETFD));
    SAY(close(fd));
}

int main(void)
{
    pid_t child;
    int status;
    descriptors();
    sockets();
    names();
    fflush(stdout);
    child = fork();
    if (child == 0)
        _exit(close(-1) == -1 && errno == EBADF ? 7 : 8);
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    child = vfork();
    if (child == 0) {
        close(-1);
        execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
        _exit(8);
    }
    waitpid(child, &status, 0);
    printf("vfork child %d\n", WEXITSTATUS(status));
    printf("threads %d, descriptors %d\n", entries("/proc/self/task"), entries("/proc/self/fd"));
    return 23;
}
