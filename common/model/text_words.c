/* Cleaning and splitting texts for the tokenizer. */
#include "model/text_words.h"

#include "cli/memory.h"
#include "cli/text.h"
#include "model/tokenizer.h"
#include "model/unicode.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t character;
} entities[] = {{"amp", '&'},  {"lt", '<'},    {"gt", '>'},
                {"quot", '"'}, {"apos", '\''}, {"nbsp", 0xa0}};

static const char *const contractions[] = {"s", "t", "re", "ve", "m", "ll", "d"};
static const char *const specials[] = {"<|startoftext|>", "<|endoftext|>"};

#define COUNT(list) (sizeof list / sizeof *list)

/* The next character of UTF-8; U+FFFD for invalid bytes. */
static uint32_t utf8_next(const unsigned char **at, const unsigned char *end)
{
    size_t length = utf8_length(*at, (size_t)(end - *at));
    uint32_t c = length == 0 ? 0xfffd : length == 1 ? **at : **at & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) c = c << 6 | ((*at)[i] & 0x3f);
    *at += length ? length : 1;
    return c;
}

static size_t utf8_put(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    int length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--) {
        to[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    to[0] = (char)((0xf00 >> length & 0xff) | c);
    return (size_t)length;
}

/* What ftfy makes of one character; at most three. */
static int character_mend(uint32_t c, uint32_t out[3])
{
    static const char *const ligatures[] = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};
    out[0] = c;
    if (c < 0x20 && !(c >= 9 && c <= 13)) return 0;
    if (c == 0x7f || c == 0xfeff || c == 0xb || c == 0xe || (c >= 0x206a && c <= 0x206f) ||
        (c >= 0xfff9 && c <= 0xfffc))
        return 0;
    if (c >= 0x2018 && c <= 0x201b) out[0] = '\'';
    if (c >= 0x201c && c <= 0x201f) out[0] = '"';
    if (c >= 0xff01 && c <= 0xff5e) out[0] = c - 0xff01 + '!';
    if (c == 0x3000) out[0] = ' ';
    if (c < 0xfb00 || c > 0xfb06) return 1;
    const char *letters = ligatures[c - 0xfb00];
    int count = (int)strlen(letters);
    for (int i = 0; i < count; i++) out[i] = (unsigned char)letters[i];
    return count;
}

