/* Rows scaled to unit length. */
#include "nn/l2norm.h"

#include <math.h>

static const double shortest = 1e-12;

void l2norm_forward(double *y, double *length, const float *x, int n, int width)
{
    for (int i = 0; i < n; i++) {
        const float *from = x + (size_t)i * (size_t)width;
        double *to = y + (size_t)i * (size_t)width, square = 0;
        for (int k = 0; k < width; k++) square += (double)from[k] * from[k];
        length[i] = sqrt(square);
        if (length[i] < shortest) length[i] = shortest;
        for (int k = 0; k < width; k++) to[k] = from[k] / length[i];
    }
}

void l2norm_backward(double *dx, const double *dy, const double *y, const double *length, int n,
                     int width)
{
    for (int i = 0; i < n; i++, dx += width, dy += width, y += width) {
        double along = 0;
        for (int k = 0; k < width && length[i] > shortest; k++) along += y[k] * dy[k];
        for (int k = 0; k < width; k++) dx[k] = (dy[k] - along * y[k]) / length[i];
    }
}

void l2norm_jvp(double *y_tangent, const double *x_tangent, const double *y, const double *length,
                int n, int width)
{
    l2norm_backward(y_tangent, x_tangent, y, length, n, width);
}

double l2norm_row(float *to, const float *from, size_t width)
{
    double square = 0;
    for (size_t k = 0; k < width; k++) square += (double)from[k] * from[k];
    double scale = square > 0 ? 1 / sqrt(square) : 0;
    for (size_t k = 0; k < width; k++) to[k] = (float)(from[k] * scale);
    return sqrt(square);
}
