/* The trie of several token sequences: one node for each distinct beginning. */
#ifndef BLADES_MODEL_TRIE_H
#define BLADES_MODEL_TRIE_H

#include "cli/error.h"

#include <stdint.h>

typedef struct trie {
    int nodes, sequences;
    int32_t *token;    /* (nodes) */
    int32_t *position; /* (nodes): depth, 0 for the first token */
    int32_t *start;    /* (nodes + 1) */
    int32_t *path; /* path[start[i] .. start[i + 1]): the nodes from the root to i itself; parents
                      come before children */
    int32_t *last; /* (sequences): the node of each sequence's last token */
} trie;

/* Sequence i is ids[start[i] .. start[i + 1]), not empty. Nodes are numbered in the order in which
   they first occur. Total length is limited only by memory. Free with trie_free, also after
   failure. */
bool trie_build(trie *t, const int32_t *ids, const int32_t *start, int sequences, error *e);
void trie_free(trie *t);

#endif
