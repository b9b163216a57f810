/* Orientations, resampling, filters, and the decoders' limits. */
#include "unit.h"

#include "cli/cpu.h"
#include "image/codec.h"
#include "image/filter.h"
#include "image/jpeg_window.h"
#include "image/kernels_instances.h"
#include "image/png_encode.h"
#include "image/resample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static image numbered(int width, int height)
{
    image i = {0};
    error e = {0};
    assert_true(image_allocate(&i, width, height, &e));
    for (int k = 0; k < 3 * width * height; k++) i.pixels[k] = (uint8_t)(k * 7 + k / 5);
    return i;
}

static void test_orientation_of_pixels_and_points(void **state)
{
    /* Where the stored upper left pixel of a 3 x 2 image is in the upright one. */
    static const int corner[9][2] = {{0, 0}, {0, 0}, {2, 0}, {2, 1}, {0, 1},
                                     {0, 0}, {1, 0}, {1, 2}, {0, 2}};
    image stored = numbered(3, 2), upright = {0};
    for (int o = 1; o <= 8; o++) {
        error e = {0};
        assert_true(image_orient(&stored, o, &upright, &e));
        assert_int_equal(upright.width, o >= 5 ? 2 : 3);
        const uint8_t *found = upright.pixels + 3 * (corner[o][1] * upright.width + corner[o][0]);
        assert_memory_equal(found, stored.pixels, 3);
        for (int y = 0; y < 2; y++) {
            for (int x = 0; x < 3; x++) {
                double px = x + 0.5, py = y + 0.5;
                orientation_point(o, 3, 2, &px, &py);
                const uint8_t *to = upright.pixels + 3 * ((int)py * upright.width + (int)px);
                assert_memory_equal(to, stored.pixels + 3 * (3 * y + x), 3);
                orientation_point_back(o, 3, 2, &px, &py);
                assert_true(px == x + 0.5 && py == y + 0.5);
            }
        }
    }
    image_free(&stored);
    image_free(&upright);
}

static void test_resample_same_size_copies(void **state)
{
    image from = numbered(17, 9), to = {0};
    error e = {0};
    for (int how = 0; how < 2; how++) {
        assert_true(
            image_resample(&from, (double[]){0, 0, 17, 9}, (resampling)how, 17, 9, &to, &e));
        assert_memory_equal(to.pixels, from.pixels, 3 * 17 * 9);
    }
    image_free(&from);
    image_free(&to);
}

/* Each output pixel from the definition in the header, in double. */
static double naive(const image *from, const double r[4], resampling how, int n, int x, int y,
                    int k)
{
    double sum = 0, weights = 0;
    double sx = (r[2] - r[0]) / n, sy = (r[3] - r[1]) / n;
    double cx = r[0] + (x + 0.5) * sx, cy = r[1] + (y + 0.5) * sy;
    double wide = how == RESAMPLE_ANTIALIAS ? fmax(sx, 1) : 1;
    double high = how == RESAMPLE_ANTIALIAS ? fmax(sy, 1) : 1;
    for (int j = (int)floor(r[1]); j < ceil(r[3]); j++) {
        for (int i = (int)floor(r[0]); i < ceil(r[2]); i++) {
            double w =
                fmax(0, 1 - fabs(i + 0.5 - cx) / wide) * fmax(0, 1 - fabs(j + 0.5 - cy) / high);
            sum += w * from->pixels[3 * (j * from->width + i) + k];
            weights += w;
        }
    }
    return sum / weights;
}

static void test_resample_against_definition(void **state)
{
    static const double rectangles[][4] = {
        {0, 0, 40, 30}, {3, 5, 38, 21}, {0.5, 2.25, 39.125, 30}, {10, 10, 14, 13}};
    image from = numbered(40, 30), to = {0};
    error e = {0};
    for (int c = 0; c < 8; c++) {
        const double *r = rectangles[c / 2];
        resampling how = (resampling)(c % 2);
        assert_true(image_resample(&from, r, how, 12, 12, &to, &e));
        for (int i = 0; i < 3 * 12 * 12; i++) {
            double wanted = naive(&from, r, how, 12, i / 3 % 12, i / 36, i % 3);
            assert_true(fabs(to.pixels[i] - wanted) <= 0.51);
        }
    }
    assert_false(image_resample(&from, (double[]){0, 0, 41, 30}, RESAMPLE_BILINEAR, 8, 8, &to, &e));
    assert_int_equal(e.status, STATUS_DATA);
    image_free(&from);
    image_free(&to);
}

