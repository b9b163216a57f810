/* The choice among matrix kernels. */
#include "cli/cpu.h"
#include "nn/matrix_instances.h"

static const matrix_kernels *const float32_kernels[] = {
#if defined(__x86_64__)
    [CPU_AVX2] = &matrix_kernels_avx2_float32,
    [CPU_AVX512] = &matrix_kernels_avx512_float32,
    [CPU_AVX512BF16] = &matrix_kernels_avx512_float32,
#endif
    [CPU_GENERIC] = &matrix_kernels_generic_float32,
};

static const matrix_kernels *const bf16_kernels[] = {
#if defined(__x86_64__)
    [CPU_AVX2] = &matrix_kernels_avx2_bf16,
    [CPU_AVX512] = &matrix_kernels_avx512_bf16,
    [CPU_AVX512BF16] = &matrix_kernels_avx512bf16_bf16,
#endif
    [CPU_GENERIC] = &matrix_kernels_generic_bf16,
};

const matrix_kernels *matrix_kernels_get(matrix_type type)
{
    cpu_level level = cpu_level_get();
    if (type == MATRIX_BF16) return bf16_kernels[level];
    cpu_gemm wanted = cpu_gemm_get();
    bool own = level > CPU_GENERIC; /* measured: own kernels are faster where they are tuned */
    if (wanted != CPU_GEMM_ANY) own = wanted == CPU_GEMM_OWN;
    return own ? float32_kernels[level] : &matrix_kernels_openblas;
}
