/* Taking the stuffing out of a JPEG's scan. */
#include "image/jpeg_scan.h"

#include <stdlib.h>

/* Markers (T.81, table B.1). */
enum { RST0 = 0xd0, RESTARTS = 8 };

static bool section_end(scan_data *d, const uint8_t *to)
{
    if ((d->sections & (d->sections - 1)) == 0) {
        size_t room = d->sections == 0 ? 1 : 2 * d->sections;
        int64_t *ends = realloc(d->ends, room * sizeof *ends);
        if (ends == NULL) return false;
        d->ends = ends;
    }
    d->ends[d->sections++] = 8 * (int64_t)(to - d->bytes);
    return true;
}

bool scan_data_read(scan_data *d, const uint8_t *at, const uint8_t *end, bool restarts)
{
    size_t size = (size_t)(end - at);
    *d = (scan_data){.bytes = malloc(size + SCAN_PADDING)};
    if (d->bytes == NULL) return false;
    uint8_t *to = d->bytes;
    for (;;) {
        const uint8_t *next = memchr(at, 0xff, (size_t)(end - at));
        if (next == NULL) next = end;
        memcpy(to, at, (size_t)(next - at));
        to += next - at;
        at = next;
        if (end - at < 2) break;
        if (at[1] == 0) {
            *to++ = 0xff;
        } else if (restarts && at[1] == RST0 + d->sections % RESTARTS) {
            if (!section_end(d, to)) return false;
        } else {
            break;
        }
        at += 2;
    }
    d->rest = at;
    memset(to, 0, SCAN_PADDING);
    return section_end(d, to);
}

void scan_data_free(scan_data *d)
{
    free(d->bytes);
    free(d->ends);
    *d = (scan_data){0};
}
