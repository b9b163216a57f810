/* The multiply-add peak with generic vectors. */
double peak_generic(void);
#define PEAK peak_generic
#include "peak.h"
