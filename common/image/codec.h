/* What each format's codec gives to decode.c. */
#ifndef BLADES_IMAGE_CODEC_H
#define BLADES_IMAGE_CODEC_H

#include "image/decode.h"

bool jpeg_probe(const unsigned char *bytes, size_t size, image_info *info, error *e);
bool jpeg_decode(const unsigned char *bytes, size_t size, int denominator, image_window *window,
                 image *out, error *e);
/* The same slowly, without cutting the window out of the scan (image/jpeg_window.h): what
   jpeg_decode is compared with. */
bool jpeg_decode_plainly(const unsigned char *bytes, size_t size, int denominator,
                         image_window *window, image *out, error *e);
bool png_probe(const unsigned char *bytes, size_t size, image_info *info, error *e);
bool png_decode(const unsigned char *bytes, size_t size, image *out, error *e);
bool webp_probe(const unsigned char *bytes, size_t size, image_info *info, error *e);
bool webp_decode(const unsigned char *bytes, size_t size, image *out, error *e);

#endif
