/* Children of client.c, and statements that wait in threads of their own.
 *
 *   child MANNER COMMANDS   STATUS|ANSWER|… : a child runs the commands, separated by "~", and ends with 7. Manners: fork,
 *                           _fork and clone (no handlers run), thread (another one forks), double (as daemons do it: a
 *                           grandchild runs them), handler (of a signal); vfork and spawn (they run them in a new program)
 *   later N SQL             later : a thread of its own runs it
 *   await N                 ok AFFECTED | error … : what became of that
 *   interrupt N COMMANDS    STATUS|ANSWER|… : a child as with "handler", in the thread of `later N`, wherever that is. With
 *                           no commands the handler returns in the child too, and the answer is that of the statement
 *   lose N M                gone | error … : handle M kills the connection of handle N
 *   watchers                how many threads this process has that ask DNS
 *   descriptors             how many descriptors this process has */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static struct later {
    pthread_t thread;
    MYSQL *mysql;
    char *text;
    int failed;
} laters[HANDLES];

/* What the next child is told, and where its answers go. */
static struct {
    const char *commands;
    int input;
    int output;
    volatile pid_t pid;
    volatile int returned;
} next_child;

static void obey(char *line);

static void print_outcome(MYSQL *mysql, int failed)
{
    if (failed)
        answer_error(mysql);
    else
        printf("ok %lld\n", (long long)mysql_affected_rows(mysql));
}

static void live_as_a_child(void)
{
    char *commands = strdup(next_child.commands), *command;
    dup2(next_child.output, STDOUT_FILENO);
    close(next_child.output);
    close(next_child.input);
    while ((command = strsep(&commands, "~")) != NULL)
        if (*command != '\0')
            obey(command);
    fflush(stdout);
    _exit(7);
}

static void parented(pid_t pid)
{
    if (pid == 0)
        live_as_a_child();
    next_child.pid = pid;
}

static void *fork_in_a_thread(void *unused)
{
    parented(fork());
    return unused;
}

static void on_signal(int number)
{
    pid_t pid = fork();
    (void)number;
    if (pid == 0 && *next_child.commands != '\0')
        live_as_a_child();
    if (pid == 0)
        next_child.returned = 1;
    else
        next_child.pid = pid;
}

static void catch_the_signal(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
}

static void fork_twice(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        int status;
        setsid();
        pid = fork();
        if (pid == 0)
            live_as_a_child();
        /* A daemon's middle ends at once. This one passes on what became of the last. */
        close(next_child.output);
        waitpid(pid, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
    }
    next_child.pid = pid;
}

/* This very program once more, which reads the commands from its standard input and ends with 0. */
static void start_program(int by_spawn)
{
    char *arguments[] = {"client", NULL}, *commands = strdup(next_child.commands);
    int input[2];
    pid_t pid = -1;
    if (pipe2(input, O_CLOEXEC) != 0)
        return;
    for (char *at = commands; (at = strchr(at, '~')) != NULL;)
        *at = '\n';
    dprintf(input[1], "%s\n", commands);
    free(commands);
    close(input[1]);
    if (by_spawn) {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, next_child.output, STDOUT_FILENO);
        if (posix_spawn(&pid, "/proc/self/exe", &actions, NULL, arguments, environ) != 0)
            pid = -1;
        posix_spawn_file_actions_destroy(&actions);
    } else {
        pid = vfork();
        if (pid == 0) {
            dup2(input[0], STDIN_FILENO);
            dup2(next_child.output, STDOUT_FILENO);
            execv("/proc/self/exe", arguments);
            _exit(99);
        }
    }
    close(input[0]);
    next_child.pid = pid;
}

