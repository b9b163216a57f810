/* The EXIF block of a simulated shot, written by libexif. */
#include "cli/memory.h"
#include "synth/camera.h"

#include <libexif/exif-data.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A block being filled. Running out of memory sticks. */
typedef struct exif_builder {
    ExifData *data;
    ExifMem *mem;
    ExifByteOrder order;
    bool failed;
} exif_builder;

/* An entry of `count` values of a format; NULL when out of memory. */
static ExifEntry *entry_add(exif_builder *b, ExifIfd ifd, ExifTag tag, ExifFormat format,
                            unsigned count)
{
    if (b->failed) return NULL;
    ExifEntry *entry = exif_entry_new_mem(b->mem);
    unsigned size = count * exif_format_get_size(format);
    void *bytes = entry ? exif_mem_alloc(b->mem, size) : NULL;
    if (!bytes) {
        if (entry) exif_entry_unref(entry);
        b->failed = true;
        return NULL;
    }
    entry->tag = tag;
    entry->format = format;
    entry->components = count;
    entry->size = size;
    entry->data = bytes;
    exif_content_add_entry(b->data->ifd[ifd], entry);
    exif_entry_unref(entry);
    return entry;
}

static void put_ascii(exif_builder *b, ExifIfd ifd, ExifTag tag, const char *text)
{
    unsigned size = (unsigned)strlen(text) + 1;
    ExifEntry *entry = entry_add(b, ifd, tag, EXIF_FORMAT_ASCII, size);
    if (entry) memcpy(entry->data, text, size);
}

static void put_undefined(exif_builder *b, ExifTag tag, const char *bytes, unsigned size)
{
    ExifEntry *entry = entry_add(b, EXIF_IFD_EXIF, tag, EXIF_FORMAT_UNDEFINED, size);
    if (entry) memcpy(entry->data, bytes, size);
}

static void put_short(exif_builder *b, ExifIfd ifd, ExifTag tag, int value)
{
    ExifEntry *entry = entry_add(b, ifd, tag, EXIF_FORMAT_SHORT, 1);
    if (entry) exif_set_short(entry->data, b->order, (ExifShort)value);
}

static void put_long(exif_builder *b, ExifTag tag, int value)
{
    ExifEntry *entry = entry_add(b, EXIF_IFD_EXIF, tag, EXIF_FORMAT_LONG, 1);
    if (entry) exif_set_long(entry->data, b->order, (ExifLong)value);
}

/* A number as a fraction with the given denominator, or as 1/n when it is one. */
static void put_rational(exif_builder *b, ExifTag tag, double value, unsigned denominator)
{
    ExifEntry *entry = entry_add(b, EXIF_IFD_EXIF, tag, EXIF_FORMAT_RATIONAL, 1);
    ExifRational r = {(ExifLong)lround(value * denominator), denominator};
    if (value > 0 && value < 0.3) r = (ExifRational){1, (ExifLong)lround(1 / value)};
    if (entry) exif_set_rational(entry->data, b->order, r);
}

static void put_signed_rational(exif_builder *b, ExifTag tag, double value, int denominator)
{
    ExifEntry *entry = entry_add(b, EXIF_IFD_EXIF, tag, EXIF_FORMAT_SRATIONAL, 1);
    ExifSRational r = {(ExifSLong)lround(value * denominator), denominator};
    if (entry) exif_set_srational(entry->data, b->order, r);
}

static void put_date(exif_builder *b, int minute)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int day = minute / 1440, month = 0;
    while (month < 11 && day >= days[month]) day -= days[month++];
    char text[64];
    snprintf(text, sizeof text, "2020:%02d:%02d %02d:%02d:%02d", month + 1, day + 1,
             minute / 60 % 24, minute % 60, minute * 7 % 60);
    put_ascii(b, EXIF_IFD_0, EXIF_TAG_DATE_TIME, text);
    put_ascii(b, EXIF_IFD_EXIF, EXIF_TAG_DATE_TIME_ORIGINAL, text);
}

