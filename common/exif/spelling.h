/* Comparing spellings by their letters and digits alone. */
#ifndef BLADES_EXIF_SPELLING_H
#define BLADES_EXIF_SPELLING_H

#include <ctype.h>

/* The next letter or digit of a text, in lower case; *text moves behind it. 0 at the end. */
static inline char spelling_next(const char **text)
{
    while (**text && !isalnum((unsigned char)**text)) ++*text;
    return **text ? (char)tolower((unsigned char)*(*text)++) : 0;
}

#endif
