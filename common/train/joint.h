/* The joint embedding: image and prompt features scaled to unit length, logits
   z = exp(s) <image, prompt>. Work is done in double; the features are the encoders' floats. */
#ifndef BLADES_TRAIN_JOINT_H
#define BLADES_TRAIN_JOINT_H

#include "cli/error.h"

typedef struct joint {
    int capacity, prompts, dimension;   /* N, P, D */
    int count;                          /* images of the last forward pass, n <= N */
    double scale;                       /* exp(s) of the last forward pass */
    double *image, *text;               /* unit vectors (N, D), (P, D) */
    double *image_length, *text_length; /* lengths before scaling, at least 1e-12: (N), (P) */
    double *cosine;                     /* (N, P) */
    double *work;                       /* (max(N, P), D) */
} joint;

/* Room for `capacity` images. Free with joint_free, also after failure. */
bool joint_create(joint *j, int capacity, int prompts, int dimension, error *e);
void joint_free(joint *j);

/* logits (n, P) = exp(s) <image_b / |image_b|, text_c / |text_c|>; image (n, D), text (P, D).
   Lengths below 1e-12 count as 1e-12, as in PyTorch's normalize. Keeps what the others need. */
void joint_forward(joint *j, int n, const float *image, const float *text, double s,
                   double *logits);

/* The gradients of <logits, dlogits>: dimage (n, D), dtext (P, D), *ds, all overwritten. */
void joint_backward(joint *j, const double *dlogits, float *dimage, float *dtext, double *ds);

/* The derivative of the logits when the features change along image_tangent (n, D) and text_tangent
   (P, D) and s along s_tangent; NULL where constant. */
void joint_jvp(joint *j, const float *image_tangent, const float *text_tangent, double s_tangent,
               double *logits_tangent);

#endif
