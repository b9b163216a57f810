/* Text from outside: UTF-8, and what may go to a terminal, a table or a drawing. */
#ifndef BLADES_CLI_TEXT_H
#define BLADES_CLI_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Length of the valid UTF-8 sequence at p, 0 if none (RFC 3629). */
size_t utf8_length(const unsigned char *p, size_t left);

/* Copies text with `instead` for every byte that is no UTF-8; returns the bytes written, without a
   NUL. `to` has room for strlen(instead) bytes a byte; it may be `from` when that is 1. */
size_t utf8_mend(char *to, const char *from, size_t size, const char *instead);

/* Prints text with '?' for control characters (C0, C1, DEL), bidirectional overrides (U+202A-202E,
   U+2066-2069) and bytes that are no UTF-8; characters of `special` (ASCII) are left to `escape`,
   which prints them. Both may be NULL. */
void text_print(FILE *to, const char *text, const char *special, void (*escape)(FILE *to, char c));

/* Prints likewise the first characters of a text, or all; returns how many it prints. */
size_t text_print_start(FILE *to, const char *text, size_t characters);

/* How many characters text_print prints where none is special. */
size_t text_width(const char *text);

/* The bytes that the first characters take, or all of them. */
size_t text_bytes(const char *text, size_t characters);

#endif
