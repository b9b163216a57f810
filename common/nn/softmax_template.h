/* Softmax for one type of numbers: a template. The including source defines
     REAL           the type
     EXPONENTIAL    its exp
     SOFTMAX(name)  the names of this type's functions */

void SOFTMAX(forward)(REAL *p, const REAL *z, int n, int classes)
{
    for (int i = 0; i < n; i++, p += classes, z += classes) {
        REAL largest = z[0], sum = 0;
        for (int k = 1; k < classes; k++) largest = z[k] > largest ? z[k] : largest;
        for (int k = 0; k < classes; k++) sum += p[k] = EXPONENTIAL(z[k] - largest);
        for (int k = 0; k < classes; k++) p[k] /= sum;
    }
}

void SOFTMAX(backward)(REAL *dz, const REAL *dp, const REAL *p, int n, int classes)
{
    for (int i = 0; i < n; i++, dz += classes, dp += classes, p += classes) {
        REAL mean = 0;
        for (int k = 0; k < classes; k++) mean += p[k] * dp[k];
        for (int k = 0; k < classes; k++) dz[k] = p[k] * (dp[k] - mean);
    }
}

void SOFTMAX(jvp)(REAL *p_tangent, const REAL *z_tangent, const REAL *p, int n, int classes)
{
    SOFTMAX(backward)(p_tangent, z_tangent, p, n, classes);
}

#undef REAL
#undef EXPONENTIAL
#undef SOFTMAX
