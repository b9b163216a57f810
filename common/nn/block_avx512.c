/* Block kernels in AVX-512 vectors. */
#include "nn/block_instances.h"

#if defined(__x86_64__)

#define KERNEL(name) avx512_float32_##name
#define BF16 0
#include "nn/block_template.h"

#define KERNEL(name) avx512_bf16_##name
#define BF16 1
#include "nn/block_template.h"

#endif
