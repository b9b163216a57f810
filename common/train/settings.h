/* A tool's options as JSON, so that a checkpoint can hold them: a resumed run has the options of
   the run it continues, without being told again. Options marked `unrecorded` are left out. */
#ifndef BLADES_TRAIN_SETTINGS_H
#define BLADES_TRAIN_SETTINGS_H

#include "cli/cli.h"

#include <jansson.h>

/* {"name": value, ...} of the current values; NULL when out of memory. A string that is not set is
   left out, and so is a number out of its range (a default that stands for "not set").
   Lists are not supported. */
json_t *settings_get(const cli_option *options, size_t count);

/* Whether the command line (`given`, as in cli) names an option. */
bool settings_given(const cli_option *options, size_t count, const cli_strings *given,
                    const char *name);

/* Sets every option that the command line (`given`, as in cli) does not name to its value in
   `saved`, which must outlive the options. An option that was given must have the saved value, but
   for those named in `changeable` (NULL-ended): else STATUS_USAGE, with both values. STATUS_DATA
   when a value makes no sense, or is missing though the option always has one; `changeable` ones
   may be missing. */
bool settings_restore(const cli_option *options, size_t count, const json_t *saved,
                      const cli_strings *given, const char *const *changeable, error *e);

/* The command line that sets the current values where they differ from `defaults` (of
   settings_get) and are not named in `skipped` (NULL-ended), in the order of the table: name,
   value, name, value, ... with flags alone. The strings live as long as *texts (caller decrefs). */
bool settings_arguments(const cli_option *options, size_t count, const json_t *defaults,
                        const char *const *skipped, cli_strings *out, json_t **texts, error *e);

#endif
