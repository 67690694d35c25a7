/* A plug-in that is linked with a client library: what Python and Perl load with dlopen(RTLD_LOCAL). */
#include "unknown_calls.h"

void run_plugin(void)
{
    call_everything();
}
