/* A program that is linked with a client library. */
#include "unknown_calls.h"

int main(void)
{
    call_everything();
    return 3;
}
