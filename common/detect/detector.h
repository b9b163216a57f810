/* A detector of generated faces of any kind, with its threshold and what it knows of photographic
   faces, in one file.

   The file is safetensors. __metadata__: blades_kind "gmm", "mlp", "linear" or "knn"; "higher":
   what a higher score means, "photographic" (gmm: the score is a log-likelihood) or "generated"
   (the others: the score is the probability of being generated); "threshold"; "false_alarm_rate"
   and "calibration" where the threshold came from photographs; "model": the digest of the encoder
   the embeddings came from; "provenance". Tensors: gmm: weights (k), means (k, d), covariances
   (full (k, d, d), tied (d, d), diagonal (k, d)), all F64, and the metadata "covariance"; mlp:
   fc1.weight, fc1.bias, fc2.weight, fc2.bias; linear: fc2.*; knn: vectors (n, d), labels (n) of U8,
   and the metadata "k". calibration_scores (n), F64, ascending: the scores of the held-out
   photographic faces, which p-values are read from; it may be missing. */
#ifndef BLADES_DETECT_DETECTOR_H
#define BLADES_DETECT_DETECTOR_H

#include "cli/cli.h"
#include "detect/gmm.h"
#include "detect/neighbours.h"
#include "detect/perceptron.h"

#include <msgpack.h>

typedef enum detector_kind {
    DETECTOR_GMM,
    DETECTOR_MLP,
    DETECTOR_LINEAR,
    DETECTOR_KNN
} detector_kind;
extern const char *const detector_kind_names[]; /* "gmm", "mlp", "linear", "knn", NULL */

typedef struct detector {
    detector_kind kind;
    gmm mixture;
    perceptron network;
    neighbours stored;
    double threshold;
    double false_alarm_rate;    /* NaN: the threshold did not come from a rate */
    const char *calibration;    /* "heldout", "fit", "file", "none" */
    double *calibration_scores; /* (calibration_count), ascending; may be NULL */
    size_t calibration_count;
    char *model; /* NULL: unknown */
    void *text;  /* what calibration of a file read points to */
} detector;

size_t detector_dimension(const detector *d);
/* Does a higher score mean photographic? */
bool detector_higher_is_photographic(const detector *d);

/* score (count) of each point. */
bool detector_scores(const detector *d, const points *p, int threads, double *score, error *e);

/* Below a mixture's threshold, or above the others': generated. */
bool detector_says_generated(const detector *d, double score);

/* The share of calibration faces that look at least as odd (a score as low, or for the other kinds
   as high); NaN without calibration scores. */
double detector_p_value(const detector *d, double score);

/* Takes over scores (sorted here) as calibration scores; with a false alarm rate (not NaN) sets the
   threshold to its quantile: that share of the scores lies on the generated side. */
void detector_calibrate(detector *d, double *scores, size_t count, double false_alarm_rate,
                        const char *name);

/* `input_header`: the header of the embeddings, whose provenance is copied and this tool's
 * appended. */
bool detector_write(const detector *d, const cli *c, const msgpack_object *input_header, error *e);
/* Prepared for scoring. STATUS_DATA when it is no detector or anything in it does not fit. */
bool detector_read(detector *d, const char *path, int threads, error *e);
void detector_free(detector *d);

#endif
