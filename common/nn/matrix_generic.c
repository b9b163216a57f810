/* Matrix kernels in the compiler's default vectors. */
#include "nn/matrix_instances.h"

#define NN_ROWS 4
#define NN_VECTORS 2
#define TN_ROWS 4
#define TN_VECTORS 2

#define KERNEL(name) generic_float32_##name
#define BF16 0
#include "nn/matrix_template.h"

#define KERNEL(name) generic_bf16_##name
#define BF16 1
#include "nn/matrix_template.h"

const matrix_kernels matrix_kernels_generic_float32 = {
    .name = "generic",
    .type = MATRIX_FLOAT32,
    .packed_size = generic_float32_packed_size,
    .pack = generic_float32_pack,
    .nn = generic_float32_nn,
    .tn_scratch = generic_float32_tn_scratch,
    .tn = generic_float32_tn,
};

const matrix_kernels matrix_kernels_generic_bf16 = {
    .name = "generic",
    .type = MATRIX_BF16,
    .packed_size = generic_bf16_packed_size,
    .pack = generic_bf16_pack,
    .nn = generic_bf16_nn,
    .tn_scratch = generic_bf16_tn_scratch,
    .tn = generic_bf16_tn,
};
