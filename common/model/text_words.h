/* A text cleaned and split into words as CLIP's tokenizer does before its byte pairs. */
#ifndef BLADES_MODEL_TEXT_WORDS_H
#define BLADES_MODEL_TEXT_WORDS_H

#include "cli/error.h"

#include <stdint.h>

/* Words lie one after the other in `bytes` (UTF-8): word i is bytes[start[i] .. start[i + 1]). */
typedef struct text_words {
    char *bytes;
    uint32_t *start; /* count + 1 */
    int count;
} text_words;

/* Mends what ftfy mends most often (curly quotes, full-width letters, ligatures, control
   characters), resolves HTML entities twice (numbers, and amp lt gt quot apos nbsp), collapses
   white space, lowers the case, and splits at CLIP's regular expression (contractions; runs of
   letters; single digits; runs of the rest; "<|startoftext|>", "<|endoftext|>"). STATUS_DATA when
   the text is too long. Free with text_words_free. */
bool text_words_split(text_words *w, const char *text, error *e);
void text_words_free(text_words *w);

#endif
