/* The pixel kernels compiled for each instruction set; kernels.c chooses. */
#ifndef BLADES_IMAGE_KERNELS_INSTANCES_H
#define BLADES_IMAGE_KERNELS_INSTANCES_H

#include "image/kernels.h"

extern const image_kernels generic_image_kernels;
#if defined(__x86_64__)
extern const image_kernels avx2_image_kernels, avx512_image_kernels;
#endif

#endif