static void test_blur_and_erosion(void **state)
{
    enum { W = 23, H = 14, N = 9 };
    float pixels[W * H], blurred[W * H];
    uint8_t mask[W * H], eroded[W * H];
    double kernel[N];
    error e = {0};
    for (int i = 0; i < W * H; i++) {
        mask[i] = (i * 37 % 101) > 8 && i / W > 1;
        pixels[i] = mask[i];
    }
    gaussian_kernel(N, 2, kernel);
    assert_true(gaussian_blur(pixels, (filter_part){0, 0, W, H}, W, H, N, 2, blurred, &e));
    assert_true(ellipse_erode(mask, W, H, 5, eroded, &e));
    /* OpenCV's 5 x 5 ellipse. */
    static const int half[5] = {0, 2, 2, 2, 0};
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            double sum = 0;
            for (int j = 0; j < N; j++) {
                for (int i = 0; i < N; i++) {
                    int from =
                        border_reflect(y + j - N / 2, H) * W + border_reflect(x + i - N / 2, W);
                    sum += kernel[i] * kernel[j] * pixels[from];
                }
            }
            assert_true(fabs(sum - blurred[y * W + x]) < 1e-5);
            int all = 1;
            for (int j = -2; j <= 2; j++) {
                for (int i = -half[j + 2]; i <= half[j + 2]; i++) {
                    if (y + j < 0 || y + j >= H || x + i < 0 || x + i >= W) continue;
                    all &= mask[(y + j) * W + x + i];
                }
            }
            assert_int_equal(all, eroded[y * W + x]);
        }
    }
    assert_int_equal(border_reflect(-3, 5), 3);
    assert_int_equal(border_reflect(6, 5), 2);
}

/* ---- Kernels: the same bytes on every level of the processor, for widths around vectors' ----- */

static const image_kernels *const kernel_levels[] = {
#if defined(__x86_64__)
    [CPU_AVX2] = &avx2_image_kernels,
    [CPU_AVX512] = &avx512_image_kernels,
#endif
    [CPU_GENERIC] = &generic_image_kernels};
enum { KERNEL_W = 70, KERNEL_H = 9, KERNEL_TAPS = 7 };

/* The last level to compare with the generic one. */
static int last_level(void)
{
    int level = (int)cpu_level_get();
    return level < CPU_AVX512 ? level : CPU_AVX512;
}

/* Rows of sums, the pixels and the normalised floats made of them. */
typedef struct weighed {
    float sums[3 * KERNEL_W + 4], normal[KERNEL_W];
    uint8_t pixels[3 * KERNEL_W];
} weighed;

static void weigh(const image_kernels *kernels, const image *in, int width, weighed *out)
{
    enum { W = KERNEL_W, H = KERNEL_H, TAPS = KERNEL_TAPS };
    float weight[W * TAPS], moved[W];
    int first[W];
    const uint8_t *rows[H];
    const float *float_rows[TAPS];
    memset(out, 0, sizeof *out);
    for (int i = 0; i < W * TAPS; i++) weight[i] = (float)(1 + i % 5) / 31;
    for (int i = 0; i < H; i++) rows[i] = in->pixels + 3 * W * i;
    for (int i = 0; i < TAPS; i++) float_rows[i] = out->sums + i;
    for (int i = 0; i < W; i++) first[i] = i * (W - TAPS) / W;
    kernels->bytes_weigh(out->sums, rows, weight, H, 3 * (size_t)W);
    kernels->triples_weigh(out->pixels, out->sums, first, weight, 1 + width % TAPS, width);
    kernels->floats_weigh(moved, float_rows, weight, TAPS, (size_t)width);
    memcpy(out->normal, moved, (size_t)width * sizeof *moved);
    kernels->floats_normalise(out->normal, (size_t)width);
}

static void test_weighing_kernels_agree(void **state)
{
    image in = numbered(KERNEL_W, KERNEL_H);
    for (int level = 1; level <= last_level(); level++) {
        for (int width = 1; width <= KERNEL_W - KERNEL_TAPS; width++) {
            weighed generic, fast;
            weigh(kernel_levels[0], &in, width, &generic);
            weigh(kernel_levels[level], &in, width, &fast);
            assert_memory_equal(generic.sums, fast.sums, sizeof fast.sums);
            assert_memory_equal(generic.pixels, fast.pixels, 3 * (size_t)width);
            assert_memory_equal(generic.normal, fast.normal, (size_t)width * sizeof(float));
        }
    }
    image_free(&in);
}

