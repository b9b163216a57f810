/* The fidelity losses of the method (blades-method(7), "Losses"), each with
   its gradient with respect to the logits. All arithmetic is in double.

   A task's logits are K neighbouring columns of a matrix z (n, stride); the functions get the
   address of the first one. They return the loss and overwrite the same K columns of dz (n, stride)
   with its derivative. *labelled is the number of samples (ordinal: pairs) that counted; when it is
   0 the loss and all of dz are 0. A loss's derivative along a change dz/dt of the logits is
   loss_derivative. */
#ifndef BLADES_TRAIN_LOSSES_H
#define BLADES_TRAIN_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

#define LOSS_EPSILON 1e-8 /* e: keeps the square roots differentiable */

enum {
    LOSS_CLASS_MISSING = -1,   /* of a class label */
    LOSS_REGION_MISSING = 255, /* of a region label */
};

/* Coarse detection: 1 - sqrt(p_y + e), at least 0, p = softmax(z), mean over the samples with a
   label. labels (n): 0..classes-1, or LOSS_CLASS_MISSING. */
double loss_coarse(const double *z, int n, int stride, int classes, const int32_t *labels,
                   double *dz, int64_t *labelled);

/* A categorical tag: (1 - p_y)^gamma * (1 - sqrt(p_y + e)), else as loss_coarse. gamma >= 0. */
double loss_categorical(const double *z, int n, int stride, int classes, const int32_t *labels,
                        double gamma, double *dz, int64_t *labelled);

/* An ordinal tag. q = sum over k of (k + 1) p_k; for every pair a < b with labels:
   p = Phi(2 (q_a - q_b)), or Phi((q_a - q_b) / sqrt 2) with `thurstone`; g = 1, 1/2, 0 when a's
   value is the larger, equal, the smaller; 1 - sqrt(p g + e) - sqrt((1 - p)(1 - g) + e), mean over
   pairs. A pair ranked rightly beyond doubt has the loss -sqrt(e) = -1e-4, as in the method: cut
   off at 0 the loss would not be the one whose gradient this is. values (n): any number, NaN when
   missing. scratch: 2 n doubles. */
double loss_ordinal(const double *z, int n, int stride, int classes, const float *values,
                    bool thurstone, double *dz, double *scratch, int64_t *labelled);

/* Fine detection: per region p = sigmoid(z), 1 - sqrt(p g + e) - sqrt((1 - p)(1 - g) + e), mean
   over the regions with a label, then over the samples that have one. labels (n, regions): 0, 1, or
   LOSS_REGION_MISSING. */
double loss_fine(const double *z, int n, int stride, int regions, const uint8_t *labels, double *dz,
                 int64_t *labelled);

/* sum over the task's columns of dz * tangent: the loss's derivative along the logits' `tangent`.
 */
double loss_derivative(const double *dz, const double *tangent, int n, int stride, int classes);

/* The share of labelled samples whose largest logit is their label's, and the area under the ROC
   curve of z_1 - z_0 for telling label 1 from label 0. NaN without such a sample (auc: when
   a class is absent). */
double coarse_accuracy(const double *z, int n, int stride, int classes, const int32_t *labels);
double coarse_auc(const double *z, int n, int stride, const int32_t *labels);

#endif
