/* Pixel kernels for AVX2. */
#include "image/kernels_instances.h"

#if defined(__x86_64__)

#define KERNEL(name) avx2_##name
#include "image/kernels_template.h"

#endif
