/* The pixels of `face` records. */
#include "face/face_pixels.h"

#include "image/decode.h"

bool face_pixels_get(const msgpack_object *record, face_pixels *p, error *e)
{
    int64_t width = 0, height = 0;
    object_integer(record, "width", &width);
    object_integer(record, "height", &height);
    if (width < 1 || height < 1 || width > FACE_SIDE_MOST || height > FACE_SIDE_MOST) {
        return error_set(e, STATUS_DATA, "width and height must be 1 to %d", FACE_SIDE_MOST);
    }
    *p = (face_pixels){.width = (int)width, .height = (int)height};
    if (!object_binary(record, "pixels", &p->bytes, &p->size)) {
        return error_set(e, STATUS_DATA, "no pixels");
    }
    p->png = object_text_is(record, "coding", "png");
    if (!p->png && object_get(record, "coding") != NULL &&
        !object_text_is(record, "coding", "raw")) {
        return error_set(e, STATUS_DATA, "coding must be raw or png");
    }
    size_t needed = 3 * (size_t)width * (size_t)height;
    if (!p->png && p->size != needed) {
        return error_set(e, STATUS_DATA, "%zu bytes of pixels, but %dx%d RGB needs %zu", p->size,
                         p->width, p->height, needed);
    }
    return true;
}

bool face_record_image(const msgpack_object *record, image *view, image *decoded, error *e)
{
    face_pixels p;
    image_info info;
    if (!face_pixels_get(record, &p, e)) return false;
    if (!p.png) {
        *view = (image){p.width, p.height, (uint8_t *)(uintptr_t)p.bytes};
        return true;
    }
    if (!image_probe(p.bytes, p.size, IMAGE_LIMITS, &info, e)) return false;
    if (info.width != p.width || info.height != p.height) {
        return error_set(e, STATUS_DATA, "the coded image is %dx%d, the record says %dx%d",
                         info.width, info.height, p.width, p.height);
    }
    if (!image_decode(p.bytes, p.size, &info, 1, decoded, e)) return false;
    *view = *decoded;
    return true;
}
