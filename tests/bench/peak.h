/* The floating-point peak of one thread: a loop of independent fused multiply-adds. The including
   source names the function PEAK(). Returns GFLOP/s. */
#include "cli/progress.h"
#include "nn/vector.h"

double PEAK(void)
{
    enum { CHAINS = 12, ROUNDS = 100000000 };
    vf sum[CHAINS], a = vf_all(0.5f), b = vf_all(0.25f);
    for (int i = 0; i < CHAINS; i++) sum[i] = vf_all((float)i);
    double start = clock_seconds();
    for (long r = 0; r < ROUNDS; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) sum[i] = vf_fma(sum[i], a, b);
        __asm__ volatile("" : "+x"(a));
    }
    double seconds = clock_seconds() - start;
    float total = 0;
    for (int i = 0; i < CHAINS; i++) total += sum[i][0];
    return total == 12345 ? 0 : (double)ROUNDS * CHAINS * LANES * 2e-9 / seconds;
}
