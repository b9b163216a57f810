/* Numbers as people and programs write them. */
#include "exif/quantity.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t') p++;
    return p;
}

static const char *skip_text(const char *p, const char *text)
{
    size_t n = strlen(text);
    return strncasecmp(p, text, n) ? NULL : p + n;
}

/* Skips the longest of the spellings that stands at p. */
static const char *skip_any(const char *p, const char *const *spelling)
{
    const char *best = p;
    for (; *spelling; spelling++) {
        const char *after = skip_text(p, *spelling);
        if (after && after > best) best = after;
    }
    return best;
}

/* "1,600" has a thousands separator, "2,8" a decimal comma. */
static bool is_separator(const char *p, quantity kind)
{
    return kind == QUANTITY_ISO && p[0] == ',' && isdigit((unsigned char)p[1]) &&
           isdigit((unsigned char)p[2]) && isdigit((unsigned char)p[3]) &&
           !isdigit((unsigned char)p[4]);
}

/* An unsigned decimal number; NULL when there is none. Digits beyond 60 do not matter and are
 * dropped. */
static const char *parse_decimal(const char *p, quantity kind, double *number)
{
    char digits[64];
    size_t n = 0;
    bool point = false, any = false;
    for (; *p; p++) {
        bool digit = isdigit((unsigned char)*p);
        bool decimal = (*p == '.' || *p == ',') && !point && isdigit((unsigned char)p[1]);
        if (!digit && !point && is_separator(p, kind)) continue;
        if (!digit && !decimal) break;
        point |= decimal;
        any |= digit;
        if (n == 60 && !point) return NULL;
        if (n < 60) digits[n++] = decimal ? '.' : *p;
    }
    if (!any) return NULL;
    if (*p == '.' && !point && !isdigit((unsigned char)p[1])) p++; /* "35." */
    digits[n] = '\0';
    *number = strtod(digits, NULL);
    char *end;
    if ((*p == 'e' || *p == 'E') &&
        (isdigit((unsigned char)p[1]) ||
         ((p[1] == '-' || p[1] == '+') && isdigit((unsigned char)p[2])))) {
        long exponent = strtol(p + 1, &end, 10);
        *number *= pow(10, (double)exponent);
        p = end;
    }
    return p;
}

/* "1/60", "1 2/3", "0.5"; the divisor of an ISO value ("400/27") is its DIN twin. */
static const char *parse_fraction(const char *p, quantity kind, double *number)
{
    double whole = 0, divisor = 1, part;
    p = parse_decimal(p, kind, number);
    if (!p) return NULL;
    const char *next = parse_decimal(skip_blanks(p), QUANTITY_PLAIN, &part);
    if (next && next > skip_blanks(p) && *p == ' ' && *next == '/' && kind != QUANTITY_ISO) {
        whole = *number;
        *number = part;
        p = next;
    }
    const char *slash = skip_blanks(p);
    if (*slash == '/') {
        p = parse_decimal(skip_blanks(slash + 1), QUANTITY_PLAIN, &divisor);
        if (!p) return NULL;
        if (kind == QUANTITY_ISO) divisor = 1;
        if (divisor == 0) return NULL;
    }
    *number = whole + *number / divisor;
    return p;
}

static const char *const prefixes[][7] = {
    [QUANTITY_TIME] = {NULL},
    [QUANTITY_APERTURE] = {"f/", "f /", "f", "f:", "\xc6\x92/", "\xc6\x92", NULL},
    [QUANTITY_BIAS] = {NULL},
    [QUANTITY_LENGTH] = {NULL},
    [QUANTITY_ISO] = {"iso", "iso:", "iso-", NULL},
    [QUANTITY_PLAIN] = {NULL},
};

static const char *const units[][9] = {
    [QUANTITY_TIME] = {"s", "s.", "sec", "sec.", "secs", "second", "seconds", "\"", NULL},
    [QUANTITY_APERTURE] = {NULL},
    [QUANTITY_BIAS] = {"ev", "stop", "stops", "step", "steps", NULL},
    [QUANTITY_LENGTH] = {"mm", "mm.", "millimeter", "millimeters", NULL},
    [QUANTITY_ISO] = {"\xc2\xb0", "asa", NULL},
    [QUANTITY_PLAIN] = {NULL},
};

/* "0.017 sec (1/60)": the fraction is the exact value, if it is the same number. */
static void refine(const char *p, double *number)
{
    double exact;
    const char *end = *p == '(' ? parse_fraction(p + 1, QUANTITY_PLAIN, &exact) : NULL;
    if (!end || *end != ')' || !memchr(p, '/', (size_t)(end - p))) return;
    if (fabs(exact - *number) <= 0.05 * fabs(exact) + 0.0006) *number = exact;
}

bool quantity_parse(const char *text, quantity kind, double *number)
{
    double x, sign = 1;
    const char *p = skip_blanks(text), *minus;
    p = skip_blanks(skip_any(p, prefixes[kind]));
    if (*p == '+' || *p == '-') {
        sign = *p++ == '-' ? -1 : 1;
    } else if ((minus = skip_text(p, "\xe2\x88\x92"))) {
        sign = -1;
        p = minus;
    }
    p = parse_fraction(skip_blanks(p), kind, &x);
    if (!p) return false;
    p = skip_blanks(skip_any(skip_blanks(p), units[kind]));
    if (kind == QUANTITY_TIME) refine(p, &x);
    bool list = kind == QUANTITY_ISO && (*p == ',' || isdigit((unsigned char)*p));
    if ((*p && *p != '(' && !list) || !isfinite(x)) return false;
    *number = sign * x;
    return true;
}
