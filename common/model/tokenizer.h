/* Text into token ids: CLIP's byte-pair encoding from its published vocabulary file, or a
   word-level vocabulary built from the prompts themselves, so that training from scratch needs no
   file. */
#ifndef BLADES_MODEL_TOKENIZER_H
#define BLADES_MODEL_TOKENIZER_H

#include "cli/error.h"

#include <stdint.h>

enum { TOKENIZER_TEXT_LIMIT = 8192 }; /* bytes of a text */

typedef struct tokenizer
    tokenizer; /* read-only once made: any number of threads may encode with it */

/* Reads CLIP's `bpe_simple_vocab_16e6.txt.gz` (or the same not compressed) or a `merges.txt`: the
   first 48894 merges are used, as CLIP does; a shorter file gives a smaller vocabulary. */
tokenizer *tokenizer_read_merges(const char *path, error *e);

/* The words of these texts, sorted, then unknown, start and end; ids 0, 1, ... in that order. Texts
   are cleaned and split into words exactly as CLIP does before its byte pairs. */
tokenizer *tokenizer_from_texts(const char *const *texts, size_t count, error *e);

/* "words" or "clip-bpe", and the text (valid as long as the tokenizer) from which tokenizer_parse
   makes the same again; this is how a model file holds its vocabulary. */
const char *tokenizer_kind(const tokenizer *t);
const char *tokenizer_text(const tokenizer *t);
tokenizer *tokenizer_parse(const char *kind, const char *text, error *e);

/* The number of ids. The start token's is size - 2, the end token's size - 1: the largest, as
   CLIP's argmax expects. */
int tokenizer_size(const tokenizer *t);

/* Encodes a UTF-8 text (bytes that are not UTF-8 become U+FFFD) with start and end tokens. *ids:
   caller frees; returns their number, -1 on error. STATUS_DATA when the text is longer than
   TOKENIZER_TEXT_LIMIT. */
int tokenizer_encode(const tokenizer *t, const char *text, int32_t **ids, error *e);

void tokenizer_free(tokenizer *t); /* NULL is fine */

#endif
