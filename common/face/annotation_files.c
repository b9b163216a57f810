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

/* What a key of a JSON file's first object says about its format; AUTO: nothing. */
static annotation_format key_format(const char *key, size_t length)
{
    static const struct {
        const char *key;
        annotation_format format;
    } telling[] = {{"images", FORMAT_COCO},   {"annotations", FORMAT_COCO},
                   {"info", FORMAT_COCO},     {"categories", FORMAT_COCO},
                   {"licenses", FORMAT_COCO}, {"path", FORMAT_LINES},
                   {"id", FORMAT_LINES},      {"faces", FORMAT_LINES}};
    if (length > 0 && key[0] >= '0' && key[0] <= '9') return FORMAT_FDF;
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++) {
        if (text_is(key, length, telling[i].key)) return telling[i].format;
    }
    return FORMAT_AUTO;
}

/* Bytes of a JSON text from its opening quote to behind the closing one, or to the end. */
static size_t quoted_length(const char *at, size_t size)
{
    size_t i = 1;
    while (i < size && at[i] != '"') i += at[i] == '\\' ? 2 : 1;
    return i < size ? i + 1 : size;
}

/* The format by the first of the object's own keys that tells it. */
static annotation_format json_format(const char *object, size_t size)
{
    int depth = 0;
    bool key = false; /* comes next, at depth 1 */
    for (size_t i = 0; i < size; i++) {
        char c = object[i];
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth == 0) break;
        if (c == '{' || c == ',') key = true;
        if (c != '"') continue;
        size_t length = quoted_length(object + i, size - i);
        annotation_format format = FORMAT_AUTO;
        if (depth == 1 && key && length >= 2) format = key_format(object + i + 1, length - 2);
        if (format != FORMAT_AUTO) return format;
        key = false;
        i += length - 1;
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
    if (*start == '{') return json_format(bytes + (start - head), size - (size_t)(start - head));
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

/* What lies in a folder: another, or a file called .pts or .npy. */
static bool inner_read(annotations *a, const char *path, annotation_format format, int depth,
                       error *e)
{
    struct stat s = {0};
    bool there = stat(path, &s) == 0, points = suffix_is(path, ".pts") || suffix_is(path, ".npy");
    if (!points && !S_ISDIR(s.st_mode)) return true;
    if (there && !S_ISDIR(s.st_mode) && !S_ISREG(s.st_mode)) {
        return error_set(e, STATUS_DATA, "%s: not a regular file", path);
    }
    return path_read(a, path, format, depth, e);
}

/* In the order of their names. */
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
            done = inner_read(a, inner, format, depth + 1, e);
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
