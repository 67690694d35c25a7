/* A plug-in whose constructor takes a second, in which the loader's lock is held. */
#include <unistd.h>

__attribute__((constructor)) static void takes_a_second(void)
{
    sleep(1);
}
