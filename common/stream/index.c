/* Streams in files with random access to their records. */
#include "stream/index.h"
#include "cli/input.h"
#include "cli/memory.h"
#include "cli/output.h"
#include "stream/foreign.h"
#include "stream/scan.h"
#include "stream/segment.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Pages of the first pass are asked for and given back in steps of this size. */
#define STEP ((size_t)8 << 20)
typedef struct mapped_file {
    unsigned char *bytes; /* NULL when empty */
    size_t size, start;   /* the stream is bytes[start..size) */
    int descriptor;       /* the index's own */
} mapped_file;

struct stream_index {
    const cli_strings *inputs;
    mapped_file *files;
    size_t file;           /* the first pass is here */
    size_t position;       /* and at this byte */
    size_t expected, kept; /* bytes of the file asked for; first byte not given back */
    bool file_counted;     /* a segment of this file was read */
    stream_segment segment;
    msgpack_unpacked record;         /* of the first pass */
    msgpack_unpacked header;         /* the first */
    msgpack_unpacked segment_header; /* empty in the first segment */
};

static const char *input_name(const stream_index *x)
{
    return cli_input_name(x->inputs->item[x->file]);
}

/* ---- Mapping -------------------------------------------------------------------------------- */

static size_t page_floor(size_t offset)
{
    return offset & ~((size_t)sysconf(_SC_PAGESIZE) - 1);
}

/* Advice about bytes[from..to); it may be refused without harm. */
static void advise(const mapped_file *f, size_t from, size_t to, int advice)
{
    if (to > f->size) to = f->size;
    from = page_floor(from);
    if (from < to) (void)madvise(f->bytes + from, to - from, advice);
}

/* A mapped file shrank or its disk failed: nothing can go on, but nothing half done is left. */
static void end_on_bus_error(int signal_number)
{
    static const char text[] = "an input file was cut short or cannot be read\n";
    output_remove_unfinished();
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(STATUS_IO);
    _exit(STATUS_IO);
}

static bool map_input(stream_index *x, error *e)
{
    struct stat status;
    mapped_file *f = &x->files[x->file];
    f->descriptor = input_open(x->inputs->item[x->file], &status, e);
    if (f->descriptor < 0) return false;
    if (!S_ISREG(status.st_mode))
        return error_set(e, STATUS_DATA, "%s: not a regular file", input_name(x));
    off_t start = lseek(f->descriptor, 0, SEEK_CUR);
    f->size = (size_t)status.st_size;
    f->start = start > 0 && start < status.st_size ? (size_t)start : 0;
    if (start >= status.st_size) f->size = 0;
    if (f->size == 0) return true;
    void *bytes = mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->descriptor, 0);
    if (bytes == MAP_FAILED)
        return error_set(e, errno == ENOMEM ? STATUS_SYSTEM : STATUS_IO,
                         "%s: cannot map: ", input_name(x));
    f->bytes = bytes;
    (void)madvise(bytes, f->size, MADV_RANDOM); /* no reading around: it is asked for */
    return true;
}

bool stream_index_possible(const cli_strings *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        struct stat status;
        if (input_describe(inputs->item[i], &status) && !S_ISREG(status.st_mode)) return false;
    }
    return true; /* one that cannot be opened is reported when it is mapped */
}

/* ---- The first pass ------------------------------------------------------------------------- */

static bool begin_file(stream_index *x, error *e)
{
    const mapped_file *f = &x->files[x->file];
    x->position = x->expected = x->kept = f->start;
    x->file_counted = false;
    return f->size == 0 ||
           stream_foreign_check(input_name(x), f->bytes + f->start, f->size - f->start, e);
}

/* Keeps reading ahead of the position, and gives back what lies behind. */
static void move_window(stream_index *x)
{
    const mapped_file *f = &x->files[x->file];
    if (x->position + STEP > x->expected && x->expected < f->size) {
        size_t from = x->expected > x->position ? x->expected : x->position;
        advise(f, from, from + STEP, MADV_WILLNEED);
        x->expected = from + STEP;
    }
    if (x->position - x->kept > STEP) {
        size_t to = page_floor(x->position);
        advise(f, x->kept, to, MADV_DONTNEED);
        x->kept = to;
    }
}

/* Finds and builds the value at the position: 1, 0 at the end of the file, -1 on error. */
static int read_value(stream_index *x, size_t *size, error *e)
{
    const mapped_file *f = &x->files[x->file];
    if (x->position == f->size) return 0;
    move_window(x);
    stream_scan scan = {0};
    const char *what =
        scan_complaint(stream_scan_value(&scan, f->bytes + x->position, f->size - x->position));
    size_t used = 0;
    if (!what && msgpack_unpack_next(&x->record, (const char *)f->bytes + x->position,
                                     scan.position, &used) != MSGPACK_UNPACK_SUCCESS)
        what = scan_complaint(SCAN_INVALID);
    if (what) {
        stream_segment_error(&x->segment, input_name(x), what, e);
        return -1;
    }
    *size = scan.position;
    return 1;
}

