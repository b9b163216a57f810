/* Matrix kernels with the products of AVX512-BF16. */
#include "nn/matrix_instances.h"

#if defined(__x86_64__)

#define NN_ROWS 6
#define NN_VECTORS 4
#define TN_ROWS 12
#define TN_VECTORS 2
#define KERNEL(name) avx512bf16_bf16_##name
#define BF16 1
#include "nn/matrix_template.h"

const matrix_kernels matrix_kernels_avx512bf16_bf16 = {
    .name = "avx512bf16",
    .type = MATRIX_BF16,
    .packed_size = avx512bf16_bf16_packed_size,
    .pack = avx512bf16_bf16_pack,
    .nn = avx512bf16_bf16_nn,
    .tn_scratch = avx512bf16_bf16_tn_scratch,
    .tn = avx512bf16_bf16_tn,
};

#endif
