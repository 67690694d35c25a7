/* Preloaded: sockets of the Internet get descriptors from HIGH_SOCKETS on. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int socket(int domain, int type, int protocol)
{
    const char *from = getenv("HIGH_SOCKETS");
    int low = (int)syscall(SYS_socket, domain, type, protocol);
    int high;
    if (low < 0 || from == NULL || domain == AF_UNIX)
        return low;
    high = (int)syscall(SYS_fcntl, low, type & SOCK_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, atoi(from));
    if (high < 0)
        return low;
    syscall(SYS_close, low);
    return high;
}
