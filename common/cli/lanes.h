/* How many floats the instructions take at once that this file is compiled for. Included only by
   the sources that hold kernels, each compiled several times (cpu.h chooses). */
#ifndef BLADES_CLI_LANES_H
#define BLADES_CLI_LANES_H

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif

#define INLINE static inline __attribute__((always_inline, unused))

#endif
