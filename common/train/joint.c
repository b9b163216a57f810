/* Logits as scaled cosines between images and prompts. */
#include "train/joint.h"

#include "cli/memory.h"
#include "nn/l2norm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool joint_create(joint *j, int capacity, int prompts, int dimension, error *e)
{
    *j = (joint){.capacity = capacity, .prompts = prompts, .dimension = dimension};
    size_t n = (size_t)capacity, p = (size_t)prompts, d = (size_t)dimension;
    j->image = memory_allocate(n * d, sizeof(double), e);
    j->text = memory_allocate(p * d, sizeof(double), e);
    j->image_length = memory_allocate(n, sizeof(double), e);
    j->text_length = memory_allocate(p, sizeof(double), e);
    j->cosine = memory_allocate(n * p, sizeof(double), e);
    j->work = memory_allocate((n > p ? n : p) * d, sizeof(double), e);
    return e->status == 0;
}

void joint_free(joint *j)
{
    free(j->image);
    free(j->text);
    free(j->image_length);
    free(j->text_length);
    free(j->cosine);
    free(j->work);
    *j = (joint){0};
}

static double dot(const double *a, const double *b, int d)
{
    double sum = 0;
    for (int k = 0; k < d; k++) sum += a[k] * b[k];
    return sum;
}

void joint_forward(joint *j, int n, const float *image, const float *text, double s, double *logits)
{
    size_t d = (size_t)j->dimension, p = (size_t)j->prompts;
    j->count = n;
    j->scale = exp(s);
    l2norm_forward(j->image, j->image_length, image, n, j->dimension);
    l2norm_forward(j->text, j->text_length, text, j->prompts, j->dimension);
    for (size_t b = 0; b < (size_t)n; b++) {
        for (size_t c = 0; c < p; c++) {
            j->cosine[b * p + c] = dot(j->image + b * d, j->text + c * d, j->dimension);
            logits[b * p + c] = j->scale * j->cosine[b * p + c];
        }
    }
}

/* out (rows, D): for each row, sum over the other side of weight * unit vector, across its own.
 */
static void pull_back(const joint *j, const double *dlogits, bool to_images, float *out)
{
    size_t d = (size_t)j->dimension, p = (size_t)j->prompts, n = (size_t)j->count;
    size_t rows = to_images ? n : p, others = to_images ? p : n;
    const double *unit = to_images ? j->image : j->text, *other = to_images ? j->text : j->image;
    const double *length = to_images ? j->image_length : j->text_length;
    memset(j->work, 0, rows * d * sizeof(double));
    for (size_t r = 0; r < rows; r++) {
        double *row = j->work + r * d;
        for (size_t o = 0; o < others; o++) {
            double weight = j->scale * dlogits[to_images ? r * p + o : o * p + r];
            if (weight == 0) continue;
            for (size_t k = 0; k < d; k++) row[k] += weight * other[o * d + k];
        }
        l2norm_backward(row, row, unit + r * d, length + r, 1, j->dimension);
        for (size_t k = 0; k < d; k++) out[r * d + k] = (float)row[k];
    }
}

void joint_backward(joint *j, const double *dlogits, float *dimage, float *dtext, double *ds)
{
    size_t count = (size_t)j->count * (size_t)j->prompts;
    *ds = 0;
    for (size_t i = 0; i < count; i++) *ds += dlogits[i] * j->scale * j->cosine[i];
    pull_back(j, dlogits, true, dimage);
    pull_back(j, dlogits, false, dtext);
}

/* Adds to logits_tangent what the change of one side's features does. */
static void push_forward(const joint *j, const float *tangent, bool of_images,
                         double *logits_tangent)
{
    size_t d = (size_t)j->dimension, p = (size_t)j->prompts, n = (size_t)j->count;
    size_t rows = of_images ? n : p, others = of_images ? p : n;
    const double *unit = of_images ? j->image : j->text, *other = of_images ? j->text : j->image;
    const double *length = of_images ? j->image_length : j->text_length;
    for (size_t r = 0; r < rows; r++) {
        double *row = j->work + r * d;
        for (size_t k = 0; k < d; k++) row[k] = tangent[r * d + k];
        l2norm_jvp(row, row, unit + r * d, length + r, 1, j->dimension);
        for (size_t o = 0; o < others; o++)
            logits_tangent[of_images ? r * p + o : o * p + r] +=
                j->scale * dot(row, other + o * d, j->dimension);
    }
}

void joint_jvp(joint *j, const float *image_tangent, const float *text_tangent, double s_tangent,
               double *logits_tangent)
{
    size_t count = (size_t)j->count * (size_t)j->prompts;
    for (size_t i = 0; i < count; i++) logits_tangent[i] = s_tangent * j->scale * j->cosine[i];
    if (image_tangent) push_forward(j, image_tangent, true, logits_tangent);
    if (text_tangent) push_forward(j, text_tangent, false, logits_tangent);
}
