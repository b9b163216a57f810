/* The faces of a face stream without their pixels: which records are variants of which face, their
   tags, and on which side of the split each stands. Nothing here depends on the order of the
   records. */
#ifndef BLADES_PRETEXT_CATALOG_H
#define BLADES_PRETEXT_CATALOG_H

#include "pretext/labels.h"
#include "stream/index.h"

typedef enum face_split { SPLIT_TRAIN, SPLIT_VAL, SPLIT_NONE } face_split;

/* A record: one variant of a face. */
typedef struct face_variant {
    uint64_t id;      /* hash of the record's id */
    uint64_t regions; /* bit i: region i of the catalog is manipulated */
    stream_place place;
    uint32_t face;
    uint32_t manipulation; /* number of its name in `manipulations` */
    bool reported;         /* an error record says that it cannot be decoded */
} face_variant;

typedef struct catalog_face {
    uint64_t key[2];       /* hashes of photo and face index */
    uint64_t photo;        /* hash of the photo's id */
    uint32_t first, count; /* its variants, after catalog_finish */
    uint32_t row;          /* in the labels */
    uint32_t group;        /* number of its value of the balance key in `groups` */
    face_split split;      /* until catalog_finish: that of the record's key `split` */
} catalog_face;

typedef struct catalog_options {
    uint64_t seed;
    double val_fraction; /* 0: nothing is validated on */
    bool val_from_train; /* everything trains, whatever its key `split`, and validates */
    bool with_generated; /* keep records whose label is "generated" */
    bool fill_sides;     /* when the draw leaves a side of the split empty, a photo goes there */
    const char *balance; /* tag or key; NULL: none */
} catalog_options;

/* Records left out, by reason. */
typedef struct left_out_counts {
    int64_t generated, outside, repeated; /* label, split, id seen before */
} left_out_counts;

typedef struct catalog {
    catalog_options options;
    label_table labels;
    value_set manipulations, groups, regions; /* regions: those of the fine tasks, at most 64 */
    int photographic;                         /* number of this manipulation */
    face_variant *variant; /* sorted by face, manipulation, id after catalog_finish */
    size_t variant_count, variant_capacity;
    catalog_face *face; /* sorted by key after catalog_finish */
    size_t face_count, face_capacity;
    slot_table slots;    /* of the faces by key while records are added */
    uint32_t *member[2]; /* the faces to train and to validate on, in order of key */
    size_t member_count[2], photo_count[2];
    left_out_counts left_out;
    bool val_chosen;   /* a photo was moved so that no side is empty */
    int width, height; /* of the first record */
    bool sizes_differ;
    bool conflicting; /* adding or finishing failed as the records at these places contradict: */
    stream_place conflict[2];
} catalog;

/* `tasks` is completed by catalog_finish and must outlive the catalog. */
bool catalog_open(catalog *c, const catalog_options *options, task_list *tasks, error *e);

/* Adds a record that lies at `place`. 1; 0 when the record cannot be used (`why` is set) or is left
   out by the options (`why` is not); -1 with e set, STATUS_DATA when it differs from an earlier
   record of its face in split, balance key or a task's tag (see `conflict`). */
int catalog_add(catalog *c, const msgpack_object *record, stream_place place, error *why, error *e);
/* Would the record be added, and is its face a new one? */
bool catalog_begins_face(const catalog *c, const msgpack_object *record);
/* Is its photo another than that of the face before, too? */
bool catalog_begins_photo(const catalog *c, const msgpack_object *record);

/* The name under which a manipulation is counted and drawn: "affine" is another way to warp. */
const char *manipulation_drawn_name(const char *name);

/* Groups, splits, resolves the tasks. STATUS_DATA when the faces of a photo say different splits
   (see `conflict`). */
bool catalog_finish(catalog *c, error *e);

void catalog_close(catalog *c);

#endif
