/* Annotations in dlib's XML (imglab): images with boxes with numbered parts. */
#include "face/annotation_internal.h"

#include <expat.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct dlib_reader {
    annotations *a;
    error *e;
    XML_Parser parser;
    bool in_image, in_box, ignored;
    double box[4];
    double landmarks[2 * LANDMARKS_MOST];
    bool seen[LANDMARKS_MOST];
} dlib_reader;

static const char *attribute(const XML_Char **attributes, const char *name)
{
    for (; attributes[0] != NULL; attributes += 2) {
        if (strcmp(attributes[0], name) == 0) return attributes[1];
    }
    return NULL;
}

static double attribute_number(dlib_reader *r, const XML_Char **attributes, const char *name)
{
    const char *text = attribute(attributes, name);
    char *end = NULL;
    double number = text == NULL ? 0 : strtod(text, &end);
    if (text == NULL) {
        error_set(r->e, STATUS_DATA, "an element lacks the number '%s'", name);
    } else if (end == text || *end != '\0' || !isfinite(number)) {
        error_set(r->e, STATUS_DATA, "%s='%s' is no number", name, text);
    } else {
        return number;
    }
    return 0;
}

static void image_begin(dlib_reader *r, const XML_Char **attributes)
{
    const char *file = attribute(attributes, "file");
    if (file == NULL) {
        error_set(r->e, STATUS_DATA, "an image has no file");
        return;
    }
    r->in_image = annotations_add(r->a, file, strlen(file), r->e) != NULL;
}

static void box_begin(dlib_reader *r, const XML_Char **attributes)
{
    const char *ignore = attribute(attributes, "ignore");
    r->in_box = true;
    r->ignored = ignore != NULL && strcmp(ignore, "0") != 0;
    r->box[0] = attribute_number(r, attributes, "left");
    r->box[1] = attribute_number(r, attributes, "top");
    r->box[2] = r->box[0] + attribute_number(r, attributes, "width");
    r->box[3] = r->box[1] + attribute_number(r, attributes, "height");
    memset(r->seen, 0, sizeof r->seen);
}

static void part_read(dlib_reader *r, const XML_Char **attributes)
{
    double number = attribute_number(r, attributes, "name");
    if (r->e->status != 0) return;
    if (number < 0 || number >= LANDMARKS_MOST || number != floor(number)) {
        error_set(r->e, STATUS_DATA, "a part is called '%s', not a number below %d",
                  attribute(attributes, "name"), LANDMARKS_MOST);
        return;
    }
    int i = (int)number;
    r->landmarks[2 * i] = attribute_number(r, attributes, "x");
    r->landmarks[2 * i + 1] = attribute_number(r, attributes, "y");
    r->seen[i] = true;
}

/* Parts are numbered from 0; only a whole set counts. */
static int parts_count(const dlib_reader *r)
{
    int count = 0;
    while (count < LANDMARKS_MOST && r->seen[count]) count++;
    for (int i = count; i < LANDMARKS_MOST; i++) {
        if (r->seen[i]) return 0;
    }
    return landmark_scheme_known(count) ? count : 0;
}

static void element_begin(void *context, const XML_Char *name, const XML_Char **attributes)
{
    dlib_reader *r = context;
    if (r->e->status != 0) return;
    if (strcmp(name, "image") == 0) {
        image_begin(r, attributes);
    } else if (strcmp(name, "box") == 0 && r->in_image) {
        box_begin(r, attributes);
    } else if (strcmp(name, "part") == 0 && r->in_box) {
        part_read(r, attributes);
    }
    if (r->e->status != 0) XML_StopParser(r->parser, XML_FALSE);
}

static void element_end(void *context, const XML_Char *name)
{
    dlib_reader *r = context;
    if (strcmp(name, "image") == 0) r->in_image = false;
    if (strcmp(name, "box") != 0 || !r->in_box) return;
    r->in_box = false;
    if (r->ignored || r->e->status != 0) return;
    if (!annotations_add_face(r->a, r->box, r->landmarks, parts_count(r), r->e)) {
        XML_StopParser(r->parser, XML_FALSE);
    }
}

bool annotations_read_dlib(annotations *a, const char *name, const char *bytes, size_t size,
                           error *e)
{
    dlib_reader r = {.a = a, .e = e, .parser = XML_ParserCreate(NULL)};
    if (r.parser == NULL) return error_set(e, STATUS_SYSTEM, "out of memory");
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, element_begin, element_end);
    enum XML_Status status = XML_STATUS_OK;
    for (size_t at = 0; status == XML_STATUS_OK;) {
        size_t length = size - at < INT_MAX / 2 ? size - at : INT_MAX / 2;
        bool last = at + length == size;
        status = XML_Parse(r.parser, bytes + at, (int)length, last);
        at += length;
        if (last) break;
    }
    size_t line = XML_GetCurrentLineNumber(r.parser);
    if (status != XML_STATUS_OK) {
        error_set(e, STATUS_DATA, "%s", XML_ErrorString(XML_GetErrorCode(r.parser)));
        error_context(e, "line %zu", line);
    }
    XML_ParserFree(r.parser);
    return e->status == 0;
}
