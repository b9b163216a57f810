/* Annotation files: face boxes and landmarks by photo, and finding the entry that belongs to a
 * photo. */
#ifndef BLADES_FACE_ANNOTATIONS_H
#define BLADES_FACE_ANNOTATIONS_H

#include "face/face.h"

#include <jansson.h>

typedef enum annotation_format {
    FORMAT_AUTO,   /* by content */
    FORMAT_LINES,  /* JSON lines, or an array, of {path | id, upright, faces: [{box, landmarks,
                      scheme}]} */
    FORMAT_FDF,    /* fdf_metainfo.json: number -> {bounding_box, landmark}, relative to the size */
    FORMAT_COCO,   /* {images, annotations}: bbox, keypoints, or face_box, face_kpts */
    FORMAT_CELEBA, /* list_bbox_*.txt, list_landmarks_*.txt, or the same as .csv */
    FORMAT_DLIB,   /* XML of dlib's imglab */
    FORMAT_PTS,    /* 300-W: one face a file, named like its photo */
    FORMAT_NPY,    /* NumPy array of (points, 2) or (faces, points, 2), named like its photo */
} annotation_format;
extern const char *const annotation_format_names[]; /* NULL-ended */

/* A face as a file gives it. */
typedef struct annotated_face {
    bool has_box;
    double box[4];
    int points;
    size_t first;  /* of its 2 * points numbers in the file's coordinates */
    json_t *extra; /* other keys; NULL: none */
} annotated_face;

/* What coordinates are of, as an entry says itself. */
typedef enum uprightness { UPRIGHT_NOT_SAID, UPRIGHT_NO, UPRIGHT_YES } uprightness;

/* What a file says about one photo. */
typedef struct annotation {
    char *name;     /* path, file name, or number, as in the file */
    bool no_suffix; /* the name is one without the photo's suffix (.pts, .npy, FDF) */
    bool relative;  /* coordinates are relative to width and height */
    uprightness upright;
    double width, height; /* of the picture that was annotated, as the file says; 0: not said */
    int64_t photos;       /* that have found it */
    size_t first, count;  /* faces */
    json_t *extra;        /* other keys; NULL: none */
} annotation;

/* One annotation file, or the .pts and .npy files of a folder. */
typedef struct annotations {
    const char *path;
    annotation *entry;
    size_t count, capacity;
    annotated_face *face;
    size_t face_count, face_capacity;
    double *coordinate;
    size_t coordinate_count, coordinate_capacity;
    size_t joined;   /* entries whose faces went to one before of the same name */
    size_t strays;   /* COCO: faces of images that are not in the file */
    size_t others;   /* COCO: annotations of other categories than faces */
    size_t doubtful; /* COCO: boxes taken for faces though their category is not called so */
    char doubtful_category[64]; /* of the first of them, perhaps cut */
    annotation **ordered;       /* as they are looked up */
} annotations;

/* Reads a file or folder. Entries of the very same name become one, but for FDF, .pts and .npy.
   `path` must outlive the result. STATUS_NO_INPUT, STATUS_DATA with the line or entry that is
   wrong. NULL on error. */
annotations *annotations_read(const char *path, annotation_format format, error *e);
void annotations_free(annotations *a);

typedef enum match { MATCH_NONE, MATCH_ONE, MATCH_AMBIGUOUS } match;

/* Finds the entry of a photo's path (or id). Only entries whose file name without suffix is the
   photo's come into question. Best is the same name; then names whose folders agree from the end as
   far as both have any ("..": as far as that), the same suffix before another, more agreeing
   folders before fewer. Two equally good ones are ambiguous. Counts the photo at what it finds.
   What a photo finds depends on its path alone, not on photos before it. The time grows with the
   logarithm of the number of entries; entries of the photo's name that have all of its folders, and
   more, are looked through one by one until two have its suffix. */
match annotations_find(annotations *a, const char *path, annotation **found);

#endif
