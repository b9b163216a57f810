/* Order statistics of numbers. */
#ifndef BLADES_CLI_QUANTILE_H
#define BLADES_CLI_QUANTILE_H

#include <stddef.h>

/* Sorts numbers, none of them NaN. */
void sort_ascending(double *values, size_t count);

/* The q-quantile (0..1) of ascending values (1 or more), linear between order statistics (numpy's
   default). */
double quantile_sorted(const double *ascending, size_t count, double q);

#endif
