/* The two principal components of points. */
#ifndef BLADES_DETECT_PCA_H
#define BLADES_DETECT_PCA_H

#include "detect/points.h"

/* positions (count, 2): the centred points along the directions of largest variance; each
   direction's largest coefficient is positive. share (2; may be NULL): of the total variance. Same
   numbers for any number of threads. */
bool pca_project(const points *p, int threads, double *positions, double *share, error *e);

#endif
