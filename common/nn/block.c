/* The choice among block kernels. */
#include "cli/cpu.h"
#include "nn/block_instances.h"

static const block_kernels *const float32_kernels[] = {
#if defined(__x86_64__)
    [CPU_AVX2] = &avx2_float32_block_kernels,
    [CPU_AVX512] = &avx512_float32_block_kernels,
    [CPU_AVX512BF16] = &avx512_float32_block_kernels,
#endif
    [CPU_GENERIC] = &generic_float32_block_kernels,
};

static const block_kernels *const bf16_kernels[] = {
#if defined(__x86_64__)
    [CPU_AVX2] = &avx2_bf16_block_kernels,
    [CPU_AVX512] = &avx512_bf16_block_kernels,
    [CPU_AVX512BF16] = &avx512bf16_bf16_block_kernels,
#endif
    [CPU_GENERIC] = &generic_bf16_block_kernels,
};

const block_kernels *block_kernels_get(matrix_type type)
{
    return (type == MATRIX_BF16 ? bf16_kernels : float32_kernels)[cpu_level_get()];
}
