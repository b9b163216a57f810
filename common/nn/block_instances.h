/* The block kernels compiled for each instruction set; block.c chooses. */
#ifndef BLADES_NN_BLOCK_INSTANCES_H
#define BLADES_NN_BLOCK_INSTANCES_H

#include "nn/block.h"

extern const block_kernels generic_float32_block_kernels, generic_bf16_block_kernels;
#if defined(__x86_64__)
extern const block_kernels avx2_float32_block_kernels, avx2_bf16_block_kernels;
extern const block_kernels avx512_float32_block_kernels, avx512_bf16_block_kernels;
extern const block_kernels avx512bf16_bf16_block_kernels;
#endif

#endif
