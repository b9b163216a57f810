/* WebP through libwebp. */
#include "image/codec.h"

#include <string.h>
#include <webp/decode.h>

static const char *webp_problem(VP8StatusCode status)
{
    switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
        return "the data ends early";
    case VP8_STATUS_OUT_OF_MEMORY:
        return "out of memory";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return "an unsupported feature";
    default:
        return "the data is corrupt";
    }
}

static uint32_t riff_long(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int riff_orientation(const unsigned char *bytes, size_t size)
{
    for (size_t at = 12; at + 8 <= size;) {
        size_t length = riff_long(bytes + at + 4);
        size_t room = size - at - 8;
        if (memcmp(bytes + at, "EXIF", 4) == 0) {
            return exif_orientation(bytes + at + 8, length < room ? length : room);
        }
        if (length >= room) break;
        at += 8 + length + (length & 1);
    }
    return 1;
}

bool webp_probe(const unsigned char *bytes, size_t size, image_info *info, error *e)
{
    WebPBitstreamFeatures features;
    VP8StatusCode status = WebPGetFeatures(bytes, size, &features);
    if (status != VP8_STATUS_OK) return error_set(e, STATUS_DATA, "WebP: %s", webp_problem(status));
    if (features.has_animation) return error_set(e, STATUS_DATA, "WebP: an animation, not a photo");
    *info =
        (image_info){IMAGE_WEBP, features.width, features.height, riff_orientation(bytes, size)};
    return true;
}

bool webp_decode(const unsigned char *bytes, size_t size, image *out, error *e)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return error_set(e, STATUS_INTERNAL, "libwebp does not fit");
    VP8StatusCode status = WebPGetFeatures(bytes, size, &config.input);
    if (status != VP8_STATUS_OK) return error_set(e, STATUS_DATA, "WebP: %s", webp_problem(status));
    if (!image_allocate(out, config.input.width, config.input.height, e)) return false;
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = out->pixels;
    config.output.u.RGBA.stride = out->width * 3;
    config.output.u.RGBA.size = (size_t)out->width * 3 * (size_t)out->height;
    status = WebPDecode(bytes, size, &config);
    WebPFreeDecBuffer(&config.output);
    if (status == VP8_STATUS_OUT_OF_MEMORY) return error_set(e, STATUS_SYSTEM, "out of memory");
    if (status != VP8_STATUS_OK) return error_set(e, STATUS_DATA, "WebP: %s", webp_problem(status));
    return true;
}
