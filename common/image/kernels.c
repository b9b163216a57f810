/* The choice among pixel kernels. */
#include "image/kernels.h"

#include "cli/cpu.h"
#include "image/kernels_instances.h"

static const image_kernels *const kernels[] = {
#if defined(__x86_64__)
    [CPU_AVX2] = &avx2_image_kernels,
    [CPU_AVX512] = &avx512_image_kernels,
    [CPU_AVX512BF16] = &avx512_image_kernels,
#endif
    [CPU_GENERIC] = &generic_image_kernels,
};

const image_kernels *image_kernels_get(void)
{
    return kernels[cpu_level_get()];
}
