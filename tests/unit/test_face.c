/* Crops, regions, masks, warps, draws, and finding annotations. */
#include "unit.h"

#include "face/annotation_internal.h"
#include "face/crop.h"
#include "face/piece.h"
#include "face/variant.h"
#include "image/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_crop_place(void **state)
{
    crop c;
    error e = {0};
    /* floor(1.3 * 70) = 91; floor(150.5) - 45 = 105 */
    assert_true(crop_place((double[]){116, 120, 185, 190}, 1.3, 400, 400, &c, &e));
    assert_int_equal(c.left, 105);
    assert_int_equal(c.right, 196);
    assert_int_equal(c.top, 110);
    assert_true(crop_place((double[]){-20, 350, 80, 450}, 1.3, 400, 420, &c, &e));
    assert_int_equal(c.left, 0);
    assert_int_equal(c.right, 95);
    assert_int_equal(c.bottom, 420);
    static const double bad[][4] = {
        {5, 5, 5, 9}, {400, 5, 420, 9}, {-9, 5, 0, 9}, {5, 5, NAN, 9}, {9, 5, 5, 9}};
    for (int i = 0; i < 5; i++) {
        error own = {0};
        assert_false(crop_place(bad[i], 1.3, 400, 400, &c, &own));
        assert_int_equal(own.status, STATUS_DATA);
    }
    error small = {0};
    assert_false(crop_place((double[]){100, 100, 103, 103}, 0.1, 256, 256, &c, &small));
    assert_non_null(strstr(small.text, "times 0.1 has no whole pixel"));
}

static void landmarks68(double *l)
{
    for (int i = 0; i < 136; i++) l[i] = 110;
    static const int key[7][3] = {{36, 60, 80},   {39, 90, 82},  {42, 130, 82}, {45, 160, 80},
                                  {33, 111, 130}, {48, 85, 160}, {54, 136, 163}};
    for (int i = 0; i < 7; i++) {
        l[2 * key[i][0]] = key[i][1] + 0.9;
        l[2 * key[i][0] + 1] = key[i][2] + 0.9;
    }
}

static void check_region(const region *r, const int wanted[4])
{
    assert_true(r->known);
    assert_int_equal(r->box.left, wanted[0]);
    assert_int_equal(r->box.top, wanted[1]);
    assert_int_equal(r->box.right, wanted[2]);
    assert_int_equal(r->box.bottom, wanted[3]);
}

static void test_regions(void **state)
{
    double l[136];
    region r[REGION_COUNT];
    landmarks68(l);
    face_regions(l, 68, 224, r);
    /* |(51, 3)| / 3 = 17.03; |(30, 2)| / 4 = 7.5, twice 7; |(70, 0)| / 4 = 17.5 */
    check_region(&r[REGION_MOUTH], (int[]){85 - 18, 160 - 18, 137 + 18, 164 + 18});
    check_region(&r[REGION_EYE], (int[]){130 - 15, 80 - 15, 161 + 15, 83 + 15});
    check_region(&r[REGION_NOSE], (int[]){110 - 18, 81 - 18, 112 + 18, 131 + 18});
    l[2 * 48] = -1;
    face_regions(l, 68, 224, r);
    assert_false(r[REGION_MOUTH].known);
    assert_int_equal(r[REGION_MOUTH].lack, LACKS_ENDS);
    assert_true(r[REGION_EYE].known);
    l[0] = NAN;
    face_regions(l, 68, 224, r);
    assert_false(r[REGION_EYE].known);
    double five[10] = {75, 81, 145, 81, 110, 120, 85, 160, 136, 163};
    double seven[14] = {110, 120, 145, 81, 75, 81, 0, 0, 0, 0, 0, 0, 0, 0};
    region s[REGION_COUNT];
    face_regions(five, 5, 224, r);
    face_regions(seven, 7, 224, s);
    assert_true(r[REGION_MOUTH].known && !s[REGION_MOUTH].known);
    assert_int_equal(s[REGION_MOUTH].lack, LACKS_LANDMARKS);
    assert_memory_equal(r[REGION_EYE].line, s[REGION_EYE].line, sizeof r->line);
    /* 145 -+ 0.195 * 70 */
    assert_int_equal(r[REGION_EYE].line[0], 131);
    assert_int_equal(r[REGION_EYE].line[2], 158);
    assert_int_equal(s[REGION_NOSE].line[3], (int)(81 + 1.24 * 39));
    double box[4];
    assert_true(landmark_box(five, 5, box));
    assert_true(fabs(box[2] - box[0] - 161) < 1e-9 && fabs(box[1] - (81 + 49 - 80.5)) < 1e-9);
}

