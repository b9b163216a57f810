/* Versions of the libraries in use. */
#include "cli/version.h"
#include "cli/cpu.h"

#include <jansson.h>
#include <jpeglib.h>
#include <msgpack.h>
#include <png.h>
#include <stdio.h>
#include <webp/decode.h>
#include <zlib.h>

/* NULL in tools that compute nothing: these are not linked with OpenBLAS, whose start takes longer
   than their work. */
__attribute__((weak)) char *openblas_get_config(void);

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

void version_describe(char *text, size_t size)
{
    int webp = WebPGetDecoderVersion();
    snprintf(
        text, size,
        "%s%smsgpack-c %s, jansson %s, zlib %s, libpng %s, libwebp %d.%d.%d, libjpeg-turbo %s\n"
        "processor features in use: %s\n",
        openblas_get_config ? openblas_get_config() : "", openblas_get_config ? "\n" : "",
        msgpack_version(), jansson_version_str(), zlibVersion(), png_get_libpng_ver(NULL),
        webp >> 16, webp >> 8 & 255, webp & 255, TEXT(LIBJPEG_TURBO_VERSION), cpu_features());
}
