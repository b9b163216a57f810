/* Reading an EXIF block. Hostile blocks never reach libexif: a bounded walk finds the tags of the
   method, and libexif gets a small, well-formed block that holds these alone - no maker note, no
   thumbnail, no loops. The same way serves blocks over libexif's limit of 64 KiB and whole TIFF
   files. */
#ifndef BLADES_EXIF_BLOCK_H
#define BLADES_EXIF_BLOCK_H

#include "exif/source.h"
#include "exif/tags.h"

/* Reads the TIFF structure of `size` bytes at `offset`: IFD0 and its Exif IFD, not the thumbnail's
   IFD1. Adds to `t`; of a tag that is there already, the last or the first value counts
   (photo_tag.first_wins). False when it has no TIFF header. */
bool exif_block_read(exif_source *s, uint64_t offset, uint64_t size, photo_tags *t);

#endif
