/* The random choices of a variant as a line of JSON. */
#include "face/trace.h"

#include "stream/json.h"
#include "stream/number.h"

#include <stdlib.h>
#include <string.h>

static json_t *numbers_json(const double *numbers, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(array, json_real(numbers[i]));
    return array;
}

static json_t *points_json(const double (*points)[2], int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(array, numbers_json(points[i], 2));
    return array;
}

static json_t *rectangle_json(rectangle r)
{
    return json_pack("[iiii]", r.left, r.top, r.right, r.bottom);
}

/* Both triangles of every cell, as numbers of grid points. */
static json_t *triangles_json(const warp_grid *g)
{
    json_t *array = json_array();
    for (int row = 0; row < g->rows - 1; row++) {
        for (int column = 0; column < g->columns - 1; column++) {
            int a = row * g->columns + column, b = a + 1, c = a + g->columns, d = c + 1;
            bool falling = g->diagonals[row * (g->columns - 1) + column] == '\\';
            json_array_append_new(array, json_pack("[iii]", a, b, falling ? d : c));
            json_array_append_new(
                array, json_pack("[iii]", falling ? a : b, falling ? c : d, falling ? d : c));
        }
    }
    return array;
}

static void flip_add(json_t *line, const variant *v)
{
    const mask_constants *k = &v->mask;
    json_object_set_new(line, "line",
                        json_pack("[iiii]", v->region.line[0], v->region.line[1], v->region.line[2],
                                  v->region.line[3]));
    json_object_set_new(line, "length", json_real(v->region.length));
    json_object_set_new(line, "dilations", json_integer(v->region.dilation));
    json_object_set_new(line, "region", rectangle_json(v->region.box));
    json_object_set_new(line, "patch", rectangle_json(v->patch));
    json_object_set_new(line, "flip", json_string(flip_names[v->how]));
    json_object_set_new(line, "ratio", json_real(v->ratio));
    json_object_set_new(line, "mask",
                        json_pack("{s:[if], s:f, s:i, s:[if]}", "first_blur", k->first_count,
                                  k->first_sigma, "fallback_sigma", k->fallback_sigma, "ellipse",
                                  k->ellipse, "second_blur", k->second_count, k->second_sigma));
}

static void warp_add(json_t *line, const variant *v)
{
    if (v->affine) {
        json_object_set_new(line, "spread", json_real(v->map.spread));
        json_object_set_new(line, "matrix", numbers_json(v->map.matrix, 6));
        return;
    }
    int count = v->grid.rows * v->grid.columns;
    json_object_set_new(line, "spread", json_real(v->grid.spread));
    json_object_set_new(line, "grid", json_pack("[ii]", v->grid.rows, v->grid.columns));
    json_object_set_new(line, "from", points_json(v->grid.from, count));
    json_object_set_new(line, "to", points_json(v->grid.to, count));
    json_object_set_new(line, "triangles", triangles_json(&v->grid));
}

/* Paths need not be UTF-8. */
static json_t *text_json(const char *text)
{
    return json_from_text(text, strlen(text), "?");
}

char *trace_line(const trace_face *f, const char *variant_id, const variant *v)
{
    json_t *line = json_object();
    json_object_set_new(line, "id", text_json(variant_id));
    json_object_set_new(line, "face", text_json(f->id));
    json_object_set_new(line, "photo", text_json(f->photo));
    json_object_set_new(line, "path", text_json(f->path));
    json_object_set_new(line, "manipulation", json_string(manipulation_name(v->what, v->affine)));
    json_object_set_new(line, "draw", json_integer(v->draw));
    json_object_set_new(line, "orientation", json_integer(f->orientation));
    json_object_set_new(line, "denominator", json_integer(f->denominator));
    json_object_set_new(line, "box", numbers_json(f->box, 4));
    json_object_set_new(
        line, "crop",
        json_pack("[iiii]", f->where.left, f->where.top, f->where.right, f->where.bottom));
    json_object_set_new(line, "resampling", json_string(resampling_names[f->how]));
    json_object_set_new(line, "working_size", json_integer(f->working_size));
    json_object_set_new(line, "size", json_integer(f->size));
    json_object_set_new(line, "landmarks", numbers_json(f->landmarks, 2 * f->points));
    if (v->what == WARP) {
        warp_add(line, v);
    } else if (v->what != PHOTOGRAPHIC) {
        flip_add(line, v);
    }
    char *text = number_json_dumps(line, JSON_COMPACT);
    json_decref(line);
    if (text == NULL) return NULL;
    size_t length = strlen(text);
    char *with_newline = realloc(text, length + 2);
    if (with_newline == NULL) {
        free(text);
        return NULL;
    }
    memcpy(with_newline + length, "\n", 2);
    return with_newline;
}
