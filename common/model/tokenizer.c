/* Texts into token ids: a table of words, or CLIP's byte pairs on such a table. */
#include "model/tokenizer.h"

#include "cli/hash.h"
#include "cli/memory.h"
#include "model/text_words.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    MERGES = 49152 - 256 - 2, /* that CLIP takes from its file */
    FILE_LIMIT = 16 << 20,    /* bytes of a vocabulary, unpacked */
    SYMBOL_LIMIT = 200,       /* bytes of a symbol */
    BYTE_SYMBOLS = 512,       /* 256 bytes, and 256 that end a word */
    WORD_LIMIT = 1000000,
};

static const char words_kind[] = "words", merges_kind[] = "clip-bpe", word_end[] = "</w>";

/* A hash table from symbols (texts) to ids, and one from pairs of ids to the id of their merger. */
typedef struct slot {
    const char *text; /* NULL if free; in the tokenizer's text or symbols */
    uint32_t length;
    int32_t id;
} slot;

typedef struct pair {
    int32_t left, right, merged; /* merged -1: free */
} pair;

struct tokenizer {
    const char *kind;
    char *text;    /* as tokenizer_text gives it */
    char *symbols; /* texts of merged symbols, byte pairs only */
    slot *table;
    pair *pairs;
    size_t table_size, pairs_size; /* powers of two */
    int size;
    int32_t byte_id[256];
};

/* ---- Hash tables ---------------------------------------------------------------------------- */

static size_t text_hash(const char *text, size_t length)
{
    uint64_t sum = hash_bytes(text, length, HASH_BASIS);
    return (size_t)(sum ^ sum >> 29);
}

static slot *slot_find(const tokenizer *t, const char *text, size_t length)
{
    size_t at = text_hash(text, length) & (t->table_size - 1);
    while (t->table[at].text &&
           (t->table[at].length != length || memcmp(t->table[at].text, text, length) != 0)) {
        at = (at + 1) & (t->table_size - 1);
    }
    return &t->table[at];
}

static int32_t id_find(const tokenizer *t, const char *text, size_t length)
{
    const slot *s = slot_find(t, text, length);
    return s->text ? s->id : -1;
}

static void id_put(tokenizer *t, const char *text, size_t length, int32_t id)
{
    *slot_find(t, text, length) = (slot){text, (uint32_t)length, id};
}

static pair *pair_find(const tokenizer *t, int32_t left, int32_t right)
{
    uint64_t hash = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(hash >> 32) & (t->pairs_size - 1);
    while (t->pairs[at].merged >= 0 && (t->pairs[at].left != left || t->pairs[at].right != right)) {
        at = (at + 1) & (t->pairs_size - 1);
    }
    return &t->pairs[at];
}

static size_t power_above(size_t count)
{
    size_t power = 16;
    while (power < 2 * count) power *= 2;
    return power;
}

static size_t lines_count(const char *text)
{
    size_t count = 0;
    for (; *text; text++) count += *text == '\n';
    return count;
}

static tokenizer *tokenizer_new(const char *kind, char *text, size_t symbols, error *e)
{
    tokenizer *t = memory_zeroed(1, sizeof *t, e);
    if (!t || !text) {
        free(t);
        free(text);
        return NULL;
    }
    t->kind = kind;
    t->text = text;
    t->table_size = power_above(symbols);
    t->table = memory_zeroed(t->table_size, sizeof *t->table, e);
    if (t->table) return t;
    tokenizer_free(t);
    return NULL;
}

void tokenizer_free(tokenizer *t)
{
    if (!t) return;
    free(t->text);
    free(t->symbols);
    free(t->table);
    free(t->pairs);
    free(t);
}

/* ---- Words ---------------------------------------------------------------------------------- */

/* One word a line, sorted, each ended by a newline. Takes over text. */
static tokenizer *words_make(char *text, error *e)
{
    tokenizer *t = tokenizer_new(words_kind, text, text ? lines_count(text) : 0, e);
    const char *previous = "";
    size_t previous_length = 0;
    if (!t) return NULL;
    for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        size_t length = (size_t)(end - line),
               shorter = length < previous_length ? length : previous_length;
        int order = memcmp(previous, line, shorter);
        if (order > 0 || (order == 0 && previous_length >= length) || t->size >= WORD_LIMIT) {
            error_set(e, STATUS_DATA, "a vocabulary of words must be sorted, and end at %d",
                      WORD_LIMIT);
            tokenizer_free(t);
            return NULL;
        }
        id_put(t, line, length, t->size++);
        previous = line;
        previous_length = length;
    }
    t->size += 3; /* unknown, start, end */
    return t;
}

static int word_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef struct word_set {
    char **item;
    size_t count, capacity, bytes;
} word_set;

static bool word_set_add(word_set *set, const text_words *w, error *e)
{
    for (int i = 0; i < w->count; i++) {
        size_t length = w->start[i + 1] - w->start[i];
        char **grown = array_grow(set->item, set->count + 1, &set->capacity, sizeof *grown, e);
        if (!grown) return false;
        set->item = grown;
        char *word = memory_allocate(length + 1, 1, e);
        if (!word) return false;
        memcpy(word, w->bytes + w->start[i], length);
        word[length] = 0;
        set->item[set->count++] = word;
        set->bytes += length + 1;
    }
    return true;
}