/* The mask over the whole image. */
static void mask_spread(const soft_mask *m, int size, float *all)
{
    int across = m->where.right - m->where.left;
    for (int i = 0; i < size * size; i++) {
        int x = i % size - m->where.left, y = i / size - m->where.top;
        bool in = x >= 0 && x < across && y >= 0 && i / size < m->where.bottom;
        all[i] = in ? m->values[y * across + x] : 0;
    }
}

/* The definition in the header, on whole images in double. */
static void mask_naive(rectangle r, int size, const mask_constants *k, double *out)
{
    int n = size * size;
    float *blurred = calloc((size_t)n, sizeof *blurred), *ones = calloc((size_t)n, sizeof *ones);
    uint8_t *hard = calloc((size_t)n, 1), *eroded = calloc((size_t)n, 1);
    error e = {0};
    filter_part all = {0, 0, size, size};
    for (int i = 0; i < n; i++) {
        int x = i % size, y = i / size;
        ones[i] = x >= r.left && x < r.right && y >= r.top && y < r.bottom;
    }
    bool any = false;
    for (int pass = 0; pass < 2 && !any; pass++) {
        double sigma = pass == 0 ? k->first_sigma : k->fallback_sigma;
        assert_true(gaussian_blur(ones, all, size, size, k->first_count, sigma, blurred, &e));
        for (int i = 0; i < n; i++) any |= hard[i] = blurred[i] >= 0.5f;
    }
    assert_true(any && ellipse_erode(hard, size, size, k->ellipse, eroded, &e));
    const uint8_t *from = memchr(eroded, 1, (size_t)n) ? eroded : hard;
    for (int i = 0; i < n; i++) ones[i] = from[i];
    assert_true(
        gaussian_blur(ones, all, size, size, k->second_count, k->second_sigma, blurred, &e));
    float most = 0;
    for (int i = 0; i < n; i++) most = fmaxf(most, blurred[i]);
    for (int i = 0; i < n; i++) out[i] = blurred[i] / most;
    free(blurred);
    free(ones);
    free(hard);
    free(eroded);
}

/* Parts give what whole images give: regions inside, at every border, in corners, tiny, everywhere;
   and for other sizes. */
static void test_masks_everywhere(void **state)
{
    enum { S = 224 };
    static float spread[S * S];
    static double wanted[S * S];
    static const rectangle regions[] = {
        {60, 130, 160, 180}, {0, 0, 60, 40},       {180, 190, 224, 224}, {0, 100, 224, 130},
        {100, 0, 104, 224},  {100, 100, 103, 103}, {0, 0, 224, 224},     {0, 200, 30, 224},
        {219, 2, 224, 50},   {90, 60, 131, 93}};
    soft_mask m = {0};
    error e = {0};
    for (int i = 0; i < 60; i++) {
        int size = (int[]){224, 160, 32}[i / 20];
        rectangle r = regions[i % 10];
        r = (rectangle){r.left * size / S, r.top * size / S, r.right * size / S + (size < S),
                        r.bottom * size / S + (size < S)};
        r = rectangle_grow(r, 0, size);
        mask_constants k = mask_constants_for(i / 10 % 2 ? REGION_NOSE : REGION_MOUTH, size);
        assert_true(soft_mask_make(&m, r, size, &k, &e));
        mask_spread(&m, size, spread);
        mask_naive(r, size, &k, wanted);
        for (int at = 0; at < size * size; at++) {
            if (!(fabs(spread[at] - wanted[at]) < 1e-5)) {
                fail_msg("mask %d at %d, %d: %g, not %g", i, at % size, at / size, spread[at],
                         wanted[at]);
            }
        }
    }
    soft_mask_free(&m);
}

