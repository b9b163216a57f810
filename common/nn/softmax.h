/* Softmax of rows: p_k = exp(z_k) / sum over j of exp(z_j). Attention works in float, task
   weights in double. A row with a NaN gives NaNs. */
#ifndef BLADES_NN_SOFTMAX_H
#define BLADES_NN_SOFTMAX_H

/* p (n, classes) from z (n, classes); p may be z. */
void softmax_forward(float *p, const float *z, int n, int classes);
void softmax_forward_double(double *p, const double *z, int n, int classes);
/* dz (n, classes) = p (dp - sum over k of p_k dp_k), given forward's p; dz may be dp. */
void softmax_backward(float *dz, const float *dp, const float *p, int n, int classes);
/* The same product: the Jacobian is symmetric. p_tangent may be z_tangent. */
void softmax_jvp(float *p_tangent, const float *z_tangent, const float *p, int n, int classes);

#endif
