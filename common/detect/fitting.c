/* What the tools that fit detectors share. */
#include "detect/fitting.h"

#include "cli/memory.h"
#include "cli/output.h"
#include "cli/plural.h"
#include "cli/threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool fitting_begin(fitting *f, cli *c, detector_kind kind, error *e)
{
    *f = (fitting){.c = c, .result = {.kind = kind, .threshold = 0.5, .false_alarm_rate = NAN}};
    points_single_threaded_blas();
    if (!output_check(c->output, true, e) || !threads_start(c->threads, e) ||
        !embeddings_read(&f->faces, &c->inputs, false, e))
        return false;
    if (f->faces.errors)
        cli_note(c, "%zu image%s had failed before", f->faces.errors, plural(f->faces.errors));
    f->index = memory_allocate(f->faces.count + 1, sizeof *f->index, e);
    if (f->faces.model && !(f->result.model = strdup(f->faces.model)))
        return error_set(e, STATUS_SYSTEM, "out of memory");
    return f->index != NULL;
}

points fitting_points(const fitting *f)
{
    return embeddings_points(&f->faces, f->index, f->fitted);
}

points fitting_held_out_points(const fitting *f)
{
    return embeddings_points(&f->faces, f->index + f->fitted, f->used - f->fitted);
}

bool fitting_calibrate(fitting *f, const points *p, double false_alarm_rate, const char *name,
                       error *e)
{
    double *scores = memory_allocate(p->count + 1, sizeof *scores, e);
    if (!scores || !detector_scores(&f->result, p, f->c->threads, scores, e)) {
        free(scores);
        return false;
    }
    detector_calibrate(&f->result, scores, p->count, false_alarm_rate, name);
    if (false_alarm_rate > 0 && (double)p->count * false_alarm_rate < 1)
        cli_warn(f->c, "%zu face%s few for a false alarm rate of %g: the threshold is rough",
                 p->count, p->count == 1 ? " is" : "s are", false_alarm_rate);
    return true;
}

bool fitting_write(const fitting *f, error *e)
{
    return detector_write(&f->result, f->c, &f->faces.header.object, e);
}

void fitting_end(fitting *f)
{
    embeddings_free(&f->faces);
    detector_free(&f->result);
    free(f->index);
    *f = (fitting){0};
}
