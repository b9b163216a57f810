/* Comparing doubles: cmocka's assert_float_equal rounds to float. */
#ifndef BLADES_TESTS_NEAR_H
#define BLADES_TESTS_NEAR_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

/* Are two numbers at most `tolerance` apart? Says so on standard error if not. */
static inline bool near(double a, double b, double tolerance)
{
    if (fabs(a - b) <= tolerance) return true;
    fprintf(stderr, "%.17g and %.17g are more than %g apart\n", a, b, tolerance);
    return false;
}

#endif
