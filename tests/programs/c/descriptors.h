/* Descriptors of client.c's connections, and what else a process does with numbers. N is the number of a handle.
 *
 *   fd N                   the connection's descriptor
 *   duplicate FD HOW TO    by dup, dup2, dup3, fcntl or cloexec, to that number or from it on: the duplicate
 *   pass FD                through a Unix socket to ourselves: the duplicate
 *   release FD HOW         by close, range, from, over (with dup2) or raw (a system call that nobody sees): released
 *   mistake FD HOW         a call that fails and closes nothing (dup2, dup3 or range): its errno
 *   replace FD KIND        closes it unseen, and takes its number for a tcp, listener, unix, pipe or file: replaced
 *   untouched              asks all that were taken so: untouched | what was done to one
 *   use_up                 takes every free descriptor: how many there were
 *   give_back              all that were taken so: how many
 *   open_files             how many descriptors there are */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct stranger {
    int fd, other;
    const char *kind;
} strangers[16];
static int stranger_count;

static int duplicate(int fd, const char *how, int to)
{
    if (strcmp(how, "dup") == 0)
        return dup(fd);
    if (strcmp(how, "dup2") == 0)
        return dup2(fd, to);
    if (strcmp(how, "dup3") == 0)
        return dup3(fd, to, O_CLOEXEC);
    return fcntl(fd, strcmp(how, "fcntl") == 0 ? F_DUPFD : F_DUPFD_CLOEXEC, to);
}

/* SCM_RIGHTS. */
static int pass(int fd)
{
    int ends[2], passed = -1;
    char byte = 'x', room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && sendmsg(ends[0], &message, 0) == 1
        && recvmsg(ends[1], &message, 0) == 1)
        memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof passed);
    close(ends[0]);
    close(ends[1]);
    return passed;
}

static void release(int fd, const char *how)
{
    if (strcmp(how, "close") == 0)
        close(fd);
    else if (strcmp(how, "range") == 0)
        close_range((unsigned)fd, (unsigned)fd, 0);
    else if (strcmp(how, "from") == 0)
        closefrom(fd);
    else if (strcmp(how, "over") == 0)
        dup2(0, fd);
    else
        syscall(SYS_close, fd);
    printf("released\n");
}

static void mistake(int fd, const char *how)
{
    errno = 0;
    if (strcmp(how, "dup2") == 0)
        dup2(-1, fd);
    else if (strcmp(how, "dup3") == 0)
        dup3(0, fd, 12345);
    else
        close_range((unsigned)fd, (unsigned)fd, 12345);
    printf("%s\n", strerrorname_np(errno));
}

/* A listener, and a connection to it, both ends. */
static void tcp_pair(int *listener, int *one, int *other)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    *listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(*listener, (struct sockaddr *)&address, sizeof address);
    listen(*listener, 8);
    getsockname(*listener, (struct sockaddr *)&address, &length);
    *one = socket(AF_INET, SOCK_STREAM, 0);
    connect(*one, (struct sockaddr *)&address, sizeof address);
    *other = accept(*listener, NULL, NULL);
}

static void replace(int fd, const char *kind)
{
    struct stranger *stranger = &strangers[stranger_count++];
    int listener, ends[2];
    stranger->kind = strdup(kind);
    stranger->other = -1;
    stranger->fd = fd;
    if (strcmp(kind, "tcp") == 0) {
        tcp_pair(&listener, &ends[0], &ends[1]);
        close(listener);
    } else if (strcmp(kind, "listener") == 0) {
        tcp_pair(&ends[0], &ends[1], &listener);
        close(listener);
    } else if (strcmp(kind, "unix") == 0)
        socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    else if (strcmp(kind, "pipe") == 0) {
        int both[2];
        pipe(both);
        ends[0] = both[1];
        ends[1] = both[0];
    } else {
        ends[0] = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        ends[1] = dup(ends[0]);
    }
    stranger->other = ends[1];
    /* By system calls: as a runtime does that needs no C library. */
    syscall(SYS_close, fd);
    syscall(SYS_dup3, ends[0], fd, 0);
    syscall(SYS_close, ends[0]);
    printf("replaced\n");
}

static const char *what_was_done_to(const struct stranger *stranger)
{
    static const int options[][2] = {{SOL_SOCKET, SO_KEEPALIVE}, {IPPROTO_TCP, TCP_USER_TIMEOUT}};
    struct pollfd other = {stranger->other, POLLIN | POLLRDHUP, 0};
    char byte = 0;
    int pending = 0;
    socklen_t length = sizeof pending;
    if (fcntl(stranger->fd, F_GETFD) == -1)
        return "closed";
    if (strcmp(stranger->kind, "file") == 0)
        return lseek(stranger->fd, 0, SEEK_END) == 0 ? NULL : "written to";
    if (strcmp(stranger->kind, "listener") == 0)
        return getsockopt(stranger->fd, SOL_SOCKET, SO_ACCEPTCONN, &pending, &length) == 0 && pending ? NULL : "shut down";
    if (poll(&other, 1, 0) != 0)
        return other.revents & (POLLRDHUP | POLLHUP) ? "shut down" : "written to";
    for (size_t i = 0; strcmp(stranger->kind, "tcp") == 0 && i < sizeof options / sizeof *options; i++)
        if (getsockopt(stranger->fd, options[i][0], options[i][1], &pending, &length) != 0 || pending != 0)
            return "set to something";
    if (write(stranger->fd, "?", 1) != 1 || read(stranger->other, &byte, 1) != 1 || byte != '?')
        return "cut off";
    if (strcmp(stranger->kind, "pipe") != 0
        && (write(stranger->other, "!", 1) != 1 || read(stranger->fd, &byte, 1) != 1 || byte != '!'))
        return "cut off on the way back";
    return NULL;
}

static void print_untouched(void)
{
    for (int i = 0; i < stranger_count; i++) {
        const char *done = what_was_done_to(&strangers[i]);
        if (done != NULL) {
            printf("%s at %d was %s\n", strangers[i].kind, strangers[i].fd, done);
            return;
        }
    }
    printf("untouched\n");
}

static int taken[1024], taken_count;

static int use_up(void)
{
    int before = taken_count;
    while (taken_count < 1024 && (taken[taken_count] = dup(0)) >= 0)
        taken_count++;
    return taken_count - before;
}

static int give_back(void)
{
    int count = taken_count;
    while (taken_count > 0)
        close(taken[--taken_count]);
    return count;
}

static void print_open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = -3;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    printf("%d\n", count);
}

/* 0 if the command is none of these. */
static int obey_about_descriptors(MYSQL *mysql, const char *command, const char *number, char *rest)
{
    int fd = number ? atoi(number) : -1;
    if (strcmp(command, "fd") == 0)
        printf("%d\n", mysql->net.fd);
    else if (strcmp(command, "duplicate") == 0) {
        const char *how = word(&rest), *to = word(&rest);
        printf("%d\n", duplicate(fd, how, to ? atoi(to) : -1));
    } else if (strcmp(command, "pass") == 0)
        printf("%d\n", pass(fd));
    else if (strcmp(command, "release") == 0)
        release(fd, rest);
    else if (strcmp(command, "mistake") == 0)
        mistake(fd, rest);
    else if (strcmp(command, "replace") == 0)
        replace(fd, rest);
    else if (strcmp(command, "untouched") == 0)
        print_untouched();
    else if (strcmp(command, "use_up") == 0)
        printf("%d\n", use_up());
    else if (strcmp(command, "give_back") == 0)
        printf("%d\n", give_back());
    else if (strcmp(command, "open_files") == 0)
        print_open_files();
    else
        return 0;
    return 1;
}
