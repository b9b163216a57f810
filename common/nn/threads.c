/* Threads of the compute core: OpenMP workers, each with a single-threaded BLAS. */
#include "nn/threads.h"

#include <omp.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

extern void openblas_set_num_threads(int threads);

/* ---- Waiting without burning the processor
   ----------------------------------------------------------

   GNU OpenMP's workers spin for milliseconds at every barrier, unless there are more workers than
   processors: then they soon sleep. Where other work runs beside ours (make -j, xargs -P), the
   spinning makes a run ten times slower; alone, the short spin costs nothing that we could measure.
   The library decides at its start, from the processors it may use, so it is shown a single one
   until then. The environment variables of OpenMP still have their say. */

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

/* ---- Threads ------------------------------------------------------------------------------------
 */

static void denormals_flush(void)
{
#if defined(__SSE2__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ and DAZ */
#endif
}

void nn_threads_set(int threads)
{
    /* OpenBLAS built on OpenMP also sets OpenMP's number: it comes first. */
    openblas_set_num_threads(1);
    omp_set_dynamic(0);
    omp_set_num_threads(threads < 1 ? 1 : threads);
#pragma omp parallel
    denormals_flush();
}
