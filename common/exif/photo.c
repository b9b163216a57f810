/* A photograph's record: from its file, into a stream. */
#include "exif/photo.h"

#include "cli/input.h"
#include "exif/block.h"
#include "exif/container.h"
#include "exif/normalise.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIPE_BYTES = 16 << 20 }; /* of a pipe: tags lie before */

void exif_photo_clear(exif_photo *p)
{
    p->format = NULL;
    p->width = p->height = 0;
    photo_tags_clear(&p->tags);
}

void exif_photo_take_size_tags(exif_photo *p)
{
    double width, height;
    if (!tag_value_number(&p->tags.value[KEY_IMAGE_WIDTH], 0, &width) ||
        !tag_value_number(&p->tags.value[KEY_IMAGE_HEIGHT], 0, &height))
        return;
    if (width < 1 || height < 1 || width > UINT32_MAX || height > UINT32_MAX) return;
    p->width = (int64_t)width;
    p->height = (int64_t)height;
}

static bool read_source(exif_photo *p, exif_source *s, const char *path, error *e)
{
    exif_container c;
    int blocks = 0;
    if (!exif_container_read(&c, s))
        return error_set(e, STATUS_DATA, "%s: %s", path,
                         s->size == 0 ? "empty file" : "no JPEG, PNG, WebP or TIFF image");
    for (int i = 0; i < c.place_count; i++) {
        const exif_place *place = &c.place[i];
        exif_source memory;
        if (place->bytes) exif_source_memory(&memory, place->bytes, place->size);
        blocks += exif_block_read(place->bytes ? &memory : s, place->offset, place->size, &p->tags);
    }
    p->format = c.format;
    p->width = c.width;
    p->height = c.height;
    exif_container_free(&c);
    if (!strcmp(c.format, "TIFF")) { /* it has no other size, and its directory is no EXIF yet */
        exif_photo_take_size_tags(p);
        blocks = photo_tags_any(&p->tags);
    }
    if (p->width == 0 && blocks == 0)
        return error_set(e, STATUS_DATA, "%s: damaged %s file: it has no image header", path,
                         c.format);
    return true;
}

/* Reads what is no regular file into memory. */
static bool read_pipe(exif_photo *p, int file, const char *path, error *e)
{
    char *bytes;
    size_t size;
    exif_source source;
    if (!input_read_all(file, path, PIPE_BYTES, &bytes, &size, e)) return false;
    exif_source_memory(&source, bytes, size);
    bool good = read_source(p, &source, path, e);
    free(bytes);
    return good;
}

bool exif_photo_read(exif_photo *p, const char *path, error *e)
{
    exif_photo_clear(p);
    struct stat status;
    const char *name = cli_input_name(path);
    int file = input_open(path, &status, e);
    if (file < 0) return false;
    bool good;
    if (S_ISREG(status.st_mode) && strcmp(path, "-") != 0) {
        exif_source source;
        exif_source_file(&source, file, (uint64_t)status.st_size);
        good = read_source(p, &source, name, e);
    } else {
        good = read_pipe(p, file, name, e);
    }
    close(file);
    return good;
}

void exif_photo_complete(exif_photo *p, const exif_photo *from)
{
    if (p->width == 0) {
        p->width = from->width;
        p->height = from->height;
    }
    photo_tags_complete(&p->tags, &from->tags);
}

bool exif_photo_read_bytes(exif_photo *p, const void *bytes, size_t size, const char *name,
                           error *e)
{
    exif_source source;
    exif_photo_clear(p);
    exif_source_memory(&source, bytes, size);
    return read_source(p, &source, name, e);
}

static void put_rational(stream_chunk *k, const char *key, int64_t numerator, int64_t denominator)
{
    char text[48];
    snprintf(text, sizeof text, "%" PRId64 "/%" PRId64, numerator, denominator);
    put_text(k, key, text);
}

static void put_item(stream_chunk *k, const char *key, const tag_value *v, int i)
{
    switch (v->kind) {
    case VALUE_TEXT:
        put_text(k, key, v->text);
        break;
    case VALUE_RATIONAL:
        put_rational(k, key, v->rational[i].numerator, v->rational[i].denominator);
        break;
    case VALUE_REAL:
        put_number(k, key, v->real[i]);
        break;
    case VALUE_INTEGER:
        put_integer(k, key, v->integer[i]);
        break;
    case VALUE_ABSENT:
        break;
    }
}

static void put_raw(stream_chunk *k, const photo_tags *t)
{
    put_map_begin(k, "exif_raw");
    for (photo_key key = 0; key < KEY_COUNT; key++) {
        const tag_value *v = &t->value[key];
        const char *name = photo_tag_table[key].name;
        if (v->kind == VALUE_ABSENT || v->count == 0) continue;
        if (v->count > 1) {
            put_array(k, name, (size_t)v->count);
            for (int i = 0; i < v->count; i++) put_item(k, NULL, v, i);
        } else {
            put_item(k, name, v, 0);
        }
    }
    put_map_end(k);
}

void exif_photo_put(stream_chunk *k, const exif_photo *p)
{
    if (p->width > 0) put_integer(k, "width", p->width);
    if (p->height > 0) put_integer(k, "height", p->height);
    int orientation = photo_orientation(&p->tags);
    if (orientation) put_integer(k, "orientation", orientation);
    put_map_begin(k, "exif");
    for (photo_key key = 0; key < KEY_NORMALISED; key++) {
        photo_setting setting;
        if (!photo_normalise(&p->tags, key, &setting)) continue;
        if (setting.text)
            put_text(k, photo_tag_table[key].key, setting.text);
        else
            put_number(k, photo_tag_table[key].key, setting.number);
    }
    put_map_end(k);
    put_raw(k, &p->tags);
}
