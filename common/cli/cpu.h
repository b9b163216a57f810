/* What this processor can do, found at run time. */
#ifndef BLADES_CLI_CPU_H
#define BLADES_CLI_CPU_H

#include "cli/error.h"

/* Each level includes those before it. */
typedef enum cpu_level {
    CPU_GENERIC,    /* what the compiler's default target has */
    CPU_AVX2,       /* AVX2, FMA, F16C */
    CPU_AVX512,     /* AVX-512 F, BW, VL, DQ */
    CPU_AVX512BF16, /* and products of bfloat16 */
} cpu_level;

/* The level to use: what the processor and the kernel support, or less if the environment variable
   BLADES_CPU (generic, avx2, avx512, avx512bf16) asks for less. */
cpu_level cpu_level_get(void);

/* What BLADES_GEMM asks for: who multiplies float32 matrices. */
typedef enum cpu_gemm {
    CPU_GEMM_ANY, /* the faster one */
    CPU_GEMM_OWN,
    CPU_GEMM_OPENBLAS,
} cpu_gemm;
cpu_gemm cpu_gemm_get(void);

/* False and STATUS_USAGE when one of these variables has a value that is not known; an empty one is
   as good as none. */
bool cpu_environment_check(error *e);

/* The level in words, e.g. "avx512bf16" or "avx2 (BLADES_CPU)" when the environment lowered it. */
const char *cpu_features(void);

#endif
