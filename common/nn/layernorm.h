/* Layer normalisation over rows (Ba et al. 2016): y = gain (x - mean) / sqrt(variance + 1e-5) +
 * bias. */
#ifndef BLADES_NN_LAYERNORM_H
#define BLADES_NN_LAYERNORM_H

/* y (n, width) from x (n, width), gain and bias (width). */
void layernorm_forward(float *y, const float *x, const float *gain, const float *bias, int n,
                       int width);
/* dx (n, width) += ..., dgain and dbias (width) += ..., given dy (n, width). */
void layernorm_backward(float *dx, float *dgain, float *dbias, const float *dy, const float *x,
                        const float *gain, int n, int width);
/* y_tangent (n, width) from the tangents of x, gain and bias. */
void layernorm_jvp(float *y_tangent, const float *x_tangent, const float *x, const float *gain,
                   const float *gain_tangent, const float *bias_tangent, int n, int width);

#endif
