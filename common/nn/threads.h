/* The number of threads of the compute core. */
#ifndef BLADES_NN_THREADS_H
#define BLADES_NN_THREADS_H

/* Sets the number of OpenMP threads (at least 1), keeps OpenBLAS to one thread a worker, and makes
   every thread flush denormal numbers to zero. Call it once in main, after threads_start and before
   any computation; no result depends on the number. */
void nn_threads_set(int threads);

#endif
