/* Text from outside. */
#include "cli/text.h"

#include <stdbool.h>
#include <string.h>

size_t utf8_length(const unsigned char *p, size_t left)
{
    static const struct {
        unsigned char low, high, second_low, second_high, length;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (*p < forms[i].low || *p > forms[i].high || forms[i].length > left) continue;
        if (forms[i].length > 1 && (p[1] < forms[i].second_low || p[1] > forms[i].second_high))
            return 0;
        for (int k = 2; k < forms[i].length; k++)
            if ((p[k] & 0xc0) != 0x80) return 0;
        return forms[i].length;
    }
    return 0;
}

size_t utf8_mend(char *to, const char *from, size_t size, const char *instead)
{
    size_t used = 0, width = strlen(instead);
    for (size_t i = 0, valid; i < size; i += valid ? valid : 1) {
        valid = utf8_length((const unsigned char *)from + i, size - i);
        memmove(to + used, valid ? from + i : instead, valid ? valid : width);
        used += valid ? valid : width;
    }
    return used;
}

/* Controls of ASCII and of ISO 6429 (C1), and those that turn the direction of what follows (U+202A
   to U+202E, U+2066 to U+2069), with which a name could look like another verdict. */
static bool is_control(const unsigned char *p)
{
    if (*p < 32 || *p == 127 || (p[0] == 0xc2 && p[1] < 0xa0)) return true;
    return p[0] == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) ||
                            (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

/* Of the character that the text begins with; a byte that is no UTF-8 counts as one. */
static size_t character_bytes(const char *text, size_t left)
{
    size_t length = utf8_length((const unsigned char *)text, left);
    return length ? length : 1;
}

size_t text_bytes(const char *text, size_t characters)
{
    size_t size = strlen(text), used = 0;
    for (; used < size && characters > 0; characters--)
        used += character_bytes(text + used, size - used);
    return used;
}

size_t text_width(const char *text)
{
    size_t width = 0;
    for (size_t left = strlen(text), length; left > 0; left -= length, width++) {
        length = character_bytes(text, left);
        text += length;
    }
    return width;
}

static void print_bytes(FILE *to, const char *text, size_t left, const char *special,
                        void (*escape)(FILE *to, char c))
{
    while (left > 0) {
        size_t length = utf8_length((const unsigned char *)text, left);
        if (length == 0 || is_control((const unsigned char *)text))
            fputc('?', to);
        else if (length == 1 && special && strchr(special, *text))
            escape(to, *text);
        else
            fwrite(text, 1, length, to);
        text += length ? length : 1;
        left -= length ? length : 1;
    }
}

void text_print(FILE *to, const char *text, const char *special, void (*escape)(FILE *to, char c))
{
    print_bytes(to, text, strlen(text), special, escape);
}

size_t text_print_start(FILE *to, const char *text, size_t characters)
{
    size_t width = text_width(text);
    print_bytes(to, text, text_bytes(text, characters), NULL, NULL);
    return width < characters ? width : characters;
}
