/* Setting errors: the first one sticks, and what is too long loses its middle. */
#include "cli/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MOST = 16384 }; /* of a message before it is shortened: a few paths of PATH_MAX */

static void copy_shortened(char *to, size_t size, const char *text)
{
    static const char gap[] = "...";
    size_t length = strlen(text), kept = size - sizeof gap, tail = kept / 2;
    if (length < size) {
        memcpy(to, text, length + 1);
        return;
    }
    char *end = mempcpy(mempcpy(to, text, kept - tail), gap, sizeof gap - 1);
    memcpy(end, text + length - tail, tail + 1);
}

bool error_set(error *e, int status, const char *format, ...)
{
    int saved = errno;
    char text[TEXT_MOST];
    if (e->status) return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t length = strlen(text), asked = strlen(format);
    if (asked >= 2 && strcmp(format + asked - 2, ": ") == 0)
        snprintf(text + length, sizeof text - length, "%s", strerror(saved));
    copy_shortened(e->text, sizeof e->text, text);
    e->status = status;
    return false;
}

bool error_context(error *e, const char *format, ...)
{
    char text[TEXT_MOST], context[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    copy_shortened(context, sizeof context - 2, text);
    strcat(context, ": ");
    size_t used = strlen(context);
    memcpy(text, e->text, sizeof e->text);
    memcpy(e->text, context, used);
    copy_shortened(e->text + used, sizeof e->text - used, text);
    return false;
}

bool error_none_of(error *e, const char *what, const char *value, const char *const *names)
{
    char known[400] = "";
    for (size_t used = 0; *names && used < sizeof known; names++)
        used +=
            (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", *names);
    return error_set(e, STATUS_USAGE, "%s: '%s' is none of %s", what, value, known);
}
