/* Opening inputs. */
#include "cli/input.h"

#include "cli/cli.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* Never one of the standard descriptors, not even where one of them is closed. */
static int duplicate(int descriptor)
{
    return fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

/* What cannot be read holds the place of a closed standard input. */
static bool is_closed(int standard)
{
    int flags = fcntl(standard, F_GETFL);
    return flags < 0 || (flags & O_ACCMODE) == O_WRONLY;
}

int input_open(const char *path, struct stat *status, error *e)
{
    if (is_standard(path) && is_closed(STDIN_FILENO)) {
        error_set(e, STATUS_NO_INPUT, "%s: is closed", cli_input_name(path));
        return -1;
    }
    int file =
        is_standard(path) ? duplicate(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0 || fstat(file, status) != 0)
        error_set(e, STATUS_NO_INPUT, "%s: ", cli_input_name(path));
    else if (S_ISDIR(status->st_mode))
        error_set(e, STATUS_NO_INPUT, "%s: is a folder; name the files in it",
                  cli_input_name(path));
    else
        return file;
    if (file >= 0) close(file);
    return -1;
}

bool input_describe(const char *path, struct stat *status)
{
    return (is_standard(path) ? fstat(STDIN_FILENO, status) : stat(path, status)) == 0;
}
