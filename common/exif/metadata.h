/* Metadata from elsewhere: what exiftool -j, Flickr or a data set's authors wrote down about
   photographs.

   The file is a JSON array of objects, or objects one after the other (JSON lines). An object names
   its photo by one or more of SourceFile, path, file, filename, FileName, file_name, photo,
   photo_id, id, image; its tags are spelt as exiftool ("ExposureTime", "EXIF:ExposureTime"), Flickr
   ("Exposure", "ISO Speed"; also the `exif` array of flickr.photos.getExif) or our records
   ("exposure_time") spell them, on the object itself or in nested ones such as "exif" or "EXIF".
   Maker notes, XMP and the thumbnail's tags are left alone. As with exiftool, ApertureValue is an
   f-number here and ShutterSpeedValue a time, not APEX. */
#ifndef BLADES_EXIF_METADATA_H
#define BLADES_EXIF_METADATA_H

#include "exif/photo.h"

typedef struct metadata_table metadata_table;

/* Reads and indexes the file ("-": standard input). STATUS_NO_INPUT, STATUS_IO; STATUS_DATA with
   the line when it is not such JSON. NULL on error. */
metadata_table *metadata_open(const char *path, error *e);
void metadata_close(metadata_table *m); /* NULL is fine */

size_t metadata_count(const metadata_table *m);

/* Joins photos and objects: by path, then by file name, then by file name without extension. An
   object that has its photo by path has no other; names that several photos or several objects have
   in common join nothing. match[i] is the index of the object of photo i, or METADATA_NONE. */
#define METADATA_NONE SIZE_MAX
bool metadata_join(const metadata_table *m, const char *const *paths, size_t count, size_t *match,
                   error *e);

/* One object, parsed again from the text; safe to call from several threads. */
typedef struct metadata_object metadata_object;
metadata_object *metadata_get(const metadata_table *m, size_t index); /* NULL: out of memory */
void metadata_object_free(metadata_object *o);                        /* NULL is fine */

/* Its tags and size, set in a photo (cleared first). */
void metadata_photo(const metadata_object *o, exif_photo *p);
/* What it calls its photo, a path before other names; "" when nothing. Valid as long as the object.
 */
const char *metadata_name(const metadata_object *o);
/* A text of its own, such as "label"; NULL when it has none. */
const char *metadata_text(const metadata_object *o, const char *key);

#endif
