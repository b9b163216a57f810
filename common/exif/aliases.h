/* How others spell the names of tags. */
#ifndef BLADES_EXIF_ALIASES_H
#define BLADES_EXIF_ALIASES_H

#include "exif/tags.h"

/* One reading of a spelling; of several for one tag in an object the lowest rank counts. */
typedef struct alias {
    const char *spelling; /* lower case, letters and digits alone */
    photo_key key;
    int rank;
} alias;

/* The next reading of a tag name after `previous` (NULL: the first); NULL when there are no more. A
   group before the name ("EXIF:", "IFD0:") must be one of the standard tags' groups. */
const alias *alias_find(const char *name, const alias *previous);

/* Is this group, as exiftool and Flickr name it, one of the standard tags'? */
bool alias_group_is_standard(const char *group, size_t length);

#endif
