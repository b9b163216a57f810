/* The multiply-add peak with avx2 vectors. */
double peak_avx2(void);
#define PEAK peak_avx2
#include "peak.h"
