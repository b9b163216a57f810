/* A photograph's record: what an image file's headers say. */
#ifndef BLADES_EXIF_PHOTO_H
#define BLADES_EXIF_PHOTO_H

#include "cli/error.h"
#include "exif/tags.h"
#include "stream/record.h"

/* About 28 KB; one a thread, used again for every file. */
typedef struct photo {
    const char *format;    /* "JPEG", "PNG", "WebP", "TIFF"; NULL: from metadata alone */
    int64_t width, height; /* as coded, before the orientation is applied; 0: unknown */
    photo_tags tags;
} photo;

void photo_clear(photo *p);

/* Reads the headers of an image file ("-": standard input, of which at most 16 MiB are looked at).
   Safe to call from several threads. STATUS_NO_INPUT when it cannot be opened or is a directory,
   STATUS_DATA when it is no JPEG, PNG, WebP or TIFF file or has neither a size nor EXIF. A file
   without EXIF has no tags. */
bool photo_read(photo *p, const char *path, error *e);

/* Sets width and height from the tags ImageWidth and ImageLength. */
void photo_take_size_tags(photo *p);

/* Takes from `from` what `p` lacks. */
void photo_complete(photo *p, const photo *from);

/* Puts width, height, orientation, exif and exif_raw; what is missing is left out (the maps are
 * always there). */
void photo_put(stream_chunk *k, const photo *p);

#endif
