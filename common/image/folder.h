/* Names of images: operands that are folders stand for the images in them. */
#ifndef BLADES_IMAGE_FOLDER_H
#define BLADES_IMAGE_FOLDER_H

#include "cli/cli.h"

/* Adds `path` to the list, or, when it is a folder, the files in it and below whose names end in
   .jpg, .jpeg, .png or .webp (in any case), sorted by byte order, names beginning with a dot left
   out; a note counts other files. Names that were found are allocated and added to `owned` too, for
   folder_names_free. STATUS_NO_INPUT when a folder cannot be read or holds no image. */
bool folder_expand(const cli *c, const char *path, cli_strings *names, cli_strings *owned,
                   error *e);
/* Does a name end so? Says nothing of what the file holds. */
bool folder_image_name(const char *name);
void folder_names_free(cli_strings *owned);

#endif