static void test_moving_kernels_agree(void **state)
{
    enum { W = KERNEL_W, H = KERNEL_H };
    static const double map[6] = {0.83, 0.21, -2, -0.13, 0.4, 4};
    image in = numbered(W, H);
    for (int level = 1; level <= last_level(); level++) {
        const image_kernels *kernels[] = {kernel_levels[0], kernel_levels[level]};
        for (int width = 1; width <= W - KERNEL_TAPS; width++) {
            uint8_t out[2][3 * W];
            weighed share;
            weigh(kernels[0], &in, width, &share);
            for (int k = 0; k < 2; k++) {
                affine_row row = {in.pixels, W, H, map, 1e-6, 3, 0, width};
                kernels[k]->row_sample(out[k], &row);
            }
            assert_memory_equal(out[0], out[1], 3 * (size_t)width);
            for (int backwards = 0; backwards < 2; backwards++) {
                for (int k = 0; k < 2; k++)
                    kernels[k]->pixels_mix(out[k], in.pixels + 3 * W * 5,
                                           in.pixels + 3 * (W * 4 + 7), share.normal, 0.75, width,
                                           backwards);
                assert_memory_equal(out[0], out[1], 3 * (size_t)width);
            }
        }
    }
    image_free(&in);
}

static void test_png_round_trip_and_truncation(void **state)
{
    image from = numbered(31, 12), to = {0};
    unsigned char *bytes;
    size_t size;
    error e = {0};
    assert_true(png_encode(&from, &bytes, &size, &e));
    image_info info;
    assert_true(image_probe(bytes, size, IMAGE_LIMITS, &info, &e));
    assert_int_equal(info.width, 31);
    assert_true(image_decode(bytes, size, &info, 1, &to, &e));
    assert_memory_equal(to.pixels, from.pixels, 3 * 31 * 12);
    image_free(&to);
    for (size_t cut = 0; cut < size; cut++) {
        error own = {0};
        assert_false(image_probe(bytes, cut, IMAGE_LIMITS, &info, &own) &&
                     image_decode(bytes, cut, &info, 1, &to, &own));
        assert_int_equal(own.status, STATUS_DATA);
        assert_null(to.pixels);
    }
    image_limits small = {.pixels = 31 * 12 - 1, .bytes = 1 << 20};
    assert_false(image_probe(bytes, size, small, &info, &e));
    assert_non_null(strstr(e.text, "limit"));
    free(bytes);
    image_free(&from);
}

typedef struct jpeg_kind {
    int sampling_x, sampling_y; /* of the first component */
    J_COLOR_SPACE space;
    bool progressive, optimised;
    int restart_interval;
} jpeg_kind;

/* A JPEG of a pattern with fine detail. */
static void jpeg_make(int width, int height, const jpeg_kind *kind, unsigned char **bytes,
                      unsigned long *size)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, bytes, size);
    c.image_width = (unsigned)width;
    c.image_height = (unsigned)height;
    c.in_color_space = kind->space;
    c.input_components = kind->space == JCS_CMYK ? 4 : kind->space == JCS_RGB ? 3 : 1;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 85, TRUE);
    c.comp_info[0].h_samp_factor = kind->sampling_x;
    c.comp_info[0].v_samp_factor = kind->sampling_y;
    c.optimize_coding = kind->optimised;
    c.restart_interval = (unsigned)kind->restart_interval;
    if (kind->progressive) jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    uint8_t row[4 * 2000];
    while (c.next_scanline < c.image_height) {
        for (int i = 0; i < c.input_components * width; i++) {
            row[i] = (uint8_t)(i * 13 + (int)c.next_scanline * 29 + i * (int)c.next_scanline / 97);
        }
        JSAMPROW rows[1] = {row};
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
}

