/* Pixel kernels for AVX-512. */
#include "image/kernels_instances.h"

#if defined(__x86_64__)

#define KERNEL(name) avx512_##name
#include "image/kernels_template.h"

#endif
