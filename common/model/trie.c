/* The trie of several token sequences. */
#include "model/trie.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>

/* The child of `parent` (-1: a root) with this token among the nodes; -1 if missing.
 * Prompts are few: a scan does. */
static int child_find(const trie *t, const int32_t *parent_of, int parent, int32_t token)
{
    for (int i = parent + 1; i < t->nodes; i++) {
        if (parent_of[i] == parent && t->token[i] == token) return i;
    }
    return -1;
}

static bool paths_build(trie *t, const int32_t *parent_of, error *e)
{
    size_t total = 0;
    for (int i = 0; i < t->nodes; i++) total += (size_t)t->position[i] + 1;
    if (total > INT32_MAX) return error_set(e, STATUS_DATA, "prompts are too long together");
    t->start = memory_allocate((size_t)t->nodes + 1, sizeof *t->start, e);
    t->path = memory_allocate(total + 1, sizeof *t->path, e);
    if (!t->start || !t->path) return false;
    t->start[0] = 0;
    for (int i = 0; i < t->nodes; i++) {
        int32_t *path = t->path + t->start[i];
        if (parent_of[i] >= 0) {
            memcpy(path, t->path + t->start[parent_of[i]], (size_t)t->position[i] * sizeof *path);
        }
        path[t->position[i]] = i;
        t->start[i + 1] = t->start[i] + t->position[i] + 1;
    }
    return true;
}

bool trie_build(trie *t, const int32_t *ids, const int32_t *start, int sequences, error *e)
{
    size_t total = (size_t)start[sequences];
    *t = (trie){.sequences = sequences};
    t->token = memory_allocate(total + 1, sizeof *t->token, e);
    t->position = memory_allocate(total + 1, sizeof *t->position, e);
    t->last = memory_allocate((size_t)sequences + 1, sizeof *t->last, e);
    int32_t *parent_of = memory_allocate(total + 1, sizeof *parent_of, e);
    bool ok = t->token && t->position && t->last && parent_of;
    for (int s = 0; s < sequences && ok; s++) {
        int node = -1;
        for (int i = start[s]; i < start[s + 1]; i++) {
            int next = child_find(t, parent_of, node, ids[i]);
            if (next < 0) {
                next = t->nodes++;
                t->token[next] = ids[i];
                t->position[next] = i - start[s];
                parent_of[next] = node;
            }
            node = next;
        }
        t->last[s] = node;
    }
    ok = ok && paths_build(t, parent_of, e);
    free(parent_of);
    return ok;
}

void trie_free(trie *t)
{
    free(t->token);
    free(t->position);
    free(t->start);
    free(t->path);
    free(t->last);
    *t = (trie){0};
}
