/* Opening annotation files and folders, and telling their formats apart. */
#include "cli/input.h"
#include "cli/memory.h"
#include "face/annotation_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_DEPTH_MOST = 16 };
#define FILE_BYTES_MOST ((int64_t)4 << 30)

static bool suffix_is(const char *path, const char *suffix)
{
    size_t length = strlen(path), end = strlen(suffix);
    return length > end && strcmp(path + length - end, suffix) == 0;
}

/* JSON whose first key is a number is FDF's; with one of COCO's keys it is COCO's. */
static annotation_format json_format(const char *head)
{
    static const char *const coco[] = {"\"images\"",     "\"annotations\"", "\"info\"",
                                       "\"categories\"", "\"licenses\"",    NULL};
    head += strcspn(head, "\"");
    if (head[0] == '"' && head[1] >= '0' && head[1] <= '9') return FORMAT_FDF;
    for (int i = 0; coco[i] != NULL; i++) {
        if (strncmp(head, coco[i], strlen(coco[i])) == 0) return FORMAT_COCO;
    }
    return FORMAT_LINES;
}

static annotation_format format_guess(const char *path, const char *bytes, size_t size)
{
    char head[256];
    size_t length = size < sizeof head - 1 ? size : sizeof head - 1;
    memcpy(head, bytes, length);
    head[length] = '\0';
    if (strncmp(head, "\x93NUMPY", 6) == 0) return FORMAT_NPY;
    const char *start = head + strspn(head, " \t\r\n");
    if (*start == '<') return FORMAT_DLIB;
    if (strncmp(start, "version", 7) == 0 || suffix_is(path, ".pts")) return FORMAT_PTS;
    if (*start == '{') return json_format(start + 1);
    bool columns = strncmp(start, "image_id", 8) == 0;
    if (columns || (*start >= '0' && *start <= '9')) return FORMAT_CELEBA;
    return FORMAT_LINES;
}

static annotation_reader *const readers[] = {
    [FORMAT_LINES] = annotations_read_lines, [FORMAT_FDF] = annotations_read_fdf,
    [FORMAT_COCO] = annotations_read_coco,   [FORMAT_CELEBA] = annotations_read_celeba,
    [FORMAT_DLIB] = annotations_read_dlib,   [FORMAT_PTS] = annotations_read_pts,
    [FORMAT_NPY] = annotations_read_npy,
};

static bool bytes_parse(annotations *a, const char *path, const char *name,
                        annotation_format format, const char *bytes, size_t size, error *e)
{
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        bytes += 3;
        size -= 3;
    }
    if (format == FORMAT_AUTO) format = format_guess(path, bytes, size);
    return readers[format](a, name, bytes, size, e);
}

/* A path without folders above `root` and without its suffix. */
static char *name_of(const char *path, const char *root)
{
    size_t skip = strlen(root);
    if (strncmp(path, root, skip) != 0 || path[skip] != '/') skip = 0;
    while (skip > 0 && path[skip] == '/') skip++;
    char *name = strdup(path + skip);
    if (name == NULL) return NULL;
    char *slash = strrchr(name, '/'), *dot = strrchr(name, '.');
    if (dot != NULL && dot != name && (slash == NULL || dot > slash + 1)) *dot = '\0';
    return name;
}

static bool too_large(error *e)
{
    return error_set(e, STATUS_DATA, "has more than %d GiB", (int)(FILE_BYTES_MOST >> 30));
}

/* Files are read, not mapped: another program may cut them short meanwhile. `expected`: bytes, as
   far as is known. */
static bool bytes_read(int file, size_t expected, char **bytes, size_t *size, error *e)
{
    if (!input_read_all(file, "cannot be read", FILE_BYTES_MOST + 1, bytes, size, e)) return false;
    if ((int64_t)*size > FILE_BYTES_MOST) return too_large(e);
    if (*size < expected) return error_set(e, STATUS_DATA, "became shorter while it was read");
    return *size > 0 || error_set(e, STATUS_DATA, "is empty");
}

static bool file_parse(annotations *a, const char *path, annotation_format format, int file,
                       error *e)
{
    struct stat s;
    if (fstat(file, &s) != 0) return error_set(e, STATUS_IO, "cannot be read: ");
    int64_t expected = S_ISREG(s.st_mode) ? s.st_size : 0;
    if (expected > FILE_BYTES_MOST) return too_large(e);
    char *bytes = NULL, *name = name_of(path, a->path);
    size_t size = 0;
    bool done = name != NULL || error_set(e, STATUS_SYSTEM, "out of memory");
    done = done && bytes_read(file, (size_t)expected, &bytes, &size, e) &&
           bytes_parse(a, path, name, format, bytes, size, e);
    free(bytes);
    free(name);
    return done;
}

static bool file_read(annotations *a, const char *path, annotation_format format, error *e)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return error_set(e, STATUS_NO_INPUT, "%s: ", path);
    bool done = file_parse(a, path, format, file, e);
    close(file);
    return done || error_context(e, "%s", path);
}

static bool path_read(annotations *a, const char *path, annotation_format format, int depth,
                      error *e);

static int point_files(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Sub-folders, and files called .pts and .npy, in the order of their names. */
static bool folder_read(annotations *a, const char *path, annotation_format format, int depth,
                        error *e)
{
    if (depth == FOLDER_DEPTH_MOST) return error_set(e, STATUS_DATA, "%s: too deep a folder", path);
    struct dirent **list;
    int count = scandir(path, &list, point_files, alphasort);
    if (count < 0) return error_set(e, STATUS_NO_INPUT, "%s: ", path);
    bool done = true;
    for (int i = 0; i < count; i++) {
        char *inner = NULL;
        size_t size = strlen(path) + strlen(list[i]->d_name) + 2;
        if (done) inner = memory_allocate(size, 1, e);
        if (inner != NULL) {
            snprintf(inner, size, "%s/%s", path, list[i]->d_name);
            struct stat s;
            bool folder = stat(inner, &s) == 0 && S_ISDIR(s.st_mode);
            if (folder || suffix_is(inner, ".pts") || suffix_is(inner, ".npy")) {
                done = path_read(a, inner, format, depth + 1, e);
            }
        } else {
            done = false;
        }
        free(inner);
        free(list[i]);
    }
    free(list);
    return done;
}

static bool path_read(annotations *a, const char *path, annotation_format format, int depth,
                      error *e)
{
    struct stat s;
    if (stat(path, &s) != 0) return error_set(e, STATUS_NO_INPUT, "%s: ", path);
    if (S_ISDIR(s.st_mode)) return folder_read(a, path, format, depth, e);
    return file_read(a, path, format, e);
}

annotations *annotations_read(const char *path, annotation_format format, error *e)
{
    annotations *a = memory_zeroed(1, sizeof *a, e);
    if (a == NULL) return NULL;
    a->path = path;
    if (path_read(a, path, format, 0, e) && annotations_sort(a, e) && annotations_join(a, e)) {
        return a;
    }
    annotations_free(a);
    return NULL;
}
