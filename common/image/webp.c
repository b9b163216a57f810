/* WebP through libwebp. */
#include "image/codec.h"

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

bool webp_probe(const unsigned char *bytes, size_t size, image_info *info, error *e)
{
    WebPBitstreamFeatures features;
    VP8StatusCode status = WebPGetFeatures(bytes, size, &features);
    if (status != VP8_STATUS_OK) return error_set(e, STATUS_DATA, "WebP: %s", webp_problem(status));
    if (features.has_animation) return error_set(e, STATUS_DATA, "WebP: an animation, not a photo");
    *info = (image_info){IMAGE_WEBP, features.width, features.height};
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
