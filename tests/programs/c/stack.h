/* A thread of a stack that is counted: painted before, looked at afterwards. The page below it faults. */
#include <pthread.h>
#include <sys/mman.h>

enum { PAINT = 0xa5, PAGE = 4096 };

static unsigned char *small_stack;
static size_t small_stack_size;

/* The bytes of it that were in use, since this was asked last. */
static __attribute__((noinline)) size_t stack_used(void)
{
    unsigned char *here = (unsigned char *)__builtin_frame_address(0) - PAGE / 4;
    size_t at = 0;
    while (at < small_stack_size && small_stack[at] == PAINT)
        at++;
    for (unsigned char *free = small_stack; free < here; free++)
        *(volatile unsigned char *)free = PAINT;
    return small_stack_size - at;
}

static int in_a_small_thread(void *(*work)(void *), size_t kibibytes)
{
    pthread_attr_t attributes;
    pthread_t thread;
    unsigned char *pages;
    small_stack_size = kibibytes * 1024;
    pages = mmap(NULL, small_stack_size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages, PAGE, PROT_NONE) != 0)
        return 1;
    small_stack = pages + PAGE;
    memset(small_stack, PAINT, small_stack_size);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, small_stack, small_stack_size);
    return pthread_create(&thread, &attributes, work, NULL) != 0 || pthread_join(thread, NULL) != 0;
}