/* "&#233;" or "&eacute;" at text[0..left): the character and the length it takes; 0: none. */
static size_t entity_parse(const uint32_t *text, size_t left, uint32_t *out)
{
    char name[12];
    size_t length = 0;
    while (length + 1 < left && length < sizeof name - 1 && text[1 + length] < 0x80 &&
           text[1 + length] != ';') {
        name[length] = (char)text[1 + length];
        length++;
    }
    name[length] = 0;
    if (length == 0 || length + 1 >= left || text[1 + length] != ';') return 0;
    for (size_t i = 0; i < COUNT(entities); i++) {
        if (strcmp(entities[i].name, name) == 0) {
            *out = entities[i].character;
            return length + 2;
        }
    }
    bool hexadecimal = name[1] == 'x' || name[1] == 'X';
    const char *digits = name + (hexadecimal ? 2 : 1);
    if (name[0] != '#' ||
        digits[strspn(digits, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789")] || !*digits)
        return 0;
    unsigned long number = strtoul(digits, NULL, hexadecimal ? 16 : 10);
    *out = number == 0 || number > 0x10ffff || (number >= 0xd800 && number < 0xe000)
               ? 0xfffd
               : (uint32_t)number;
    return length + 2;
}

static size_t entities_resolve(uint32_t *text, size_t count)
{
    size_t to = 0;
    for (size_t from = 0; from < count;) {
        uint32_t c;
        size_t used = text[from] == '&' ? entity_parse(text + from, count - from, &c) : 0;
        text[to++] = used ? c : text[from];
        from += used ? used : 1;
    }
    return to;
}

/* Runs of white space become one space; none at either end. */
static size_t spaces_collapse(uint32_t *text, size_t count)
{
    size_t to = 0;
    for (size_t from = 0; from < count; from++) {
        if (!unicode_is_space(text[from])) {
            text[to++] = text[from];
        } else if (to > 0 && text[to - 1] != ' ') {
            text[to++] = ' ';
        }
    }
    return to > 0 && text[to - 1] == ' ' ? to - 1 : to;
}

/* Python's lower(): a capital sigma that ends a word becomes a final one; a dotted capital I
 * becomes two characters. */
static size_t case_lower(uint32_t *to, const uint32_t *from, size_t count)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        bool inside = i > 0 && unicode_is_letter(from[i - 1]);
        bool last = i + 1 == count || !unicode_is_letter(from[i + 1]);
        to[used++] = from[i] == 0x3a3 && inside && last ? 0x3c2
                     : from[i] == 0x130                 ? 'i'
                                                        : unicode_lower(from[i]);
        if (from[i] == 0x130) to[used++] = 0x307;
    }
    return used;
}

static bool matches(const uint32_t *text, size_t left, const char *word)
{
    size_t i = 0;
    while (word[i] && i < left && text[i] == (unsigned char)word[i]) i++;
    return !word[i];
}

/* The length of the word at text[0], which is not a space. */
static size_t word_length(const uint32_t *text, size_t left)
{
    for (size_t i = 0; i < COUNT(specials); i++) {
        if (matches(text, left, specials[i])) return strlen(specials[i]);
    }
    for (size_t i = 0; i < COUNT(contractions) && text[0] == '\''; i++) {
        if (matches(text + 1, left - 1, contractions[i])) return 1 + strlen(contractions[i]);
    }
    if (unicode_is_number(text[0])) return 1;
    bool letter = unicode_is_letter(text[0]);
    size_t length = 1;
    while (length < left) {
        uint32_t c = text[length];
        if (letter ? !unicode_is_letter(c)
                   : unicode_is_letter(c) || unicode_is_number(c) || unicode_is_space(c))
            break;
        length++;
    }
    return length;
}

static void words_put(text_words *w, const uint32_t *text, size_t count)
{
    size_t used = 0;
    for (size_t at = 0; at < count;) {
        if (unicode_is_space(text[at])) {
            at++;
            continue;
        }
        size_t length = word_length(text + at, count - at);
        for (size_t i = 0; i < length; i++) used += utf8_put(w->bytes + used, text[at + i]);
        w->start[++w->count] = (uint32_t)used;
        at += length;
    }
}

bool text_words_split(text_words *w, const char *text, error *e)
{
    size_t size = strlen(text), count = 0;
    *w = (text_words){0};
    if (size > TOKENIZER_TEXT_LIMIT) {
        return error_set(e, STATUS_DATA, "a text of %zu bytes; %d is the limit", size,
                         TOKENIZER_TEXT_LIMIT);
    }
    uint32_t *mended = memory_allocate(3 * size + 3, sizeof *mended, e);
    uint32_t *lower = memory_allocate(6 * size + 6, sizeof *lower, e);
    w->bytes = memory_allocate(24 * size + 24, 1, e);
    w->start = memory_zeroed(6 * size + 8, sizeof *w->start, e);
    bool ok = mended && lower && w->bytes && w->start;
    if (ok) {
        const unsigned char *at = (const unsigned char *)text, *end = at + size;
        while (at < end) count += (size_t)character_mend(utf8_next(&at, end), mended + count);
        for (int i = 0; i < 2; i++) count = entities_resolve(mended, count);
        count = spaces_collapse(mended, count);
        count = case_lower(lower, mended, count);
        words_put(w, lower, count);
    }
    free(mended);
    free(lower);
    if (!ok) text_words_free(w);
    return ok;
}

void text_words_free(text_words *w)
{
    free(w->bytes);
    free(w->start);
    *w = (text_words){0};
}