/* Whether a mask is possible says in advance whether it will be made, at the sizes in between too.
 */
static void test_masks_possible(void **state)
{
    soft_mask m = {0};
    int refused = 0, made = 0;
    for (int size = 16; size <= 1024; size += 112) {
        for (int side = 1; side <= 20 && side <= size; side++) {
            for (int i = 0; i < 6; i++) {
                mask_constants k = mask_constants_for((face_region)(i % 3), size);
                int left = i < 3 ? 0 : (size - side) / 2;
                rectangle r = {left, left, left + side, left + 1 + side / 2};
                error e = {0}, failed = {0};
                bool possible;
                assert_true(soft_mask_possible(r, size, &k, &possible, &e));
                assert_int_equal(soft_mask_make(&m, r, size, &k, &failed), possible);
                possible ? made++ : refused++;
            }
        }
    }
    assert_true(made > 100 && refused > 100);
    soft_mask_free(&m);
}

/* All landmarks on one spot: a region of 3 pixels, of which a face of 448 makes no mask. */
static void test_regions_too_small(void **state)
{
    double l[136];
    region regions[REGION_COUNT];
    error e = {0};
    for (int i = 0; i < 136; i++) l[i] = 100;
    assert_true(variant_regions(l, 68, 224, regions, &e));
    for (int i = 0; i < REGION_COUNT; i++) assert_true(regions[i].known);
    assert_true(variant_regions(l, 68, 448, regions, &e));
    for (int i = 0; i < REGION_COUNT; i++) {
        assert_false(regions[i].known);
        assert_int_equal(regions[i].lack, LACKS_SIZE);
    }
}

/* Every variant of every face is in one piece, in order, and no piece is larger than it may be. */
static void test_pieces(void **state)
{
    static const int64_t cases[][3] = {{0, 5, 7},  {1, 5, 7}, {1, 5, 5}, {3, 5, 4},  {10, 5, 12},
                                       {10, 5, 1}, {4, 1, 3}, {2, 9, 3}, {7, 2, 100}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t variants = cases[i][1], most = cases[i][2], next = 0;
        face_pieces left = {.faces = (int)cases[i][0], .variants = variants, .most = most};
        do {
            face_piece p = face_pieces_next(&left);
            assert_true(p.faces * p.variants <= most);
            assert_true(p.faces <= 1 || (p.variant == 0 && p.variants == variants));
            assert_int_equal(p.face * variants + p.variant, next);
            next += p.faces * p.variants;
        } while (!face_pieces_done(&left));
        assert_int_equal(next, cases[i][0] * variants);
    }
}

static void test_mask(void **state)
{
    enum { S = 224 };
    static float values[S * S];
    rectangle r = {60, 130, 160, 180};
    mask_constants k = mask_constants_for(REGION_MOUTH, S);
    error e = {0};
    soft_mask m = {0};
    assert_true(soft_mask_make(&m, r, S, &k, &e));
    mask_spread(&m, S, values);
    float most = 0;
    for (int i = 0; i < S * S; i++) {
        assert_true(values[i] >= 0 && values[i] <= 1);
        most = fmaxf(most, values[i]);
        /* symmetric about the rectangle's centre */
        int x = i % S, y = i / S, mx = 219 - x, my = 309 - y;
        if (mx >= 0 && my < S && y > 100)
            assert_true(fabsf(values[my * S + mx] - values[i]) < 1e-5);
    }
    assert_true(most == 1 && values[155 * S + 110] > 0.99f && values[155 * S + 62] < 0.5f);
    soft_mask_free(&m);
}

