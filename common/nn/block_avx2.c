/* Block kernels in AVX2 vectors. */
#include "nn/block_instances.h"

#if defined(__x86_64__)

#define KERNEL(name) avx2_float32_##name
#define BF16 0
#include "nn/block_template.h"

#define KERNEL(name) avx2_bf16_##name
#define BF16 1
#include "nn/block_template.h"

#endif
