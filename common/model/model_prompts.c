/* Prompts as a model's tokens. */
#include "model/model.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>

bool model_encode_prompts(const model *m, const char *const *prompts, int count,
                          token_sequences *out, error *e)
{
    *out = (token_sequences){0};
    if (!m->words) {
        return error_set(
            e, STATUS_DATA,
            "the model holds no vocabulary for its prompts; model-convert --vocabulary adds one");
    }
    out->start = memory_zeroed((size_t)count + 1, sizeof *out->start, e);
    if (!out->start) return false;
    for (int i = 0; i < count; i++) {
        int32_t *ids;
        int length = tokenizer_encode(m->words, prompts[i], &ids, e);
        bool ok = length >= 0;
        if (ok && length > m->config.text.context) {
            ok = error_set(e, STATUS_DATA, "prompt \"%.200s\" has %d tokens; the context is %d",
                           prompts[i], length, m->config.text.context);
        }
        int32_t *grown =
            ok ? memory_resize(out->ids, (size_t)out->start[i] + (size_t)length, sizeof *grown, e)
               : NULL;
        if (grown) {
            out->ids = grown;
            memcpy(grown + out->start[i], ids, (size_t)length * sizeof *ids);
            out->start[i + 1] = out->start[i] + length;
            out->count++;
        }
        if (length >= 0) free(ids);
        if (!grown) {
            token_sequences_free(out);
            return false;
        }
    }
    return true;
}

void token_sequences_free(token_sequences *s)
{
    free(s->start);
    free(s->ids);
    *s = (token_sequences){0};
}
