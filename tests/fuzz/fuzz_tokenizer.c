/* Fuzz target: the tokenizer. Bytes up to the first NUL are a vocabulary of each kind, the rest a
 * text. */
#include "model/tokenizer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void encode(const tokenizer *t, const char *text)
{
    int32_t *ids;
    error e = {0};
    int count = tokenizer_encode(t, text, &ids, &e);
    for (int i = 0; i < count; i++) {
        if (ids[i] < 0 || ids[i] >= tokenizer_size(t)) abort();
    }
    if (count >= 0) free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const kinds[] = {"words", "clip-bpe"};
    char *copy = malloc(size + 2);
    memcpy(copy, bytes, size);
    copy[size] = copy[size + 1] = 0;
    const char *text = copy + strlen(copy) + 1;
    if (text > copy + size) text = copy;
    for (int i = 0; i < 2; i++) {
        error e = {0};
        tokenizer *t = tokenizer_parse(kinds[i], copy, &e);
        if (t) encode(t, text);
        tokenizer_free(t);
    }
    error e = {0};
    tokenizer *t = tokenizer_from_texts(&text, 1, &e);
    if (t) encode(t, text);
    tokenizer_free(t);
    free(copy);
    return 0;
}