static void check_windows(const unsigned char *bytes, size_t size, int denominator)
{
    static const image_window windows[] = {
        {40, 30, 90, 80}, {0, 0, 20, 20}, {100, 70, 149, 101}, {17, 50, 18, 51}, {0, 90, 149, 101}};
    image_info info;
    image whole = {0}, part = {0};
    error e = {0};
    assert_true(image_probe(bytes, size, IMAGE_LIMITS, &info, &e));
    assert_true(image_decode(bytes, size, &info, denominator, &whole, &e));
    assert_int_equal(whole.width, (149 + denominator - 1) / denominator);
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        image_window asked = windows[i];
        asked.left /= denominator;
        asked.top /= denominator;
        asked.right = (asked.right + denominator - 1) / denominator;
        asked.bottom = (asked.bottom + denominator - 1) / denominator;
        image_window got = asked;
        assert_true(image_decode_window(bytes, size, &info, denominator, &got, &part, &e));
        assert_true(got.left <= asked.left && got.right >= asked.right);
        for (int y = asked.top; y < asked.bottom; y++) {
            const uint8_t *a = whole.pixels + 3 * (y * whole.width + asked.left);
            const uint8_t *b =
                part.pixels + 3 * ((y - got.top) * part.width + asked.left - got.left);
            assert_memory_equal(a, b, 3 * (size_t)(asked.right - asked.left));
        }
    }
    image_free(&whole);
    image_free(&part);
}

static void test_windows_of_jpegs(void **state)
{
    static const int sampling[][2] = {{1, 1}, {2, 1}, {2, 2}, {1, 2}, {4, 1}};
    static const J_COLOR_SPACE spaces[] = {JCS_RGB, JCS_GRAYSCALE, JCS_CMYK};
    for (int i = 0; i < 30; i++) {
        unsigned char *bytes = NULL;
        unsigned long size = 0;
        const jpeg_kind kind = {sampling[i / 6][0], sampling[i / 6][1], spaces[i / 2 % 3],
                                .progressive = i % 2 == 1};
        jpeg_make(149, 101, &kind, &bytes, &size);
        for (int denominator = 1; denominator <= 8; denominator *= 2) {
            check_windows(bytes, size, denominator);
        }
        /* Cut below the window: seen all the same. */
        image_info info;
        image part = {0};
        image_window w = {0, 0, 8, 8};
        error e = {0};
        assert_true(image_probe(bytes, size * 3 / 4, IMAGE_LIMITS, &info, &e));
        assert_false(image_decode_window(bytes, size * 3 / 4, &info, 1, &w, &part, &e));
        assert_int_equal(e.status, STATUS_DATA);
        /* Another marker than the end below the window: nothing is taken on trust. */
        error other = {0};
        bytes[size - 1] = 0xfe;
        w = (image_window){0, 0, 8, 8};
        assert_true(image_probe(bytes, size, IMAGE_LIMITS, &info, &e));
        assert_false(image_decode_window(bytes, size, &info, 1, &w, &part, &other));
        assert_int_equal(other.status, STATUS_DATA);
        free(bytes);
    }
}

/* Of four components, none subsampled: as many coefficients as a photo can have. */
static void test_large_progressive_cmyk(void **state)
{
    const jpeg_kind kind = {1, 1, JCS_CMYK, .progressive = true};
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    jpeg_make(2000, 2200, &kind, &bytes, &size);
    image_info info;
    image whole = {0};
    error e = {0};
    setenv("JPEGMEM", "1000", 1);
    assert_true(image_probe(bytes, size, IMAGE_LIMITS, &info, &e));
    bool done = image_decode(bytes, size, &info, 8, &whole, &e);
    unsetenv("JPEGMEM");
    assert_true(done);
    assert_int_equal(whole.width, 250);
    image_free(&whole);
    free(bytes);
}

static void check_part(const unsigned char *bytes, size_t size, int denominator, image_window asked,
                       const image *whole)
{
    image part = {0};
    image_window got = asked;
    error e = {0};
    assert_true(jpeg_decode(bytes, size, denominator, &got, &part, &e));
    assert_true(got.left <= asked.left && got.right >= asked.right);
    assert_true(got.top <= asked.top && got.bottom >= asked.bottom);
    for (int y = asked.top; y < asked.bottom; y++) {
        const uint8_t *a = whole->pixels + 3 * (y * whole->width + asked.left);
        const uint8_t *b = part.pixels + 3 * ((y - got.top) * part.width + asked.left - got.left);
        assert_memory_equal(a, b, 3 * (size_t)(asked.right - asked.left));
    }
    image_free(&part);
}

