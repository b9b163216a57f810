/* Matrix kernels in AVX2 vectors. */
#include "nn/matrix_instances.h"

#if defined(__x86_64__)

#define NN_ROWS 6
#define NN_VECTORS 2
#define TN_ROWS 6
#define TN_VECTORS 2

#define KERNEL(name) avx2_float32_##name
#define BF16 0
#include "nn/matrix_template.h"

#define KERNEL(name) avx2_bf16_##name
#define BF16 1
#include "nn/matrix_template.h"

const matrix_kernels matrix_kernels_avx2_float32 = {
    .name = "avx2",
    .type = MATRIX_FLOAT32,
    .packed_size = avx2_float32_packed_size,
    .pack = avx2_float32_pack,
    .nn = avx2_float32_nn,
    .tn_scratch = avx2_float32_tn_scratch,
    .tn = avx2_float32_tn,
};

const matrix_kernels matrix_kernels_avx2_bf16 = {
    .name = "avx2",
    .type = MATRIX_BF16,
    .packed_size = avx2_bf16_packed_size,
    .pack = avx2_bf16_pack,
    .nn = avx2_bf16_nn,
    .tn_scratch = avx2_bf16_tn_scratch,
    .tn = avx2_bf16_tn,
};

#endif
