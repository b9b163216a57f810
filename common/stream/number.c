/* Numbers as text. */
#include "stream/number.h"

#include <stdlib.h>
#include <string.h>

static void trim_exponent(char *text)
{
    char *exponent = strchr(text, 'e');
    if (!exponent) return;
    char *to = exponent + (exponent[1] == '-' ? 2 : 1), *digits = exponent + 2;
    digits += strspn(digits, "0");
    memmove(to, digits, strlen(digits) + 1);
}

void number_text(double number, char text[NUMBER_TEXT_SIZE])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, NUMBER_TEXT_SIZE, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    trim_exponent(text);
}

/* Copies a JSON text's string, its quotes included; moves both pointers behind it. */
static void copy_string(const char **from, char **to)
{
    do {
        if (**from == '\\') *(*to)++ = *(*from)++;
        *(*to)++ = *(*from)++;
    } while (**from != '"');
    *(*to)++ = *(*from)++;
}

/* Copies a JSON text's number, in fewer digits where these are the same number. */
static void copy_number(const char **from, char **to)
{
    size_t length = strspn(*from, "+-.0123456789eE");
    if (memchr(*from, '.', length) || memchr(*from, 'e', length)) {
        char text[NUMBER_TEXT_SIZE];
        number_text(strtod(*from, NULL), text);
        if (!strpbrk(text, ".e")) strcat(text, ".0");
        if (strlen(text) < length) {
            memcpy(*to, text, strlen(text));
            *to += strlen(text);
            *from += length;
            return;
        }
    }
    memmove(*to, *from, length);
    *to += length;
    *from += length;
}

/* jansson rounds to a fixed number of digits only: its 17 are made fewer afterwards. */
char *number_json_dumps(const json_t *json, size_t flags)
{
    char *text = json ? json_dumps(json, flags | JSON_REAL_PRECISION(17)) : NULL, *to = text;
    for (const char *from = text; from && *from;) {
        if (*from == '"')
            copy_string(&from, &to);
        else if (*from == '-' || (*from >= '0' && *from <= '9'))
            copy_number(&from, &to);
        else
            *to++ = *from++;
    }
    if (text) *to = 0;
    return text;
}

bool number_json_print(const json_t *json, size_t flags, FILE *to, const char *name, error *e)
{
    char *text = number_json_dumps(json, flags);
    if (!text) return error_set(e, STATUS_SYSTEM, "out of memory");
    bool printed = fputs(text, to) != EOF && fputc('\n', to) != EOF;
    if (!printed) error_set(e, STATUS_IO, "%s: ", name);
    free(text);
    return printed;
}