/* Is a window of this JPEG cut out of its scan? */
static bool part_is_cut(const unsigned char *bytes, size_t size, image_window window)
{
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    d.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&d);
    jpeg_mem_src(&d, bytes, size);
    jpeg_read_header(&d, TRUE);
    jpeg_part p = {0};
    bool cut = jpeg_part_cut(&d, window, &p);
    free(p.bytes);
    jpeg_destroy_decompress(&d);
    return cut;
}

/* Small windows everywhere in baseline JPEGs of all kinds: as in the whole. */
static void test_parts_of_jpegs(void **state)
{
    enum { W = 403, H = 301 };
    static const int sampling[][2] = {{1, 1}, {2, 1}, {2, 2}, {1, 2}, {4, 1}};
    static const J_COLOR_SPACE spaces[] = {JCS_RGB, JCS_GRAYSCALE, JCS_CMYK};
    static const int restarts[] = {0, 1, 7, 1000};
    for (int i = 0; i < 120; i++) {
        unsigned char *bytes = NULL;
        unsigned long size = 0;
        const jpeg_kind kind = {sampling[i % 5][0], sampling[i % 5][1], spaces[i / 5 % 3],
                                .optimised = i / 15 % 2, .restart_interval = restarts[i / 30]};
        jpeg_make(W, H, &kind, &bytes, &size);
        assert_true(part_is_cut(bytes, size, (image_window){200, 150, 260, 210}));
        for (int denominator = 1; denominator <= 8; denominator *= 2) {
            int width = (W + denominator - 1) / denominator,
                height = (H + denominator - 1) / denominator;
            image_window all = {0, 0, width, height};
            image whole = {0};
            error e = {0};
            assert_true(jpeg_decode_plainly(bytes, size, denominator, &all, &whole, &e));
            for (int place = 0; place < 16; place++) {
                int left = place % 4 * (width - 9) / 3, top = place / 4 * (height - 7) / 3;
                check_part(bytes, size, denominator, (image_window){left, top, left + 9, top + 7},
                           &whole);
            }
            image_free(&whole);
        }
        free(bytes);
    }
}

/* One window of a damaged JPEG with and without cutting: the same error, or the same pixels. Was it
   decoded? */
static bool check_damaged(const unsigned char *bytes, size_t size, int width, int height,
                          image_window w)
{
    image_window a = w, b = w;
    image cut = {0}, plain = {0};
    error e = {0}, f = {0};
    image_info info;
    if (!image_probe(bytes, size, IMAGE_LIMITS, &info, &e)) return false;
    if (info.width != width || info.height != height) return false;
    bool done = jpeg_decode(bytes, size, 1, &a, &cut, &e);
    assert_true(done == jpeg_decode_plainly(bytes, size, 1, &b, &plain, &f));
    assert_string_equal(e.text, f.text);
    for (int y = w.top; done && y < w.bottom; y++) {
        assert_memory_equal(cut.pixels + 3 * ((y - a.top) * cut.width + w.left - a.left),
                            plain.pixels + 3 * ((y - b.top) * plain.width + w.left - b.left),
                            3 * (size_t)(w.right - w.left));
    }
    image_free(&cut);
    image_free(&plain);
    return done;
}

/* So many MCUs that several readers look for them at once; in CMYK, all of whose blocks have the
   same codes, those that guess where to begin never find out which block of an MCU they are in. */
static void test_parts_of_large_jpegs(void **state)
{
    enum { W = 500, H = 2400 };
    static const J_COLOR_SPACE spaces[] = {JCS_RGB, JCS_GRAYSCALE, JCS_CMYK};
    static const image_window windows[] = {
        {0, 0, 30, 20}, {203, 1500, 260, 1600}, {470, 2380, 500, 2400}, {470, 1990, 500, 2010}};
    int refused = 0, count = 0;
    for (int i = 0; i < 12; i++) {
        const jpeg_kind kind = {1 + i / 3 % 2, 1 + i / 3 % 2, spaces[i % 3], .optimised = i % 2,
                                .restart_interval = i / 6 * 1100};
        unsigned char *bytes = NULL;
        unsigned long size = 0;
        image whole = {0};
        image_window all = {0, 0, W, H};
        error e = {0};
        jpeg_make(W, H, &kind, &bytes, &size);
        assert_true(jpeg_decode_plainly(bytes, size, 1, &all, &whole, &e));
        for (int k = 0; k < 4; k++) {
            assert_true(part_is_cut(bytes, size, windows[k]));
            check_part(bytes, size, 1, windows[k], &whole);
        }
        for (unsigned long at = 1000; at < size; at += size / 41, count++) {
            unsigned char kept = bytes[at];
            bytes[at] = (unsigned char)(at % 2 == 0 ? 0xff : kept ^ 1u << at % 8);
            refused += !check_damaged(bytes, size, W, H, windows[1]);
            bytes[at] = kept;
        }
        image_free(&whole);
        free(bytes);
    }
    assert_true(refused > count / 2 && refused < count);
}

