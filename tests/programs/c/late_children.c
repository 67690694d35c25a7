/* A child that is made by a raw clone while another thread is in dlopen, and calls functions of libc that its parent has never
 * called: fork(3) frees the loader's lock in the child, and clone does not. Prints "ended" if the child comes to its end, "hangs"
 * if not. The argument: a plug-in whose constructor takes a second. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *load(void *path)
{
    return dlopen(path, RTLD_NOW);
}

int main(int count, char **arguments)
{
    pthread_t thread;
    int status = 0, waited = 0;
    pid_t pid;
    if (count != 2)
        return 2;
    /* As a program that starts does. */
    close(open("/dev/null", O_RDONLY));
    pthread_create(&thread, NULL, load, arguments[1]);
    usleep(300000);
    pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        dup2(1, 60);
        dup3(1, 61, 0);
        dup(1);
        fcntl(1, F_DUPFD, 62);
        _exit(0);
    }
    for (int i = 0; i < 1000 && waited == 0; i++) {
        waited = waitpid(pid, &status, WNOHANG);
        usleep(5000);
    }
    if (waited == 0)
        kill(pid, SIGKILL);
    puts(waited == pid && WIFEXITED(status) ? "ended" : "hangs");
    pthread_join(thread, NULL);
    return 0;
}