/* At the end of a file: on to the next. 1, 0 after the last one, -1 on error. */
static int next_file(stream_index *x, error *e)
{
    if (x->segment.open || !x->file_counted) {
        stream_segment_error(&x->segment, input_name(x),
                             x->segment.open ? "the input ends before the trailer (truncated?)"
                                             : "the input is empty, a header is missing",
                             e);
        return -1;
    }
    if (x->files[x->file].bytes) advise(&x->files[x->file], x->kept, x->position, MADV_DONTNEED);
    if (x->file + 1 == x->inputs->count) return 0;
    x->file++;
    return begin_file(x, e) ? 1 : -1;
}

/* The map just read is a header. */
static void keep_header(stream_index *x)
{
    msgpack_unpacked *kept = x->segment.count > 1 ? &x->segment_header : &x->header;
    msgpack_unpacked before = *kept;
    *kept = x->record;
    x->record = before;
}

/* The next map, whatever it is: 1, 0 at the end, -1 on error. */
static int next_part(stream_index *x, stream_place *place, segment_part *part, error *e)
{
    size_t size = 0;
    int found;
    while ((found = read_value(x, &size, e)) == 0) {
        int more = next_file(x, e);
        if (more <= 0) return more;
    }
    if (found < 0 || !stream_segment_take(&x->segment, input_name(x), &x->record.data, part, e))
        return -1;
    *place = (stream_place){x->position, (uint32_t)size, (uint32_t)x->file};
    x->file_counted = true;
    x->position += size;
    if (*part == PART_HEADER) keep_header(x);
    return 1;
}

int stream_index_next(stream_index *x, stream_place *place, msgpack_object *map, bool *is_error,
                      error *e)
{
    segment_part part = PART_HEADER;
    stream_place here = {0};
    do {
        int found = next_part(x, &here, &part, e);
        if (found <= 0) return found;
    } while (part == PART_HEADER || part == PART_TRAILER);
    *place = here;
    *map = x->record.data;
    *is_error = part == PART_ERROR;
    return 1;
}

/* ---- Public --------------------------------------------------------------------------------- */

static bool open_inputs(stream_index *x, error *e)
{
    x->files = memory_zeroed(x->inputs->count, sizeof *x->files, e);
    if (!x->files) return false;
    for (size_t i = 0; i < x->inputs->count; i++) x->files[i].descriptor = -1;
    for (x->file = 0; x->file < x->inputs->count; x->file++)
        if (!map_input(x, e)) return false;
    x->file = 0;
    return begin_file(x, e);
}

static bool read_first_header(stream_index *x, const char *const *kinds, error *e)
{
    stream_place place;
    segment_part part;
    int found = next_part(x, &place, &part, e);
    return found > 0 && stream_segment_usable(&x->segment, input_name(x), kinds, e);
}

/* All inputs stay open, which may be more than a shell allows at first. */
static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

stream_index *stream_index_open(const cli_strings *inputs, const char *const *kinds, error *e)
{
    stream_index *x = memory_zeroed(1, sizeof *x, e);
    if (!x) return NULL;
    x->inputs = inputs;
    allow_descriptors();
    msgpack_unpacked_init(&x->record);
    msgpack_unpacked_init(&x->header);
    msgpack_unpacked_init(&x->segment_header);
    struct sigaction action = {.sa_handler = end_on_bus_error};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
    if (open_inputs(x, e) && read_first_header(x, kinds, e)) return x;
    stream_index_close(x);
    return NULL;
}

const msgpack_object *stream_index_header(const stream_index *x)
{
    return &x->header.data;
}

const msgpack_object *stream_index_segment_header(const stream_index *x)
{
    return x->segment.count > 1 ? &x->segment_header.data : &x->header.data;
}

int64_t stream_index_segment(const stream_index *x)
{
    return x->segment.count - 1;
}

void stream_index_expect(const stream_index *x, stream_place place)
{
    advise(&x->files[place.file], place.offset, place.offset + place.size, MADV_WILLNEED);
}

/* Copying a record costs less than mapping its pages does. */
const msgpack_object *stream_index_get(const stream_index *x, stream_place place, stream_buffer *b)
{
    if (b->capacity < place.size) {
        free(b->bytes);
        b->capacity = place.size;
        b->bytes = malloc(b->capacity);
        if (!b->bytes) b->capacity = 0;
    }
    size_t used = 0;
    bool read =
        b->bytes &&
        input_read_at(x->files[place.file].descriptor, b->bytes, place.size, place.offset) ==
            place.size &&
        msgpack_unpack_next(&b->zone, b->bytes, place.size, &used) == MSGPACK_UNPACK_SUCCESS;
    return read ? &b->zone.data : NULL;
}

void stream_buffer_free(stream_buffer *b)
{
    msgpack_unpacked_destroy(&b->zone);
    free(b->bytes);
    *b = (stream_buffer){0};
}

void stream_index_close(stream_index *x)
{
    if (!x) return;
    for (size_t i = 0; x->files && i < x->inputs->count; i++) {
        if (x->files[i].bytes) munmap(x->files[i].bytes, x->files[i].size);
        if (x->files[i].descriptor >= 0) close(x->files[i].descriptor);
    }
    msgpack_unpacked_destroy(&x->record);
    msgpack_unpacked_destroy(&x->header);
    msgpack_unpacked_destroy(&x->segment_header);
    stream_segment_free(&x->segment);
    free(x->files);
    free(x);
}
