/* The structure of msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md), without its
 * values. */
#include "stream/scan.h"

#include <stdbool.h>

/* What a first byte says: how many bytes of length follow, how large a fixed body is, how many
   values a container holds. */
typedef struct token {
    int length_bytes;       /* big-endian length after the first byte */
    uint64_t body;          /* bytes after the length, beside what the length counts */
    uint64_t children;      /* values inside */
    int children_per_count; /* containers: values a unit of length, else 0 */
    bool valid;
} token;

static token classify_extended(unsigned char first)
{
    static const token tokens[32] = {
        [0x00] = {.valid = true},                    /* nil */
        [0x02] = {.valid = true},                    /* false */
        [0x03] = {.valid = true},                    /* true */
        [0x04] = {.length_bytes = 1, .valid = true}, /* bin 8, 16, 32 */
        [0x05] = {.length_bytes = 2, .valid = true},
        [0x06] = {.length_bytes = 4, .valid = true},
        [0x07] = {.length_bytes = 1, .body = 1, .valid = true}, /* ext 8, 16, 32 */
        [0x08] = {.length_bytes = 2, .body = 1, .valid = true},
        [0x09] = {.length_bytes = 4, .body = 1, .valid = true},
        [0x0a] = {.body = 4, .valid = true}, /* float 32, 64 */
        [0x0b] = {.body = 8, .valid = true},
        [0x0c] = {.body = 1, .valid = true}, /* uint 8 ... 64 */
        [0x0d] = {.body = 2, .valid = true},
        [0x0e] = {.body = 4, .valid = true},
        [0x0f] = {.body = 8, .valid = true},
        [0x10] = {.body = 1, .valid = true}, /* int 8 ... 64 */
        [0x11] = {.body = 2, .valid = true},
        [0x12] = {.body = 4, .valid = true},
        [0x13] = {.body = 8, .valid = true},
        [0x14] = {.body = 2, .valid = true}, /* fixext 1 ... 16 */
        [0x15] = {.body = 3, .valid = true},
        [0x16] = {.body = 5, .valid = true},
        [0x17] = {.body = 9, .valid = true},
        [0x18] = {.body = 17, .valid = true},
        [0x19] = {.length_bytes = 1, .valid = true}, /* str 8, 16, 32 */
        [0x1a] = {.length_bytes = 2, .valid = true},
        [0x1b] = {.length_bytes = 4, .valid = true},
        [0x1c] = {.length_bytes = 2, .children_per_count = 1, .valid = true}, /* array 16, 32 */
        [0x1d] = {.length_bytes = 4, .children_per_count = 1, .valid = true},
        [0x1e] = {.length_bytes = 2, .children_per_count = 2, .valid = true}, /* map 16, 32 */
        [0x1f] = {.length_bytes = 4, .children_per_count = 2, .valid = true},
    };
    return tokens[first - 0xc0];
}

static token classify(unsigned char first)
{
    if (first < 0x80 || first >= 0xe0) return (token){.valid = true}; /* fixint */
    if (first < 0x90) return (token){.children = 2 * (first & 15u), .valid = true};
    if (first < 0xa0) return (token){.children = first & 15u, .valid = true};
    if (first < 0xc0) return (token){.body = first & 31u, .valid = true};
    return classify_extended(first);
}

/* One value complete at the current depth: close the containers it completes. True: all closed. */
static bool complete_value(stream_scan *s)
{
    while (s->depth > 0) {
        if (--s->pending[s->depth - 1] > 0) return false;
        s->depth--;
    }
    return true;
}

scan_result stream_scan_value(stream_scan *s, const unsigned char *bytes, size_t size)
{
    while (s->position < size) {
        token t = classify(bytes[s->position]);
        if (!t.valid) return SCAN_INVALID;
        if (size - s->position < (size_t)t.length_bytes + 1) return SCAN_MORE;
        uint64_t length = 0;
        for (int i = 1; i <= t.length_bytes; i++)
            length = length << 8 | bytes[s->position + (size_t)i];
        uint64_t children = t.children + length * (uint64_t)t.children_per_count;
        uint64_t whole =
            1 + (uint64_t)t.length_bytes + t.body + (t.children_per_count ? 0 : length);
        if (whole > SCAN_SIZE_MAX - s->position || children > SCAN_VALUES_MAX) return SCAN_LIMIT;
        if (size - s->position < whole) return SCAN_MORE;
        s->position += whole;
        if (++s->values > SCAN_VALUES_MAX) return SCAN_LIMIT;
        if (children) {
            if (s->depth == SCAN_DEPTH_MAX) return SCAN_LIMIT;
            s->pending[s->depth++] = children;
        } else if (complete_value(s)) {
            return SCAN_DONE;
        }
    }
    return SCAN_MORE;
}

const char *scan_complaint(scan_result result)
{
    static const char *const complaints[] = {
        [SCAN_DONE] = NULL,
        [SCAN_MORE] = "the input ends in the middle of it (truncated?)",
        [SCAN_INVALID] = "not msgpack",
        [SCAN_LIMIT] = "too large or too deeply nested",
    };
    return complaints[result];
}
