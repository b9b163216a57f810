/* Detection of the processor's vector instructions. */
#include "cli/cpu.h"

#include <stdlib.h>
#include <string.h>

static const char *const level_names[] = {"generic", "avx2", "avx512", "avx512bf16"};

static cpu_level level_detect(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return CPU_GENERIC;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        return CPU_AVX2;
    return __builtin_cpu_supports("avx512bf16") ? CPU_AVX512BF16 : CPU_AVX512;
#else
    return CPU_GENERIC;
#endif
}

cpu_level cpu_level_get(void)
{
    cpu_level level = level_detect();
    const char *wanted = getenv("BLADES_CPU");
    for (int i = 0; wanted && i < (int)level; i++)
        if (!strcmp(wanted, level_names[i])) return (cpu_level)i;
    return level;
}

const char *cpu_features(void)
{
    static const char *const lowered[] = {"generic (BLADES_CPU)", "avx2 (BLADES_CPU)",
                                          "avx512 (BLADES_CPU)", "avx512bf16"};
    cpu_level level = cpu_level_get();
    return level < level_detect() ? lowered[level] : level_names[level];
}
