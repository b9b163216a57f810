/* The matrix kernels compiled for each instruction set; matrix.c chooses. */
#ifndef BLADES_NN_MATRIX_INSTANCES_H
#define BLADES_NN_MATRIX_INSTANCES_H

#include "nn/matrix.h"

extern const matrix_kernels matrix_kernels_generic_float32, matrix_kernels_generic_bf16;
#if defined(__x86_64__)
extern const matrix_kernels matrix_kernels_avx2_float32, matrix_kernels_avx2_bf16;
extern const matrix_kernels matrix_kernels_avx512_float32, matrix_kernels_avx512_bf16;
extern const matrix_kernels matrix_kernels_avx512bf16_bf16;
#endif
extern const matrix_kernels matrix_kernels_openblas;

#endif
