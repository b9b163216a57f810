/* Block kernels in the compiler's default vectors. */
#include "nn/block_instances.h"

#define KERNEL(name) generic_float32_##name
#define BF16 0
#include "nn/block_template.h"

#define KERNEL(name) generic_bf16_##name
#define BF16 1
#include "nn/block_template.h"