static int make(const char *manner)
{
    pid_t (*fork_only)(void);
    pthread_t thread;
    *(void **)&fork_only = dlsym(RTLD_DEFAULT, "_Fork");
    if (strcmp(manner, "fork") == 0)
        parented(fork());
    else if (strcmp(manner, "_fork") == 0 && fork_only != NULL)
        parented(fork_only());
    else if (strcmp(manner, "clone") == 0)
        parented((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    else if (strcmp(manner, "thread") == 0) {
        pthread_create(&thread, NULL, fork_in_a_thread, NULL);
        pthread_join(thread, NULL);
    } else if (strcmp(manner, "double") == 0)
        fork_twice();
    else if (strcmp(manner, "handler") == 0) {
        catch_the_signal();
        raise(SIGUSR1);
    } else if (strcmp(manner, "vfork") == 0 || strcmp(manner, "spawn") == 0)
        start_program(strcmp(manner, "spawn") == 0);
    else
        return 0;
    return 1;
}

/* Its answers, until it and all that have its output are gone. */
static void tell_of_the_child(void)
{
    char answers[16384];
    size_t length = 0;
    ssize_t got;
    int status;
    while ((got = read(next_child.input, answers + length, sizeof answers - 1 - length)) != 0)
        if (got > 0)
            length += (size_t)got;
        else if (errno != EINTR)
            break;
    close(next_child.input);
    waitpid(next_child.pid, &status, 0);
    while (length > 0 && answers[length - 1] == '\n')
        length--;
    answers[length] = '\0';
    for (char *at = answers; (at = strchr(at, '\n')) != NULL;)
        *at = '|';
    printf("%d|%s\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), answers);
}

static int prepare_child(const char *commands)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return 0;
    next_child.commands = commands ? commands : "";
    next_child.input = ends[0];
    next_child.output = ends[1];
    next_child.pid = 0;
    return 1;
}

static void child(const char *manner, const char *commands)
{
    if (!prepare_child(commands) || !make(manner)) {
        printf("no such child\n");
        return;
    }
    close(next_child.output);
    tell_of_the_child();
}

static void *run_later(void *argument)
{
    struct later *later = argument;
    later->failed = mysql_real_query(later->mysql, later->text, (unsigned long)strlen(later->text));
    if (next_child.returned) {
        dup2(next_child.output, STDOUT_FILENO);
        print_outcome(later->mysql, later->failed);
        fflush(stdout);
        _exit(7);
    }
    return NULL;
}

static void interrupt(struct later *later, const char *commands)
{
    if (!prepare_child(commands))
        return;
    catch_the_signal();
    pthread_kill(later->thread, SIGUSR1);
    while (next_child.pid == 0)
        usleep(1000);
    close(next_child.output);
    tell_of_the_child();
}

static void lose(MYSQL *mysql, MYSQL *killer)
{
    char text[64];
    snprintf(text, sizeof text, "KILL %lu", mysql_thread_id(mysql));
    if (mysql_query(killer, text) != 0)
        answer_error(killer);
    else
        wait_until_gone(mysql);
}

static int entries(const char *path, const char *comm)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    int count = 0;
    while ((entry = readdir(directory)) != NULL) {
        char name[400], text[32] = "";
        FILE *file = NULL;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s/comm", path, entry->d_name);
        if (comm != NULL && (file = fopen(name, "r")) != NULL) {
            if (fgets(text, sizeof text, file) == NULL)
                text[0] = '\0';
            fclose(file);
            text[strcspn(text, "\n")] = '\0';
        }
        count += comm == NULL || strcmp(text, comm) == 0;
    }
    closedir(directory);
    return count;
}

/* One that has just been started has not got its name yet. */
static void print_watchers(void)
{
    int count = 0;
    for (int tries = 0; tries < 20 && (count = entries("/proc/self/task", "pointsman-dns")) == 0; tries++)
        usleep(10000);
    printf("%d\n", count);
}

/* 0 if the command is none of these. */
static int obey_parent(MYSQL *mysql, const char *command, const char *number, char *rest)
{
    struct later *later = &laters[mysql - handles];
    if (strcmp(command, "child") == 0)
        child(number, rest);
    else if (strcmp(command, "later") == 0) {
        later->mysql = mysql;
        free(later->text);
        later->text = strdup(rest);
        pthread_create(&later->thread, NULL, run_later, later);
        printf("later\n");
    } else if (strcmp(command, "await") == 0) {
        pthread_join(later->thread, NULL);
        print_outcome(mysql, later->failed);
    } else if (strcmp(command, "interrupt") == 0)
        interrupt(later, rest);
    else if (strcmp(command, "lose") == 0)
        lose(mysql, &handles[atoi(rest) % HANDLES]);
    else if (strcmp(command, "watchers") == 0)
        print_watchers();
    else if (strcmp(command, "descriptors") == 0)
        printf("%d\n", entries("/proc/self/fd", NULL) - 1);
    else
        return 0;
    return 1;
}
