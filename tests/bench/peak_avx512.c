/* The multiply-add peak with avx512 vectors. */
double peak_avx512(void);
#define PEAK peak_avx512
#include "peak.h"
