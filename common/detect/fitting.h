/* What the tools that fit detectors share: reading faces, fitting to some and holding out others,
   writing the detector. */
#ifndef BLADES_DETECT_FITTING_H
#define BLADES_DETECT_FITTING_H

#include "detect/detector.h"
#include "detect/embeddings.h"

typedef struct fitting {
    cli *c;
    embeddings faces;
    uint32_t *index; /* of the faces used: those fitted to, then those held out */
    size_t used, fitted;
    detector result;
} fitting;

/* Checks c->output, reads c->inputs and makes room in `index` for all faces. A failed fitting is
 * also to be ended. */
bool fitting_begin(fitting *f, cli *c, detector_kind kind, error *e);
points fitting_points(const fitting *f);          /* index[0..fitted) */
points fitting_held_out_points(const fitting *f); /* index[fitted..used) */

/* The scores of these faces become the detector's calibration, with detector_calibrate. */
bool fitting_calibrate(fitting *f, const points *p, double false_alarm_rate, const char *name,
                       error *e);
/* Writes the detector to c->output. */
bool fitting_write(const fitting *f, error *e);
void fitting_end(fitting *f);

#endif
