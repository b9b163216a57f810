/* Decoding and cropping hostile images. */
#include "image/decode.h"
#include "image/resample.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    image_limits limits = {.pixels = 1 << 20, .bytes = 1 << 20};
    error e = {0};
    image_info info;
    image decoded = {0}, small = {0};
    if (!image_probe(bytes, size, limits, &info, &e)) return 0;
    for (int denominator = 1; denominator <= 8; denominator *= 8) {
        error own = {0};
        image_window w = {info.width / denominator / 4, info.height / denominator / 3,
                          info.width / denominator / 2 + 1, info.height / denominator / 2 + 1};
        if (image_decode_window(bytes, size, &info, denominator, &w, &decoded, &own)) {
            double whole[4] = {0, 0, decoded.width, decoded.height};
            image_resample(&decoded, whole, RESAMPLE_ANTIALIAS, 16, 16, &small, &own);
        }
    }
    image_free(&decoded);
    image_free(&small);
    return 0;
}
