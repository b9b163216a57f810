/* Regions of a face from its landmarks. */
#include "face/geometry.h"

#include <math.h>
#include <stddef.h>

/* Medians over photographic faces with 68 landmarks, in units of the distance of the eye centres.
 */
#define EYE_HALF_WIDTH 0.195
#define NOSE_BASE_FACTOR 1.24
#define FACE_SIDE 2.3
#define FACE_CENTRE 0.7

typedef struct point {
    double x, y;
} point;

const char *const region_names[] = {"mouth", "eye", "nose", NULL};

bool landmark_scheme_known(int points)
{
    return points == 5 || points == 7 || points == 68;
}

static point landmark(const double *landmarks, int i)
{
    return (point){landmarks[2 * i], landmarks[2 * i + 1]};
}

static point between(point a, point b)
{
    return (point){(a.x + b.x) * 0.5, (a.y + b.y) * 0.5};
}

static point truncated(point p)
{
    return (point){trunc(p.x), trunc(p.y)};
}

static double distance(point a, point b)
{
    return sqrt((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y));
}

/* What the regions are made of, as far as a scheme has it. */
typedef struct key_points {
    bool has_mouth;
    point mouth[2], eye[2], eye_centre[2], nose;
} key_points;

static key_points key_points_of_68(const double *l)
{
    return (key_points){
        .has_mouth = true,
        .mouth = {landmark(l, 48), landmark(l, 54)},
        .eye = {landmark(l, 42), landmark(l, 45)},
        .eye_centre = {between(landmark(l, 36), landmark(l, 39)),
                       between(landmark(l, 42), landmark(l, 45))},
        .nose = landmark(l, 33),
    };
}

static key_points key_points_of_few(const double *l, int points)
{
    point a = landmark(l, points == 5 ? 0 : 1), b = landmark(l, points == 5 ? 1 : 2);
    point left = a.x <= b.x ? a : b, right = a.x <= b.x ? b : a;
    point nose = landmark(l, points == 5 ? 2 : 0), middle = between(a, b);
    double dx = EYE_HALF_WIDTH * (right.x - left.x), dy = EYE_HALF_WIDTH * (right.y - left.y);
    key_points k = {
        .has_mouth = points == 5,
        .eye = {{right.x - dx, right.y - dy}, {right.x + dx, right.y + dy}},
        .eye_centre = {left, right},
        .nose = {middle.x + NOSE_BASE_FACTOR * (nose.x - middle.x),
                 middle.y + NOSE_BASE_FACTOR * (nose.y - middle.y)},
    };
    if (k.has_mouth) {
        k.mouth[0] = landmark(l, 3);
        k.mouth[1] = landmark(l, 4);
    }
    return k;
}

static bool inside(point p, int size)
{
    return p.x >= 0 && p.y >= 0 && p.x < size && p.y < size;
}

static int at_least(int a, int b)
{
    return a > b ? a : b;
}

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

rectangle rectangle_grow(rectangle r, int margin, int size)
{
    return (rectangle){at_least(r.left - margin, 0), at_least(r.top - margin, 0),
                       at_most(r.right + margin, size), at_most(r.bottom + margin, size)};
}

rectangle rectangle_common(rectangle a, rectangle b)
{
    return (rectangle){at_least(a.left, b.left), at_least(a.top, b.top), at_most(a.right, b.right),
                       at_most(a.bottom, b.bottom)};
}

/* The bounding box of OpenCV's line of thickness 2 is that of its end pixels grown by one; each
   dilation by a cross grows it by one more. */
static region region_make(point a, point b, double length, int dilation, int size)
{
    if (!inside(a, size) || !inside(b, size)) return (region){.lack = LACKS_ENDS};
    a = truncated(a);
    b = truncated(b);
    rectangle ends = {(int)fmin(a.x, b.x), (int)fmin(a.y, b.y), (int)fmax(a.x, b.x) + 1,
                      (int)fmax(a.y, b.y) + 1};
    return (region){
        .known = true,
        .line = {(int)a.x, (int)a.y, (int)b.x, (int)b.y},
        .length = length,
        .dilation = dilation,
        .box = rectangle_grow(ends, 1 + dilation, size),
    };
}

void face_regions(const double *landmarks, int points, int size, region regions[REGION_COUNT])
{
    bool marked = landmark_scheme_known(points);
    for (int i = 0; i < REGION_COUNT; i++) {
        regions[i] = (region){.lack = marked ? LACKS_ENDS : LACKS_LANDMARKS};
    }
    if (!marked) return;
    for (int i = 0; i < 2 * points; i++) {
        /* Far beyond any image, where differences would overflow; not a number fails too. */
        if (!(fabs(landmarks[i]) < 1e6)) return;
    }
    key_points k =
        points == 68 ? key_points_of_68(landmarks) : key_points_of_few(landmarks, points);
    if (k.has_mouth) {
        double w = distance(truncated(k.mouth[0]), truncated(k.mouth[1]));
        regions[REGION_MOUTH] = region_make(k.mouth[0], k.mouth[1], w, (int)floor(w / 3), size);
    } else {
        regions[REGION_MOUTH].lack = LACKS_LANDMARKS;
    }
    double w = distance(truncated(k.eye[0]), truncated(k.eye[1]));
    regions[REGION_EYE] = region_make(k.eye[0], k.eye[1], w, 2 * (int)floor(w / 4), size);
    point left = truncated(k.eye_centre[0]), right = truncated(k.eye_centre[1]);
    w = distance(left, right);
    regions[REGION_NOSE] = region_make(between(left, right), k.nose, w, (int)floor(w / 4), size);
}

bool landmark_box(const double *landmarks, int points, double box[4])
{
    if (points == 68) {
        box[0] = box[1] = INFINITY;
        box[2] = box[3] = -INFINITY;
        for (int i = 0; i < points; i++) {
            box[0] = fmin(box[0], landmarks[2 * i]);
            box[1] = fmin(box[1], landmarks[2 * i + 1]);
            box[2] = fmax(box[2], landmarks[2 * i]);
            box[3] = fmax(box[3], landmarks[2 * i + 1]);
        }
    } else {
        point a = landmark(landmarks, points == 5 ? 0 : 1);
        point b = landmark(landmarks, points == 5 ? 1 : 2);
        point nose = landmark(landmarks, points == 5 ? 2 : 0), middle = between(a, b);
        double d = distance(a, b), down = distance(nose, middle);
        point centre = middle;
        if (down > 0) {
            centre.x += FACE_CENTRE * d * (nose.x - middle.x) / down;
            centre.y += FACE_CENTRE * d * (nose.y - middle.y) / down;
        }
        box[0] = centre.x - FACE_SIDE * d / 2;
        box[1] = centre.y - FACE_SIDE * d / 2;
        box[2] = centre.x + FACE_SIDE * d / 2;
        box[3] = centre.y + FACE_SIDE * d / 2;
    }
    return box[0] < box[2] && box[1] < box[3] && isfinite(box[2] - box[0]) &&
           isfinite(box[3] - box[1]);
}