/* The same grey JPEG, but DC values that grow by 1000 with each block of a row. */
static void jpeg_brighten(const unsigned char *from, size_t from_size, unsigned char **bytes,
                          unsigned long *size)
{
    struct jpeg_decompress_struct d;
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    d.err = c.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&d);
    jpeg_create_compress(&c);
    jpeg_mem_src(&d, from, from_size);
    jpeg_mem_dest(&c, bytes, size);
    jpeg_read_header(&d, TRUE);
    jvirt_barray_ptr *blocks = jpeg_read_coefficients(&d);
    jpeg_copy_critical_parameters(&d, &c);
    unsigned columns = d.comp_info[0].width_in_blocks;
    for (unsigned y = 0; y < d.comp_info[0].height_in_blocks; y++) {
        JBLOCKROW row = d.mem->access_virt_barray((j_common_ptr)&d, blocks[0], y, 1, TRUE)[0];
        for (unsigned x = 0; x < columns; x++) {
            row[x][0] = (JCOEF)(1000 * (x < columns / 2 ? x : columns - x));
        }
    }
    jpeg_write_coefficients(&c, blocks);
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    jpeg_finish_decompress(&d);
    jpeg_destroy_decompress(&d);
}

/* DC values that no image has are decoded without cutting. */
static void test_parts_of_bright_jpegs(void **state)
{
    for (int width = 120; width <= 160; width += 40) {
        const jpeg_kind kind = {1, 1, JCS_GRAYSCALE, .optimised = true};
        unsigned char *plain = NULL, *bytes = NULL;
        unsigned long plain_size = 0, size = 0;
        jpeg_make(width, 120, &kind, &plain, &plain_size);
        jpeg_brighten(plain, plain_size, &bytes, &size);
        image_window w = {10, 40, 30, 60};
        assert_true(part_is_cut(bytes, size, w) == (width == 120));
        assert_true(check_damaged(bytes, size, width, 120, w));
        free(plain);
        free(bytes);
    }
}

/* Whatever byte is changed or missing. */
static void test_damaged_parts_of_jpegs(void **state)
{
    /* Ends where upsampling looks at the next row of MCUs. */
    const image_window w = {60, 40, 80, 72};
    for (int i = 0; i < 4; i++) {
        const jpeg_kind kind = {1 + i % 2, 1 + i % 2, JCS_RGB, .optimised = true,
                                .restart_interval = i / 2 * 5};
        unsigned char *bytes = NULL;
        unsigned long size = 0;
        jpeg_make(160, 120, &kind, &bytes, &size);
        assert_true(part_is_cut(bytes, size, (image_window){52, 32, 88, 80}));
        int refused = 0, count = 0;
        for (unsigned long at = 0; at < size; at += 7) {
            unsigned char kept = bytes[at];
            bytes[at] = (unsigned char)(at % 3 == 0 ? 0xff : kept ^ 1u << at % 8);
            refused += !check_damaged(bytes, size, 160, 120, w);
            bytes[at] = kept;
            if (at % 4 != 0) continue;
            assert_false(check_damaged(bytes, at, 160, 120, w));
            count++;
        }
        assert_true(count > 100 && refused > count);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orientation_of_pixels_and_points),
        cmocka_unit_test(test_resample_same_size_copies),
        cmocka_unit_test(test_resample_against_definition),
        cmocka_unit_test(test_blur_and_erosion),
        cmocka_unit_test(test_weighing_kernels_agree),
        cmocka_unit_test(test_moving_kernels_agree),
        cmocka_unit_test(test_windows_of_jpegs),
        cmocka_unit_test(test_large_progressive_cmyk),
        cmocka_unit_test(test_parts_of_jpegs),
        cmocka_unit_test(test_parts_of_large_jpegs),
        cmocka_unit_test(test_parts_of_bright_jpegs),
        cmocka_unit_test(test_damaged_parts_of_jpegs),
        cmocka_unit_test(test_png_round_trip_and_truncation),
    };
    return RUN_TESTS(tests);
}
