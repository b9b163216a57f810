/* Matrix kernels in AVX-512 vectors. */
#include "nn/matrix_instances.h"

#if defined(__x86_64__)

#define NN_ROWS 6
#define NN_VECTORS 4
#define TN_ROWS 12
#define TN_VECTORS 2

#define KERNEL(name) avx512_float32_##name
#define BF16 0
#include "nn/matrix_template.h"

#define KERNEL(name) avx512_bf16_##name
#define BF16 1
#include "nn/matrix_template.h"

const matrix_kernels matrix_kernels_avx512_float32 = {
    .name = "avx512",
    .type = MATRIX_FLOAT32,
    .packed_size = avx512_float32_packed_size,
    .pack = avx512_float32_pack,
    .nn = avx512_float32_nn,
    .tn_scratch = avx512_float32_tn_scratch,
    .tn = avx512_float32_tn,
};

const matrix_kernels matrix_kernels_avx512_bf16 = {
    .name = "avx512",
    .type = MATRIX_BF16,
    .packed_size = avx512_bf16_packed_size,
    .pack = avx512_bf16_pack,
    .nn = avx512_bf16_nn,
    .tn_scratch = avx512_bf16_tn_scratch,
    .tn = avx512_bf16_tn,
};

#endif
