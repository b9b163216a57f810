/* Recognises common files that are mistaken for streams. */
#ifndef BLADES_STREAM_FOREIGN_H
#define BLADES_STREAM_FOREIGN_H

#include "cli/error.h"

/* Checks the first bytes of an input. False with STATUS_DATA set, "input: is a JPEG image, ...;
   what to do", when no stream begins like this but a known kind of file does. */
bool stream_foreign_check(const char *input, const unsigned char *head, size_t size, error *e);

#endif
