/* Waiting without burning the processor.

   GNU OpenMP's workers spin for milliseconds at every barrier, unless there are more workers than
   processors: then they soon sleep. Where other work runs beside ours (make -j, xargs -P), the
   spinning makes a run ten times slower; alone, the short spin costs nothing that we could measure.
   The library decides at its start, from the processors it may use, so it is shown a single one
   until then. The environment variables of OpenMP still have their say. */
#include "cli/waiting.h"

#include <sched.h>
#include <stdbool.h>
#include <string.h>

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
static cpu_set_t allowed;
static bool narrowed;

static void narrow_processors(int argc, char **argv, char **environment)
{
    for (; *environment; environment++)
        if (strncmp(*environment, "GOMP_SPINCOUNT=", 15) == 0 ||
            strncmp(*environment, "OMP_WAIT_POLICY=", 16) == 0)
            return;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    int first = 0;
    while (first < CPU_SETSIZE - 1 && !CPU_ISSET(first, &allowed)) first++;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    narrowed = sched_setaffinity(0, sizeof one, &one) == 0;
}

/* Runs before the constructors of shared libraries, and this after them. */
__attribute__((section(".preinit_array"),
               used)) static void (*const before_libraries)(int, char **,
                                                            char **) = narrow_processors;

__attribute__((constructor)) static void widen_processors(void)
{
    if (narrowed) sched_setaffinity(0, sizeof allowed, &allowed);
}
#endif

void waiting_short(void) {}
