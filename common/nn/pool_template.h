/* Max pooling kernels: part of block_template.h. A window is {size, stride, padding}; `index` holds
   the place in the window, row by row, of the first maximum. */

INLINE void KERNEL(max_row_kind)(const operand_kind kind, REAL *to, uint8_t *index,
                                 const operand *x, long first, const int window[3], int height,
                                 int width, int out_row, int out_width, int C)
{
    int size = window[0], top = out_row * window[1] - window[2];
    for (int w = 0; w < out_width; w++)
        for (int c = 0; c < C; c += LANES) {
            int left = w * window[1] - window[2];
            vf best = vf_all(-__builtin_inff());
            vi place = {0};
            for (int i = 0; i < size; i++)
                for (int j = 0; j < size; j++) {
                    int h = top + i, k = left + j;
                    if (h < 0 || k < 0 || h >= height || k >= width) continue;
                    long pixel = first + (long)h * width + k;
                    vf v = KERNEL(operand_vector)(kind, x, pixel * C + c, c);
                    vi better = ~(v <= best); /* NaN wins, and stays */
                    better &= (best == best);
                    best = vf_select(better, v, best);
                    place = (place & ~better) | (better & (i * size + j));
                }
            STORE(to + (long)w * C + c, best);
            vb narrow = __builtin_convertvector(place, vb);
            if (index) memcpy(index + (long)w * C + c, &narrow, sizeof narrow);
        }
}

static void KERNEL(max_row)(void *to, uint8_t *index, const operand *x, long first,
                            const int window[3], int height, int width, int out_row, int out_width,
                            int C)
{
    FOR_KIND(x, KERNEL(max_row_kind)(KIND, to, index, x, first, window, height, width, out_row,
                                     out_width, C))
}

/* The first window that reaches input coordinate x, and the one after the last. */
static void KERNEL(windows_over)(const int window[3], int x, int count, int *begin, int *end)
{
    int low = x + window[2] - window[0] + 1, high = (x + window[2]) / window[1] + 1;
    *begin = low <= 0 ? 0 : (low + window[1] - 1) / window[1];
    *end = high < count ? high : count;
}

static void KERNEL(max_row_gradient)(float *to, const void *g, const uint8_t *index,
                                     const int window[3], int row, int width, int out_height,
                                     int out_width, int C)
{
    int top, bottom, left, right;
    KERNEL(windows_over)(window, row, out_height, &top, &bottom);
    for (int w = 0; w < width; w++) {
        KERNEL(windows_over)(window, w, out_width, &left, &right);
        for (int c = 0; c < C; c += LANES) {
            vf sum = vf_zero();
            for (int i = top; i < bottom; i++)
                for (int j = left; j < right; j++) {
                    int place = (row + window[2] - i * window[1]) * window[0] + w + window[2] -
                                j * window[1];
                    long k = ((long)i * out_width + j) * C + c;
                    vb chosen;
                    memcpy(&chosen, index + k, sizeof chosen);
                    vi here = __builtin_convertvector(chosen, vi) == place;
                    sum += vf_select(here, LOAD((const REAL *)g + k), vf_zero());
                }
            vf_store(to + (long)w * C + c, sum);
        }
    }
}

INLINE void KERNEL(max_row_select_kind)(const operand_kind kind, REAL *to, const uint8_t *index,
                                        const operand *x, long first, const int window[3],
                                        int height, int width, int out_row, int out_width, int C)
{
    int size = window[0], top = out_row * window[1] - window[2];
    for (int w = 0; w < out_width; w++)
        for (int c = 0; c < C; c += LANES) {
            int left = w * window[1] - window[2];
            vb chosen;
            memcpy(&chosen, index + (long)w * C + c, sizeof chosen);
            vi place = __builtin_convertvector(chosen, vi);
            vf value = vf_zero();
            for (int i = 0; i < size; i++)
                for (int j = 0; j < size; j++) {
                    int h = top + i, k = left + j;
                    if (h < 0 || k < 0 || h >= height || k >= width) continue;
                    long pixel = first + (long)h * width + k;
                    vf v = KERNEL(operand_vector)(kind, x, pixel * C + c, c);
                    value = vf_select(place == i * size + j, v, value);
                }
            STORE(to + (long)w * C + c, value);
        }
}

static void KERNEL(max_row_select)(void *to, const uint8_t *index, const operand *x, long first,
                                   const int window[3], int height, int width, int out_row,
                                   int out_width, int C)
{
    FOR_KIND(x, KERNEL(max_row_select_kind)(KIND, to, index, x, first, window, height, width,
                                            out_row, out_width, C))
}
