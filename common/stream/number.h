/* Numbers as text for people and as JSON: the shortest decimal that reads back as the same double.
 */
#ifndef BLADES_STREAM_NUMBER_H
#define BLADES_STREAM_NUMBER_H

#include "cli/error.h"

#include <jansson.h>
#include <stdio.h>

enum { NUMBER_TEXT_SIZE = 32 };

/* Writes a number as printf's %g does, with the 15, 16 or 17 digits that it needs, and exponents
   without a plus or leading zeros: 1e-5. */
void number_text(double number, char text[NUMBER_TEXT_SIZE]);

/* json_dumps with reals as number_text writes them (".0" added where they look like integers). The
   caller frees; NULL: out of memory, or `json` is NULL. */
char *number_json_dumps(const json_t *json, size_t flags);
/* The same printed as a line (lines, with JSON_INDENT); `name` is that of the output, for messages.
   STATUS_SYSTEM, STATUS_IO. */
bool number_json_print(const json_t *json, size_t flags, FILE *to, const char *name, error *e);

#endif
