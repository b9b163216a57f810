/* Pixel kernels for any processor. */
#include "image/kernels_instances.h"

#define KERNEL(name) generic_##name
#include "image/kernels_template.h"
