/* Order statistics. */
#include "cli/quantile.h"

#include <math.h>
#include <stdlib.h>

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sort_ascending(double *values, size_t count)
{
    if (count) qsort(values, count, sizeof *values, compare_doubles);
}

double quantile_sorted(const double *ascending, size_t count, double q)
{
    double position = q * (double)(count - 1);
    size_t below = (size_t)floor(position);
    if (below + 1 >= count) return ascending[count - 1];
    return ascending[below] +
           (position - (double)below) * (ascending[below + 1] - ascending[below]);
}
