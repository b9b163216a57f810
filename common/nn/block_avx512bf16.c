/* Block kernels with the conversions of AVX512-BF16. */
#include "nn/block_instances.h"

#if defined(__x86_64__)

#define KERNEL(name) avx512bf16_bf16_##name
#define BF16 1
#include "nn/block_template.h"

#endif
