/* A preload that stands before libc's poll, as schedulers of user threads do. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>

int poll(struct pollfd *wanted, nfds_t count, int timeout) {
    int (*next)(struct pollfd *, nfds_t, int) = (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
    return next(wanted, count, timeout);
}