static void put_settings(exif_builder *b, const camera_shot *s)
{
    bool manual = s->program == PROGRAM_MANUAL;
    put_rational(b, EXIF_TAG_EXPOSURE_TIME, (double)s->exposure_time_s, 10);
    put_rational(b, EXIF_TAG_FNUMBER, (double)s->f_number, 10);
    put_short(b, EXIF_IFD_EXIF, EXIF_TAG_EXPOSURE_PROGRAM, s->program);
    put_short(b, EXIF_IFD_EXIF, EXIF_TAG_ISO_SPEED_RATINGS, (int)lroundf(s->iso));
    put_signed_rational(b, EXIF_TAG_SHUTTER_SPEED_VALUE, -log2((double)s->exposure_time_s), 1000);
    put_rational(b, EXIF_TAG_APERTURE_VALUE, 2 * log2((double)s->f_number), 1000);
    put_signed_rational(b, EXIF_TAG_EXPOSURE_BIAS_VALUE, (double)s->exposure_bias_ev, 3);
    put_short(b, EXIF_IFD_EXIF, EXIF_TAG_METERING_MODE, s->metering);
    put_short(b, EXIF_IFD_EXIF, EXIF_TAG_FLASH, s->flash);
    put_rational(b, EXIF_TAG_FOCAL_LENGTH, (double)s->focal_length_mm, 10);
    put_short(b, EXIF_IFD_EXIF, EXIF_TAG_EXPOSURE_MODE, s->bracketing ? 2 : manual ? 1 : 0);
    put_short(b, EXIF_IFD_EXIF, EXIF_TAG_WHITE_BALANCE, s->manual_white_balance);
    put_short(b, EXIF_IFD_EXIF, EXIF_TAG_FOCAL_LENGTH_IN_35MM_FILM,
              (int)lroundf(s->focal_length_mm * s->camera->crop));
    put_short(b, EXIF_IFD_EXIF, EXIF_TAG_SCENE_CAPTURE_TYPE, s->capture);
}

unsigned char *camera_shot_exif(const camera_shot *s, int size, size_t *length, error *e)
{
    exif_builder b = {.mem = exif_mem_new_default(), .order = EXIF_BYTE_ORDER_MOTOROLA};
    unsigned char *bytes = NULL, *copy = NULL;
    unsigned count = 0;
    b.data = b.mem ? exif_data_new_mem(b.mem) : NULL;
    if (!b.data) goto end;
    if (s->camera->crop > 2)
        b.order = EXIF_BYTE_ORDER_INTEL; /* both orders occur, as they do in life */
    exif_data_set_byte_order(b.data, b.order);
    put_ascii(&b, EXIF_IFD_0, EXIF_TAG_IMAGE_DESCRIPTION, "Drawn face, simulated camera");
    put_ascii(&b, EXIF_IFD_0, EXIF_TAG_MAKE, s->camera->make);
    put_ascii(&b, EXIF_IFD_0, EXIF_TAG_MODEL, s->camera->model);
    put_short(&b, EXIF_IFD_0, EXIF_TAG_ORIENTATION, s->orientation);
    put_ascii(&b, EXIF_IFD_0, EXIF_TAG_SOFTWARE, "blades face-synth");
    put_date(&b, s->minute);
    put_undefined(&b, EXIF_TAG_EXIF_VERSION, "0230", 4);
    put_undefined(&b, EXIF_TAG_COMPONENTS_CONFIGURATION, "\1\2\3\0", 4);
    put_undefined(&b, EXIF_TAG_FLASH_PIX_VERSION, "0100", 4);
    put_short(&b, EXIF_IFD_EXIF, EXIF_TAG_COLOR_SPACE, 1);
    put_settings(&b, s);
    put_long(&b, EXIF_TAG_PIXEL_X_DIMENSION, size);
    put_long(&b, EXIF_TAG_PIXEL_Y_DIMENSION, size);
    if (!b.failed) exif_data_save_data(b.data, &bytes, &count);
    if (!bytes) goto end;
    copy = memory_allocate(count, 1, e);
    if (copy) memcpy(copy, bytes, count);
    *length = count;
end:
    if (!bytes) error_set(e, STATUS_SYSTEM, "out of memory while writing EXIF");
    if (bytes) exif_mem_free(b.mem, bytes);
    if (b.data) exif_data_unref(b.data);
    if (b.mem) exif_mem_unref(b.mem);
    return copy;
}