tokenizer *tokenizer_from_texts(const char *const *texts, size_t count, error *e)
{
    word_set set = {0};
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        text_words w;
        ok = text_words_split(&w, texts[i], e) && word_set_add(&set, &w, e);
        text_words_free(&w);
    }
    if (set.count) qsort(set.item, set.count, sizeof *set.item, word_compare);
    char *text = ok ? memory_zeroed(set.bytes + 1, 1, e) : NULL;
    size_t used = 0;
    for (size_t i = 0; i < set.count && text; i++) {
        if (i > 0 && strcmp(set.item[i - 1], set.item[i]) == 0) continue;
        used += (size_t)sprintf(text + used, "%s\n", set.item[i]);
    }
    for (size_t i = 0; i < set.count; i++) free(set.item[i]);
    free(set.item);
    return text ? words_make(text, e) : NULL;
}

/* ---- Byte pairs ----------------------------------------------------------------------------- */

/* GPT-2's bytes_to_unicode: printable bytes stand for themselves, the others for characters from
   U+0100 on. CLIP's ids of single bytes follow the order: printable ones, then the others. */
static bool byte_printable(int byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

static size_t byte_character_put(char *to, int character)
{
    if (character < 0x80) {
        to[0] = (char)character;
        return 1;
    }
    to[0] = (char)(0xc0 | character >> 6);
    to[1] = (char)(0x80 | (character & 0x3f));
    return 2;
}

/* Puts the 512 symbols of bytes into the table; their texts go to t->symbols. Returns the bytes
 * used. */
static size_t bytes_put(tokenizer *t)
{
    size_t used = 0;
    int id = 0, hidden = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int byte = 0; byte < 256; byte++) {
            if (byte_printable(byte) == (pass == 1)) continue;
            char *text = t->symbols + used;
            size_t length = byte_character_put(text, pass == 0 ? byte : 256 + hidden++);
            memcpy(text + length, word_end, strlen(word_end));
            id_put(t, text, length, id);
            id_put(t, text, length + strlen(word_end), id + 256);
            t->byte_id[byte] = id++;
            used += length + strlen(word_end);
        }
    }
    return used;
}

/* "left right" merge into the next id. */
static bool merge_put(tokenizer *t, const char *line, size_t length, char *symbol, error *e)
{
    const char *space = memchr(line, ' ', length);
    size_t left = space ? (size_t)(space - line) : 0, right = space ? length - left - 1 : 0;
    int32_t left_id = left ? id_find(t, line, left) : -1,
            right_id = right ? id_find(t, space + 1, right) : -1;
    if (left_id < 0 || right_id < 0 || left + right > SYMBOL_LIMIT) {
        return error_set(e, STATUS_DATA, "line %d of the merges does not merge two known symbols",
                         t->size - BYTE_SYMBOLS + 1);
    }
    memcpy(symbol, line, left);
    memcpy(symbol + left, space + 1, right);
    pair *p = pair_find(t, left_id, right_id);
    if (p->merged >= 0) {
        return error_set(e, STATUS_DATA, "line %d of the merges repeats another",
                         t->size - BYTE_SYMBOLS + 1);
    }
    *p = (pair){left_id, right_id, t->size};
    id_put(t, symbol, left + right, t->size++);
    return true;
}

/* One merge a line, each ended by a newline. Takes over text. */
static tokenizer *merges_make(char *text, error *e)
{
    size_t lines = text ? lines_count(text) : 0;
    tokenizer *t = tokenizer_new(merges_kind, text, lines + BYTE_SYMBOLS, e);
    if (!t) return NULL;
    t->pairs_size = power_above(lines);
    t->pairs = memory_allocate(t->pairs_size, sizeof *t->pairs, e);
    t->symbols = memory_allocate(strlen(text) + (size_t)BYTE_SYMBOLS * 8, 1, e);
    if (!t->pairs || !t->symbols) goto failed;
    for (size_t i = 0; i < t->pairs_size; i++) t->pairs[i].merged = -1;
    size_t used = bytes_put(t);
    t->size = BYTE_SYMBOLS;
    for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        if (t->size - BYTE_SYMBOLS >= MERGES) {
            error_set(e, STATUS_DATA, "more than %d merges", MERGES);
            goto failed;
        }
        size_t length = (size_t)(end - line);
        if (!merge_put(t, line, length, t->symbols + used, e)) goto failed;
        used += length - 1;
    }
    t->size += 2; /* start, end */
    return t;
failed:
    tokenizer_free(t);
    return NULL;
}

