/* Finding the images in folders and below. */
#include "image/folder.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

bool folder_image_name(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < CLI_COUNT(endings); i++)
        if (strcasecmp(dot, endings[i]) == 0) return true;
    return false;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool add_owned(const char *path, cli_strings *names, cli_strings *owned, error *e)
{
    char *copy = strdup(path);
    if (!copy) return error_set(e, STATUS_SYSTEM, "out of memory");
    if (cli_strings_add(owned, copy, e)) return cli_strings_add(names, copy, e);
    free(copy);
    return false;
}

/* Files whose names are not those of images. */
typedef struct other_files {
    size_t count;
    char *first;
} other_files;

static bool take_file(const char *path, const char *name, cli_strings *names, cli_strings *owned,
                      other_files *others, error *e)
{
    if (folder_image_name(name)) return add_owned(path, names, owned, e);
    if (others->count++ == 0) others->first = strdup(path);
    return true;
}

static bool walk(FTS *tree, cli_strings *names, cli_strings *owned, other_files *others, error *e)
{
    for (FTSENT *entry; errno = 0, (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_level > 0 && entry->fts_name[0] == '.') {
            fts_set(tree, entry, FTS_SKIP);
            continue;
        }
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR) {
            errno = entry->fts_errno;
            return error_set(e, STATUS_NO_INPUT, "%s: ", entry->fts_path);
        }
        if (entry->fts_info == FTS_F &&
            !take_file(entry->fts_path, entry->fts_name, names, owned, others, e))
            return false;
    }
    return errno == 0 || error_set(e, STATUS_IO, "reading a folder: ");
}

bool folder_expand(const cli *c, const char *path, cli_strings *names, cli_strings *owned, error *e)
{
    struct stat status;
    if (strcmp(path, "-") == 0 || stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
        return cli_strings_add(names, path, e);
    size_t before = names->count;
    char *roots[] = {(char *)path, NULL};
    FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    if (!tree) return error_set(e, STATUS_NO_INPUT, "%s: ", path);
    other_files others = {0};
    bool walked = walk(tree, names, owned, &others, e);
    fts_close(tree);
    if (walked && others.first)
        cli_note(c,
                 "%s: names not ending in .jpg, .jpeg, .png or .webp are left out: %zu, the first "
                 "%s",
                 path, others.count, others.first);
    free(others.first);
    if (walked && names->count == before)
        return error_set(e, STATUS_NO_INPUT, "%s: no image in this folder", path);
    return walked;
}

void folder_names_free(cli_strings *owned)
{
    for (size_t i = 0; i < owned->count; i++) free((char *)owned->item[i]);
    cli_strings_free(owned);
}
