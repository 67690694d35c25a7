/* A program of another C library: opens and closes a socket by functions that Pointsman has doors for. */
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    struct addrinfo *found = NULL;
    int fd = dup(socket(AF_INET, SOCK_STREAM, 0));
    if (getaddrinfo("127.0.0.1", "1", NULL, &found) != 0)
        return 2;
    connect(fd, found->ai_addr, found->ai_addrlen);
    close(fd);
    puts("works");
    return 0;
}