static void test_flip(void **state)
{
    enum { S = 224 };
    static float values[S * S];
    error e = {0};
    image from = {0}, out = {0};
    assert_true(image_allocate(&from, S, S, &e) && image_allocate(&out, S, S, &e));
    for (int i = 0; i < 3 * S * S; i++) from.pixels[i] = (uint8_t)(i % 251);
    for (int i = 0; i < S * S; i++) values[i] = 1;
    soft_mask all = {{0, 0, S, S}, values, S * S};
    rectangle patch = {10, 20, 31, 50};
    for (int how = 0; how < 3; how++) {
        face_flip(&from, patch, (flip)how, &all, 1, &out);
        int x = how == FLIP_VERTICAL ? 12 : 28, y = how == FLIP_HORIZONTAL ? 23 : 46;
        assert_memory_equal(out.pixels + 3 * (23 * S + 12), from.pixels + 3 * (y * S + x), 3);
        assert_memory_equal(out.pixels, from.pixels, 3 * (20 * S + 10));
        /* A mask that does not cover the patch: the rest stays. */
        soft_mask few = {{15, 0, S, 40}, values, S * S};
        face_flip(&from, patch, (flip)how, &few, 1, &out);
        assert_memory_equal(out.pixels + 3 * (23 * S + 12), from.pixels + 3 * (23 * S + 12), 9);
        x = how == FLIP_VERTICAL ? 16 : 24;
        assert_memory_equal(out.pixels + 3 * (23 * S + 16), from.pixels + 3 * (y * S + x), 3);
        /* One that begins before it, with nothing in its first columns. */
        static float begun[(S - 5) * 40];
        for (int i = 0; i < (S - 5) * 40; i++) begun[i] = i % (S - 5) >= 5;
        soft_mask wide = {{5, 0, S, 40}, begun, (S - 5) * 40};
        face_flip(&from, patch, (flip)how, &wide, 1, &out);
        x = how == FLIP_VERTICAL ? 10 : 30;
        assert_memory_equal(out.pixels + 3 * (23 * S + 10), from.pixels + 3 * (y * S + x), 3);
    }
    /* The whole image is a patch; its last pixel is mixed too. */
    face_flip(&from, (rectangle){0, 0, S, S}, FLIP_ROTATE, &all, 1, &out);
    assert_memory_equal(out.pixels, from.pixels + 3 * (S * S - 1), 3);
    assert_memory_equal(out.pixels + 3 * (S * S - 1), from.pixels, 3);
    image_free(&from);
    image_free(&out);
}

static void test_warps(void **state)
{
    error e = {0};
    image from = {0}, out = {0};
    assert_true(image_allocate(&from, 224, 224, &e) && image_allocate(&out, 224, 224, &e));
    for (int i = 0; i < 3 * 224 * 224; i++) from.pixels[i] = (uint8_t)(1 + i % 250);
    for (int k = 0; k < 50; k++) {
        random_state r = random_keyed(3, "warp", (uint64_t)k);
        warp_grid g = warp_grid_draw(&r, 224, 224);
        assert_true(g.rows >= 2 && g.rows <= 4 && g.columns >= 2 && g.columns <= 4);
        assert_true(g.spread >= 0.04 && g.spread < 0.05);
        assert_int_equal(strlen(g.diagonals), (g.rows - 1) * (g.columns - 1));
        face_warp_grid(&from, &g, &out);
        /* All targets are inside: nothing is black. */
        for (int i = 0; i < 3 * 224 * 224; i++) assert_true(out.pixels[i] > 0);
        memcpy(g.to, g.from, sizeof g.to);
        face_warp_grid(&from, &g, &out);
        assert_memory_equal(out.pixels, from.pixels, 3 * 224 * 224);
    }
    warp_affine a = {.matrix = {1, 0, 5, 0, 1, -3}};
    face_warp_affine(&from, &a, &out);
    assert_memory_equal(out.pixels + 3 * (10 * 224 + 20), from.pixels + 3 * (7 * 224 + 25), 3);
    assert_int_equal(out.pixels[3 * (1 * 224 + 20)], 0);
    image_free(&from);
    image_free(&out);
}

