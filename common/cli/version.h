/* What a tool is made of: for --version. */
#ifndef BLADES_CLI_VERSION_H
#define BLADES_CLI_VERSION_H

#include <stddef.h>

/* Lines that name the libraries at run time and the processor features in use. */
void version_describe(char *text, size_t size);

#endif
