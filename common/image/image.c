/* Images in memory and the eight EXIF orientations. */
#include "image/image.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>

bool image_allocate(image *i, int width, int height, error *e)
{
    if (width < 1 || height < 1) {
        image_free(i);
        return error_set(e, STATUS_DATA, "an image cannot be %d x %d pixels", width, height);
    }
    size_t count = (size_t)width * (size_t)height;
    if (count > (size_t)i->width * (size_t)i->height) {
        image_free(i);
        i->pixels = memory_allocate(3 * count + IMAGE_PADDING, 1, e);
        if (i->pixels == NULL) return false;
    }
    i->width = width;
    i->height = height;
    return true;
}

void image_free(image *i)
{
    free(i->pixels);
    *i = (image){0};
}

/* Every orientation is a transposition (5..8) followed by mirrorings of the upright image. */
static bool transposed(int orientation)
{
    return orientation >= 5 && orientation <= 8;
}

static bool mirrored_x(int orientation)
{
    return orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
}

static bool mirrored_y(int orientation)
{
    return orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
}

void orientation_point(int orientation, double width, double height, double *x, double *y)
{
    double u = transposed(orientation) ? *y : *x, v = transposed(orientation) ? *x : *y;
    double upright_width = transposed(orientation) ? height : width;
    double upright_height = transposed(orientation) ? width : height;
    *x = mirrored_x(orientation) ? upright_width - u : u;
    *y = mirrored_y(orientation) ? upright_height - v : v;
}

void orientation_point_back(int orientation, double width, double height, double *x, double *y)
{
    double upright_width = transposed(orientation) ? height : width;
    double upright_height = transposed(orientation) ? width : height;
    double u = mirrored_x(orientation) ? upright_width - *x : *x;
    double v = mirrored_y(orientation) ? upright_height - *y : *y;
    *x = transposed(orientation) ? v : u;
    *y = transposed(orientation) ? u : v;
}

bool image_orient(const image *stored, int orientation, image *upright, error *e)
{
    int width = transposed(orientation) ? stored->height : stored->width;
    int height = transposed(orientation) ? stored->width : stored->height;
    if (!image_allocate(upright, width, height, e)) return false;
    size_t step_x = 3, step_y = (size_t)stored->width * 3;
    if (transposed(orientation)) {
        step_x = step_y;
        step_y = 3;
    }
    uint8_t *to = upright->pixels;
    for (int y = 0; y < height; y++) {
        size_t row = (size_t)(mirrored_y(orientation) ? height - 1 - y : y) * step_y;
        for (int x = 0; x < width; x++, to += 3) {
            size_t column = (size_t)(mirrored_x(orientation) ? width - 1 - x : x) * step_x;
            memcpy(to, stored->pixels + row + column, 3);
        }
    }
    return true;
}