static void test_draws(void **state)
{
    double l[136];
    region r[REGION_COUNT], none[REGION_COUNT] = {{.known = false}};
    landmarks68(l);
    face_regions(l, 68, 224, r);
    variant_options o = {.seed = 1};
    int count[MANIPULATION_COUNT] = {0};
    for (int i = 0; i < 8000; i++) count[variant_draw(&o, "a#0", i)]++;
    assert_true(abs(count[PHOTOGRAPHIC] - 4000) < 200 && count[NOSE_FLIP] == 0);
    assert_true(abs(count[MOUTH_VFLIP] - 1000) < 130 && abs(count[MOUTH_HFLIP] - 1000) < 130);
    assert_true(abs(count[EYE_HFLIP] - 1000) < 130 && abs(count[WARP] - 1000) < 130);
    for (int i = 0; i < MANIPULATION_COUNT; i++) {
        bool whole = i == PHOTOGRAPHIC || i == WARP;
        assert_true(manipulation_possible((manipulation)i, none, &o) == whole);
        assert_true(manipulation_possible((manipulation)i, r, &o) == (i != NOSE_FLIP));
    }
    int low = 0;
    for (int i = 0; i < 4000; i++) {
        variant v = variant_choose(&o, "a#0", MOUTH_VFLIP, i, r, 224);
        assert_true(v.ratio == 0.75 || v.ratio == 1);
        low += v.ratio == 0.75;
        assert_int_equal(v.patch.left, r[REGION_MOUTH].box.left - 5);
    }
    assert_true(abs(low - 1000) < 130);
    assert_int_equal(variant_choose(&o, "a#0", NOSE_FLIP, 0, r, 224).patch.top,
                     r[REGION_NOSE].box.top - 3);
}

static void check_match(annotations *a, const char *path, match wanted, size_t entry)
{
    annotation *found;
    assert_int_equal(annotations_find(a, path, &found), wanted);
    if (wanted == MATCH_ONE) assert_ptr_equal(found, &a->entry[entry]);
}

static void test_matching(void **state)
{
    static const char *const names[] = {
        "a/1.jpg", "b/1.jpg", "2.jpg",   "2.png", "/x/deep/3.jpg", "c/4.jpg",   "5",
        "6.jpg",   "6.jpg",   "d/7.jpg", "7.png", "../e/8.jpg",    "e/f/9.jpg", "g/f/9.png"};
    annotations *a = calloc(1, sizeof *a);
    error e = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(annotations_add(a, names[i], strlen(names[i]), &e));
    a->entry[6].no_suffix = true;
    assert_true(annotations_sort(a, &e));
    check_match(a, "photos/a/1.jpg", MATCH_ONE, 0);
    check_match(a, "./b//1.jpg", MATCH_ONE, 1);
    check_match(a, "1.jpg", MATCH_AMBIGUOUS, 0);
    check_match(a, "c/1.jpg", MATCH_NONE, 0);
    check_match(a, "photos/2.png", MATCH_ONE, 3);
    check_match(a, "deep/3.jpg", MATCH_ONE, 4);
    check_match(a, "elsewhere/4.jpg", MATCH_NONE, 0);
    check_match(a, "x/c/4.jpg", MATCH_ONE, 5);
    check_match(a, "../4.jpg", MATCH_ONE, 5);
    check_match(a, "y/c/4.jpg", MATCH_ONE, 5);
    assert_int_equal(a->entry[5].photos, 3);
    check_match(a, "images/128/5.png", MATCH_ONE, 6);
    check_match(a, "6.jpg", MATCH_AMBIGUOUS, 0);
    check_match(a, "x/d/7.png", MATCH_ONE, 10);
    check_match(a, "x/d/7.gif", MATCH_ONE, 9);
    check_match(a, "x/e/8.jpg", MATCH_ONE, 11);
    check_match(a, "f/9.jpg", MATCH_ONE, 12);
    check_match(a, "f/9.gif", MATCH_AMBIGUOUS, 0);
    check_match(a, "10.jpg", MATCH_NONE, 0);
    check_match(a, "", MATCH_NONE, 0);
    annotations_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crop_place),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_masks_everywhere),
        cmocka_unit_test(test_masks_possible),
        cmocka_unit_test(test_regions_too_small),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_flip),
        cmocka_unit_test(test_warps),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_matching),
    };
    return RUN_TESTS(tests);
}
