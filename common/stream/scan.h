/* Finds where a msgpack value ends, without building it: resumable as bytes arrive, and bounded. */
#ifndef BLADES_STREAM_SCAN_H
#define BLADES_STREAM_SCAN_H

#include <stddef.h>
#include <stdint.h>

enum {
    SCAN_DEPTH_MAX = 32,       /* nested maps and arrays */
    SCAN_VALUES_MAX = 1 << 20, /* values in one record */
};
#define SCAN_SIZE_MAX ((size_t)1 << 30) /* bytes of one record */

typedef enum scan_result { SCAN_DONE, SCAN_MORE, SCAN_INVALID, SCAN_LIMIT } scan_result;

/* Start from `stream_scan s = {0}`, one for each value. */
typedef struct stream_scan {
    size_t position;                  /* bytes understood so far */
    size_t values;                    /* values begun so far */
    uint64_t pending[SCAN_DEPTH_MAX]; /* values still to come, by depth */
    int depth;
} stream_scan;

/* Goes on in `bytes`, which must begin with what was given before. SCAN_DONE: the value is the
   first s->position bytes. SCAN_MORE: give more bytes. SCAN_INVALID: no msgpack. SCAN_LIMIT: over a
   limit above. */
scan_result stream_scan_value(stream_scan *s, const unsigned char *bytes, size_t size);

/* What is wrong with a value for which there are no more bytes; NULL: nothing. */
const char *scan_complaint(scan_result result);

#endif
