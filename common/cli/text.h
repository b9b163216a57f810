/* Text from outside: UTF-8, and what may go to a terminal, a table or a drawing. */
#ifndef BLADES_CLI_TEXT_H
#define BLADES_CLI_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Length of the valid UTF-8 sequence at p, 0 if none (RFC 3629). */
size_t utf8_length(const unsigned char *p, size_t left);

/* Prints text with '?' for control characters (C0, C1, DEL) and for bytes that are no UTF-8;
   characters of `special` (ASCII) are left to `escape`, which prints them. Both may be NULL. */
void text_print(FILE *to, const char *text, const char *special, void (*escape)(FILE *to, char c));

#endif
