/* Errors that stick, and allocation that reports them. */
#include "cli/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool error_set(error *e, int status, const char *format, ...)
{
    int saved = errno;
    if (e->status) return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e->text, sizeof e->text, format, arguments);
    va_end(arguments);
    size_t length = strlen(e->text);
    if (length >= 2 && strcmp(e->text + length - 2, ": ") == 0)
        snprintf(e->text + length, sizeof e->text - length, "%s", strerror(saved));
    e->status = status;
    return false;
}

bool error_context(error *e, const char *format, ...)
{
    char context[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context, sizeof context - 2, format, arguments);
    va_end(arguments);
    strcat(context, ": ");
    size_t used = strlen(context), kept = strlen(e->text);
    if (kept > sizeof e->text - used - 1) kept = sizeof e->text - used - 1;
    memmove(e->text + used, e->text, kept);
    memcpy(e->text, context, used);
    e->text[used + kept] = 0;
    return false;
}

static void *checked(void *block, size_t count, size_t size, error *e)
{
    if (!block) error_set(e, STATUS_SYSTEM, "out of memory (%zu x %zu bytes)", count, size);
    return block;
}

void *memory_allocate(size_t count, size_t size, error *e)
{
    return memory_resize(NULL, count, size, e);
}

void *memory_zeroed(size_t count, size_t size, error *e)
{
    return checked(calloc(count ? count : 1, size ? size : 1), count, size, e);
}

void *memory_resize(void *block, size_t count, size_t size, error *e)
{
    if (size && count > SIZE_MAX / size) return checked(NULL, count, size, e);
    size_t bytes = count * size;
    return checked(realloc(block, bytes ? bytes : 1), count, size, e);
}
