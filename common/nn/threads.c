/* Threads of the compute core: OpenMP workers, each with a single-threaded BLAS. */
#include "nn/threads.h"
#include "cli/waiting.h"

#include <omp.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

extern void openblas_set_num_threads(int threads);

static void denormals_flush(void)
{
#if defined(__SSE2__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ and DAZ */
#endif
}

void nn_threads_set(int threads)
{
    waiting_short();
    /* OpenBLAS built on OpenMP also sets OpenMP's number: it comes first. */
    openblas_set_num_threads(1);
    omp_set_dynamic(0);
    omp_set_num_threads(threads < 1 ? 1 : threads);
#pragma omp parallel
    denormals_flush();
}
