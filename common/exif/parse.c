/* From a well-formed EXIF block to values, by libexif. */
#include "exif/parse.h"

#include <libexif/exif-data.h>
#include <libexif/exif-utils.h>
#include <math.h>
#include <string.h>

/* libexif leaves floating-point items to its callers. */
static double get_real(const unsigned char *p, ExifFormat format, ExifByteOrder order)
{
    uint32_t high = exif_get_long(p, order);
    if (format == EXIF_FORMAT_FLOAT) {
        float x;
        memcpy(&x, &high, sizeof x);
        return x;
    }
    uint32_t low = exif_get_long(p + 4, order);
    uint64_t bits =
        order == EXIF_BYTE_ORDER_MOTOROLA ? (uint64_t)high << 32 | low : (uint64_t)low << 32 | high;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void get_rational(tag_value *v, int i, const unsigned char *p, bool is_signed,
                         ExifByteOrder order)
{
    if (is_signed) {
        ExifSRational r = exif_get_srational(p, order);
        v->rational[i].numerator = r.numerator;
        v->rational[i].denominator = r.denominator;
    } else {
        ExifRational r = exif_get_rational(p, order);
        v->rational[i].numerator = r.numerator;
        v->rational[i].denominator = r.denominator;
    }
}

static value_kind kind_of(ExifFormat format)
{
    switch (format) {
    case EXIF_FORMAT_RATIONAL:
    case EXIF_FORMAT_SRATIONAL:
        return VALUE_RATIONAL;
    case EXIF_FORMAT_FLOAT:
    case EXIF_FORMAT_DOUBLE:
        return VALUE_REAL;
    default:
        return VALUE_INTEGER;
    }
}

static void get_integer(tag_value *v, int i, const unsigned char *p, ExifFormat format,
                        ExifByteOrder order)
{
    switch (format) {
    case EXIF_FORMAT_SHORT:
        v->integer[i] = exif_get_short(p, order);
        break;
    case EXIF_FORMAT_SSHORT:
        v->integer[i] = exif_get_sshort(p, order);
        break;
    case EXIF_FORMAT_LONG:
        v->integer[i] = exif_get_long(p, order);
        break;
    case EXIF_FORMAT_SLONG:
        v->integer[i] = exif_get_slong(p, order);
        break;
    case EXIF_FORMAT_SBYTE:
        v->integer[i] = (int8_t)*p;
        break;
    default:
        v->integer[i] = *p;
    }
}

static void set_numbers(photo_tags *t, photo_key key, const ExifEntry *entry, ExifByteOrder order)
{
    const photo_tag *tag = &photo_tag_table[key];
    tag_value v = {.kind = kind_of(entry->format),
                   .apex = key == KEY_APERTURE || key == KEY_SHUTTER_SPEED};
    size_t step = exif_format_get_size(entry->format);
    size_t count = step ? entry->size / step : 0;
    v.count = (int)(count < VALUE_ITEMS ? count : VALUE_ITEMS);
    for (int i = 0; i < v.count; i++) {
        const unsigned char *p = entry->data + (size_t)i * step;
        if (v.kind == VALUE_RATIONAL)
            get_rational(&v, i, p, tag->is_signed || entry->format == EXIF_FORMAT_SRATIONAL, order);
        else if (v.kind == VALUE_REAL)
            v.real[i] = get_real(p, entry->format, order);
        else
            get_integer(&v, i, p, entry->format, order);
    }
    if (v.count) t->value[key] = v;
}

static void set_value(photo_tags *t, photo_key key, const ExifEntry *entry, ExifByteOrder order)
{
    bool bytes = entry->format == EXIF_FORMAT_UNDEFINED &&
                 (photo_tag_table[key].text || entry->components > 1);
    if (entry->format == EXIF_FORMAT_ASCII || bytes)
        photo_tags_set_text(t, key, (const char *)entry->data, entry->size);
    else
        set_numbers(t, key, entry, order);
}

void exif_small_block_parse(const unsigned char *bytes, unsigned size, photo_tags *t)
{
    ExifData *data = exif_data_new();
    if (!data) return;
    /* Nothing is to be mended or left out: a value counts as it is stored. */
    exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    exif_data_unset_option(data, EXIF_DATA_OPTION_IGNORE_UNKNOWN_TAGS);
    exif_data_load_data(data, bytes, size);
    ExifByteOrder order = exif_data_get_byte_order(data);
    for (photo_key key = 0; key < KEY_COUNT; key++) {
        const photo_tag *tag = &photo_tag_table[key];
        ExifContent *content = data->ifd[tag->main_directory ? EXIF_IFD_0 : EXIF_IFD_EXIF];
        const ExifEntry *entry = exif_content_get_entry(content, (ExifTag)tag->number);
        if (!entry || !entry->data || (tag->first_wins && t->value[key].kind != VALUE_ABSENT))
            continue;
        set_value(t, key, entry, order);
    }
    exif_data_unref(data);
}
