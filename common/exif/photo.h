/* A photograph's record: what an image file's headers say. */
#ifndef BLADES_EXIF_PHOTO_H
#define BLADES_EXIF_PHOTO_H

#include "cli/error.h"
#include "exif/tags.h"
#include "stream/record.h"

/* About 28 KB; one a thread, used again for every file. */
typedef struct exif_photo {
    const char *format;    /* "JPEG", "PNG", "WebP", "TIFF"; NULL: from metadata alone */
    int64_t width, height; /* as coded, before the orientation is applied; 0: unknown */
    photo_tags tags;
} exif_photo;

void exif_photo_clear(exif_photo *p);

/* Reads the headers of an image file ("-": standard input, of a pipe at most 16 MiB).
   Safe to call from several threads. STATUS_NO_INPUT when it cannot be opened or is a directory,
   STATUS_DATA when it is no JPEG, PNG, WebP or TIFF file or has neither a size nor EXIF. A file
   without EXIF has no tags. */
bool exif_photo_read(exif_photo *p, const char *path, error *e);

/* The same of a file in memory; `name` is what messages call it. */
bool exif_photo_read_bytes(exif_photo *p, const void *bytes, size_t size, const char *name,
                           error *e);

/* Sets width and height from the tags ImageWidth and ImageLength. */
void exif_photo_take_size_tags(exif_photo *p);

/* Takes from `from` what `p` lacks. */
void exif_photo_complete(exif_photo *p, const exif_photo *from);

/* Puts width, height, orientation, exif and exif_raw; what is missing is left out (the maps are
 * always there). */
void exif_photo_put(stream_chunk *k, const exif_photo *p);

#endif
