/* Detection of the processor's vector instructions. */
#include "cli/cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const char *const level_names[] = {"generic", "avx2", "avx512", "avx512bf16", NULL};
static const char *const gemm_names[] = {"own", "openblas", NULL};

/* Which of the names the variable holds; -1: it is unset or empty, -2: none of them. */
static int environment_choice(const char *variable, const char *const *names)
{
    const char *value = getenv(variable);
    if (!value || !*value) return -1;
    for (int i = 0; names[i]; i++)
        if (!strcmp(value, names[i])) return i;
    return -2;
}

static bool variable_check(const char *variable, const char *const *names, error *e)
{
    return environment_choice(variable, names) >= -1 ||
           error_none_of(e, variable, getenv(variable), names);
}

bool cpu_environment_check(error *e)
{
    return variable_check("BLADES_CPU", level_names, e) &&
           variable_check("BLADES_GEMM", gemm_names, e);
}

cpu_gemm cpu_gemm_get(void)
{
    int choice = environment_choice("BLADES_GEMM", gemm_names);
    return choice < 0 ? CPU_GEMM_ANY : (cpu_gemm)(CPU_GEMM_OWN + choice);
}

#if defined(__x86_64__)
/* Not every compiler's __builtin_cpu_supports knows the name. */
static bool has_f16c(void)
{
    unsigned a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}
#endif

static cpu_level level_detect(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !has_f16c())
        return CPU_GENERIC;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        return CPU_AVX2;
    return __builtin_cpu_supports("avx512bf16") ? CPU_AVX512BF16 : CPU_AVX512;
#else
    return CPU_GENERIC;
#endif
}

/* CPUID takes long where a hypervisor answers it: it is asked once. */
static cpu_level level_known(void)
{
    static atomic_int known; /* the level and 1 */
    int level = atomic_load_explicit(&known, memory_order_relaxed);
    if (level == 0) {
        level = 1 + (int)level_detect();
        atomic_store_explicit(&known, level, memory_order_relaxed);
    }
    return (cpu_level)(level - 1);
}

cpu_level cpu_level_get(void)
{
    cpu_level level = level_known();
    int wanted = environment_choice("BLADES_CPU", level_names);
    return wanted >= 0 && wanted < (int)level ? (cpu_level)wanted : level;
}

const char *cpu_features(void)
{
    static const char *const lowered[] = {"generic (BLADES_CPU)", "avx2 (BLADES_CPU)",
                                          "avx512 (BLADES_CPU)", "avx512bf16"};
    cpu_level level = cpu_level_get();
    return level < level_known() ? lowered[level] : level_names[level];
}
