/* English plurals in messages. */
#ifndef BLADES_CLI_PLURAL_H
#define BLADES_CLI_PLURAL_H

#include <stddef.h>

/* The ending of a noun: "" for one of them, else "s". */
static inline const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

#endif
