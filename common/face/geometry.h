/* Where mouth, eye and nose are in a face, from 68, 7 or 5 landmarks (face-manipulate(1),
 * "Regions"). */
#ifndef BLADES_FACE_GEOMETRY_H
#define BLADES_FACE_GEOMETRY_H

#include <stdbool.h>

/* Landmark schemes and their order (x, y pairs):
   68: the 68 points of 300-W (dlib, FAN).
   7: nose, two eyes, two ears, two shoulders (FDF).
   5: two eyes, nose, two mouth corners, each pair from left to right of the image (CelebA). */
enum { LANDMARKS_MOST = 68 };
bool landmark_scheme_known(int points);

typedef enum face_region { REGION_MOUTH, REGION_EYE, REGION_NOSE, REGION_COUNT } face_region;
extern const char *const region_names[]; /* as in the fine task's classes; NULL-ended */

/* Pixels left..right-1, top..bottom-1. */
typedef struct rectangle {
    int left, top, right, bottom;
} rectangle;

/* Why a face lacks a region: its scheme has not the points, an end of the line is outside the
   image, or it is too small for a mask. */
typedef enum region_lack { LACKS_LANDMARKS, LACKS_ENDS, LACKS_SIZE, LACK_COUNT } region_lack;

/* A region before it is blurred: a line 2 px wide between two pixels, dilated `dilation` times by a
   3x3 cross, of which only the bounding box `box` counts, clipped to the image. */
typedef struct region {
    bool known;       /* the scheme has the points, and the line's ends are in the image */
    region_lack lack; /* where it is not known */
    int line[4];
    double length; /* the distance that the dilation derives from */
    int dilation;
    rectangle box;
} region;

/* The three regions in an image of size x size from landmarks in its coordinates (`points` of them;
   0 leaves all unknown). Ends of lines are truncated to pixels before lines are drawn and measured.
   68: mouth 48-54; eye 42-45; nose from the midpoint of the truncated eye centres to 33; its length
   is that between these centres, means of the corners as they are.
   5 and 7: an eye's corners lie 0.195 of the eyes' distance to both sides of its centre, along the
   line through the eyes, and the eye is the one farther right; point 33 is the nose point moved
   away from the eyes' midpoint by a factor of 1.24; mouth corners are there with 5 points, unknown
   with 7. */
void face_regions(const double *landmarks, int points, int size, region regions[REGION_COUNT]);

/* A rectangle grown by `margin` on all sides, clipped to size x size. */
rectangle rectangle_grow(rectangle r, int margin, int size);

/* What two rectangles have in common; empty (right <= left or bottom <= top) if nothing. */
rectangle rectangle_common(rectangle a, rectangle b);

/* A face box {x0, y0, x1, y1} from landmarks alone: their bounding box for 68; for 5 and 7 a square
   of 2.3 times the eyes' distance d, its centre 0.7 d from the eyes' midpoint towards the nose.
   False when the points leave no box: all on one spot, or too far apart for numbers. */
bool landmark_box(const double *landmarks, int points, double box[4]);

#endif