/* The whole file, unpacked when it is compressed. */
static char *vocabulary_load(const char *path, error *e)
{
    gzFile file = gzopen(path, "rb");
    char *text = NULL;
    size_t used = 0, capacity = 0;
    int got = 1;
    if (!file) {
        error_set(e, STATUS_NO_INPUT, "%s: ", path);
        return NULL;
    }
    while (got > 0 && used < FILE_LIMIT) {
        if (used + 1 >= capacity) {
            capacity = capacity ? 2 * capacity : 1 << 16;
            char *grown = memory_resize(text, capacity, 1, e);
            if (!grown) break;
            text = grown;
        }
        got = gzread(file, text + used, (unsigned)(capacity - used - 1));
        if (got > 0) used += (size_t)got;
    }
    if (got < 0) error_set(e, STATUS_DATA, "%s: cannot be unpacked", path);
    if (used >= FILE_LIMIT) error_set(e, STATUS_DATA, "%s: too large for a vocabulary", path);
    int closed = gzclose(file); /* at an unexpected end gzread gives what there is */
    if (closed != Z_OK) error_set(e, STATUS_DATA, "%s: is cut short", path);
    if (text) text[used] = 0;
    if (text && strlen(text) != used) error_set(e, STATUS_DATA, "%s: no text", path);
    if (!e->status) return text;
    free(text);
    return NULL;
}

tokenizer *tokenizer_read_merges(const char *path, error *e)
{
    char *text = vocabulary_load(path, e);
    if (!text) return NULL;
    char *to = text;
    const char *line = text;
    int merges = 0;
    for (size_t number = 0; *line && merges < MERGES; number++) {
        size_t length = strcspn(line, "\n"), kept = length;
        const char *next = line + length + (line[length] == '\n');
        if (kept && line[kept - 1] == '\r') kept--;
        bool version = number == 0 && memmem(line, length, "#version", 8);
        if (kept && !version) {
            memmove(to, line, kept);
            to += kept;
            /* The last line of a file may lack its newline, but then its terminating NUL has the
             * room. */
            bool end = !*next;
            *to++ = '\n';
            merges++;
            if (end) break;
        }
        line = next;
    }
    *to = 0;
    tokenizer *t = merges_make(text, e);
    if (!t) error_context(e, "%s", path);
    return t;
}

tokenizer *tokenizer_parse(const char *kind, const char *text, error *e)
{
    bool words = strcmp(kind, words_kind) == 0;
    if (!words && strcmp(kind, merges_kind) != 0) {
        error_set(e, STATUS_DATA, "unknown kind of vocabulary '%.50s'", kind);
        return NULL;
    }
    char *copy = memory_allocate(strlen(text) + 1, 1, e);
    if (!copy) return NULL;
    strcpy(copy, text);
    return words ? words_make(copy, e) : merges_make(copy, e);
}

/* ---- Encoding ------------------------------------------------------------------------------- */

const char *tokenizer_kind(const tokenizer *t)
{
    return t->kind;
}

const char *tokenizer_text(const tokenizer *t)
{
    return t->text;
}

int tokenizer_size(const tokenizer *t)
{
    return t->size;
}

static int token_start(const tokenizer *t)
{
    return t->size - 2;
}

static int token_end(const tokenizer *t)
{
    return t->size - 1;
}

/* Merges the pair that comes first in the list of merges, everywhere, until none is left. Returns
 * the number of symbols. */
static int symbols_merge(const tokenizer *t, int32_t *id, int count)
{
    for (;;) {
        pair best = {.merged = INT32_MAX};
        for (int i = 0; i + 1 < count; i++) {
            const pair *p = pair_find(t, id[i], id[i + 1]);
            if (p->merged >= 0 && p->merged < best.merged) best = *p;
        }
        if (best.merged == INT32_MAX) return count;
        int to = 0;
        for (int i = 0; i < count; i++) {
            if (i + 1 < count && id[i] == best.left && id[i + 1] == best.right) {
                id[to++] = best.merged;
                i++;
            } else {
                id[to++] = id[i];
            }
        }
        count = to;
    }
}

/* The ids of one word; at most its length in bytes. */
static int word_encode(const tokenizer *t, const char *word, int length, int32_t *id)
{
    if (length == 15 && memcmp(word, "<|startoftext|>", 15) == 0) {
        *id = token_start(t);
        return 1;
    }
    if (length == 13 && memcmp(word, "<|endoftext|>", 13) == 0) {
        *id = token_end(t);
        return 1;
    }
    if (!t->pairs) {
        *id = id_find(t, word, (size_t)length);
        if (*id < 0) *id = t->size - 3;
        return 1;
    }
    for (int i = 0; i < length; i++) id[i] = t->byte_id[(unsigned char)word[i]];
    id[length - 1] += 256;
    return symbols_merge(t, id, length);
}

int tokenizer_encode(const tokenizer *t, const char *text, int32_t **ids, error *e)
{
    text_words w;
    if (!text_words_split(&w, text, e)) return -1;
    *ids = memory_allocate((size_t)w.start[w.count] + 2, sizeof **ids, e);
    int count = *ids ? 0 : -1;
    if (*ids) {
        (*ids)[count++] = token_start(t);
        for (int i = 0; i < w.count; i++) {
            count += word_encode(t, w.bytes + w.start[i], (int)(w.start[i + 1] - w.start[i]),
                                 *ids + count);
        }
        (*ids)[count++] = token_end(t);
    }
    text_words_free(&w);
    return count;
}
