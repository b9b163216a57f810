/* Nearest neighbours by cosine similarity, as a detector: the class-balanced share of generated
   faces among the k stored faces most like a given one. */
#ifndef BLADES_DETECT_NEIGHBOURS_H
#define BLADES_DETECT_NEIGHBOURS_H

#include "detect/points.h"

typedef struct neighbours {
    size_t count, dimension, k;
    float *vectors;  /* (count, dimension), unit length */
    uint8_t *labels; /* (count): 1 generated */
} neighbours;

/* Copies and normalises the points. Both classes must be present; k <= count. */
bool neighbours_create(neighbours *n, const points *p, const uint8_t *labels, size_t k, error *e);
void neighbours_free(neighbours *n);

/* probability (count) of being generated: g / (g + f), g and f the shares of all generated and of
   all photographic stored faces that are among the k nearest. All at the distance of the k-th count
   alike, each as its share of the places that the nearer ones leave. */
bool neighbours_predict(const neighbours *n, const points *x, int threads, double *probability,
                        error *e);

/* The k nearest points of each point but itself by Euclidean distance, nearest first: index (count,
   k) and squared distance (count, k). k < count. For t-SNE. */
bool neighbours_of_points(const points *p, size_t k, int threads, uint32_t *index, float *distance,
                          error *e);

#endif
