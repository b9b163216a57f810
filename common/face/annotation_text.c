/* Annotations in plain text: CelebA's lists and 300-W's points. */
#include "face/annotation_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MOST = 16, LINE_MOST = 4096 };
#define BLANKS " \t\r,"

/* Reads line after line, each copied and split into words. */
typedef struct line_reader {
    const char *bytes;
    size_t size, at, number;
    const char *separators;
    char text[LINE_MOST];
    char *word[WORDS_MOST];
    int words; /* WORDS_MOST + 1: more than fit */
} line_reader;

static bool line_next(line_reader *r)
{
    if (r->at >= r->size) return false;
    const char *start = r->bytes + r->at, *end = memchr(start, '\n', r->size - r->at);
    size_t length = end == NULL ? r->size - r->at : (size_t)(end - start);
    r->at += length + 1;
    r->number++;
    if (length >= LINE_MOST) length = LINE_MOST - 1;
    memcpy(r->text, start, length);
    r->text[length] = '\0';
    r->words = 0;
    char *save;
    for (char *w = strtok_r(r->text, r->separators, &save); w != NULL;
         w = strtok_r(NULL, r->separators, &save)) {
        if (r->words == WORDS_MOST) {
            r->words++;
            break;
        }
        r->word[r->words++] = w;
    }
    return true;
}

static bool words_numbers(const line_reader *r, int first, int count, double *numbers, error *e)
{
    for (int i = 0; i < count; i++) {
        char *end;
        numbers[i] = strtod(r->word[first + i], &end);
        if (*end != '\0' || end == r->word[first + i]) {
            return error_set(e, STATUS_DATA, "line %zu: '%s' is no number", r->number,
                             r->word[first + i]);
        }
    }
    return true;
}

/* A word that is a whole number, such as a count; -1: it is none. */
static long word_count(const char *word)
{
    char *end;
    long count = strtol(word, &end, 10);
    return end == word || *end != '\0' || count < 0 ? -1 : count;
}

/* The lines before the first entry: a count and column names, or column names alone. The count goes
 * to *promised, -1: there is none. */
static bool celeba_head_read(line_reader *r, long *promised, error *e)
{
    *promised = -1;
    if (line_next(r) && strcmp(r->words > 0 ? r->word[0] : "", "image_id") == 0 &&
        (r->words == 5 || r->words == 11)) {
        if (memchr(r->bytes, ',', r->at) != NULL) r->separators = ",\r";
        return true;
    }
    if (r->number == 1 && r->words == 1) *promised = word_count(r->word[0]);
    if (*promised < 0) {
        return error_set(e, STATUS_DATA,
                         "line 1: no number of entries and no names of columns, as CelebA's lists "
                         "begin with");
    }
    line_next(r);
    return true;
}

/* A file name and 4 numbers (x, y, width, height) or 10 (points). */
static bool celeba_entry_add(annotations *a, const line_reader *r, error *e)
{
    if (r->words != 5 && r->words != 11) {
        return error_set(e, STATUS_DATA,
                         "line %zu: no file name with 4 or 10 numbers, as CelebA's lists have",
                         r->number);
    }
    double numbers[10];
    bool box = r->words == 5;
    if (!words_numbers(r, 1, r->words - 1, numbers, e) ||
        !annotations_add(a, r->word[0], strlen(r->word[0]), e)) {
        return false;
    }
    if (box) {
        numbers[2] += numbers[0];
        numbers[3] += numbers[1];
    }
    return annotations_add_face(a, box ? numbers : NULL, box ? NULL : numbers, box ? 0 : 5, e) ||
           error_context(e, "line %zu", r->number);
}

bool annotations_read_celeba(annotations *a, const char *name, const char *bytes, size_t size,
                             error *e)
{
    line_reader r = {.bytes = bytes, .size = size, .separators = BLANKS};
    long promised, found = 0;
    if (!celeba_head_read(&r, &promised, e)) return false;
    while (line_next(&r)) {
        if (r.words == 0) continue;
        if (!celeba_entry_add(a, &r, e)) return false;
        found++;
    }
    if (promised < 0 || found == promised) return true;
    return error_set(e, STATUS_DATA, "line 1 says %ld entries, but there are %ld", promised, found);
}

/* How many points a line "n_points: 68" promises, with or without blanks at the colon. True unless
   it is such a line without a count. */
static bool promise_read(const line_reader *r, long *promised, error *e)
{
    static const char key[] = "n_points";
    size_t length = strlen(key);
    if (strncmp(r->word[0], key, length) != 0) return true;
    const char *at = r->word[0] + length;
    int words = r->words < WORDS_MOST ? r->words : WORDS_MOST;
    for (int i = 1; *at == ':' || (*at == '\0' && i < words);) {
        at = *at == ':' ? at + 1 : r->word[i++];
    }
    *promised = word_count(at);
    return *promised >= 0 || error_set(e, STATUS_DATA, "line %zu: no number of points", r->number);
}

/* "version: 1", "n_points: 68", "{", a line "x y" for every point, "}". */
bool annotations_read_pts(annotations *a, const char *name, const char *bytes, size_t size,
                          error *e)
{
    line_reader r = {.bytes = bytes, .size = size, .separators = BLANKS};
    double landmarks[2 * LANDMARKS_MOST];
    int points = 0;
    long promised = -1;
    bool opened = false, closed = false;
    while (!closed && line_next(&r)) {
        if (r.words == 0) continue;
        if (!opened) {
            opened = strcmp(r.word[0], "{") == 0;
            if (!promise_read(&r, &promised, e)) return false;
            continue;
        }
        closed = strcmp(r.word[0], "}") == 0;
        if (closed) continue;
        if (r.words != 2 || points == LANDMARKS_MOST) {
            return error_set(e, STATUS_DATA, "line %zu: no point, or one too many", r.number);
        }
        if (!words_numbers(&r, 0, 2, landmarks + 2 * points, e)) return false;
        points++;
    }
    if (!closed) return error_set(e, STATUS_DATA, "has no points between { and }");
    if (promised >= 0 && promised != points) {
        return error_set(e, STATUS_DATA, "says %ld points, but has %d", promised, points);
    }
    annotation *entry = annotations_add(a, name, strlen(name), e);
    if (entry == NULL) return false;
    entry->no_suffix = true;
    return annotations_add_face(a, NULL, landmarks, points, e);
}
