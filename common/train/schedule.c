/* How fast parameters are updated. */
#include "train/schedule.h"

#include <math.h>

double gradient_clip(double norm, double limit)
{
    if (limit <= 0) return 1;
    double factor = limit / (norm + 1e-6);
    return factor < 1 ? factor : 1;
}

double schedule_factor(const schedule *s, int64_t step, int64_t epoch)
{
    double rise = step < s->warmup ? (double)(step + 1) / (double)s->warmup : 1;
    if (s->kind == SCHEDULE_CONSTANT) return rise;
    int64_t past = step > s->warmup ? step - s->warmup : 0;
    double part = s->steps ? (double)past / (double)s->steps : (double)epoch / (double)s->epochs;
    return rise * 0.5 * (1 + cos(M_PI * (part < 1 ? part : 1)));
}
