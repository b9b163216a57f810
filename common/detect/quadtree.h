/* A quadtree over points of the plane, and the repulsive forces of t-SNE by it (Barnes and Hut
   1986; van der Maaten 2014). */
#ifndef BLADES_DETECT_QUADTREE_H
#define BLADES_DETECT_QUADTREE_H

#include "cli/error.h"

#include <stdint.h>

typedef struct quadtree_node {
    double x, y;           /* centre of mass */
    double square_extent;  /* of the longer side of the points' bounding box */
    uint32_t first, count; /* points, in the tree's order */
    uint32_t skip;         /* the node after this one and all below it */
    bool leaf;
} quadtree_node;

typedef struct quadtree {
    size_t capacity; /* points */
    size_t count, node_count;
    quadtree_node *nodes; /* in preorder */
    uint64_t *codes;      /* Morton codes, ascending */
    uint32_t *order;      /* which point is where in the tree's order */
    double *x, *y;        /* in the tree's order */
    void *scratch;
} quadtree;

bool quadtree_create(quadtree *t, size_t capacity, error *e);
void quadtree_free(quadtree *t);

/* Builds the tree of `count` <= capacity positions (count, 2), all finite. Points at one place are
 * fine. */
void quadtree_build(quadtree *t, const double *positions, size_t count);

/* For the point at place i of the tree's order: force (2) = sum over the others of q^2 (y_i - y_j),
   and returns the sum of q, with q = 1 / (1 + |y_i - y_j|^2). A node is taken as one when its
   extent is below `angle` times its distance. */
double quadtree_repulsion(const quadtree *t, size_t i, double angle, double force[2]);

#endif
