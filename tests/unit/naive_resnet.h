/* A ResNet in double, written for being obviously right: the twin of the image encoder for its
 * tests. */
#ifndef NAIVE_RESNET_H
#define NAIVE_RESNET_H

#include "model/image_encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* (n, side, side, channels) */
typedef struct naive_tensor {
    int n, side, channels;
    double *x;
} naive_tensor;

typedef struct naive_net {
    const parameter_table *t;
    const double *values; /* flat */
    bool train;
} naive_net;

static naive_tensor naive_make(int n, int side, int channels)
{
    naive_tensor t = {n, side, channels,
                      calloc((size_t)n * side * side * channels, sizeof(double))};
    return t;
}

static const parameter *naive_find(const naive_net *net, const char *prefix, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "model.visual.%s%s", prefix, name);
    const parameter *p = parameter_table_find(net->t, full);
    if (!p) fprintf(stderr, "no parameter %s\n", full), abort();
    return p;
}

static naive_tensor naive_convolution(const naive_net *net, naive_tensor x, const char *prefix,
                                      const char *name, int stride)
{
    const parameter *p = naive_find(net, prefix, name);
    int out = (int)p->shape[0], in = (int)p->shape[1], size = (int)p->shape[2], pad = size / 2;
    naive_tensor y = naive_make(x.n, (x.side + 2 * pad - size) / stride + 1, out);
    for (int i = 0; i < x.n * y.side * y.side; i++)
        for (int a = 0; a < size; a++)
            for (int b = 0; b < size; b++) {
                int h = i / y.side % y.side * stride - pad + a, w = i % y.side * stride - pad + b;
                if (h < 0 || w < 0 || h >= x.side || w >= x.side) continue;
                const double *from =
                    x.x + ((long)(i / y.side / y.side * x.side + h) * x.side + w) * in;
                for (int c = 0; c < in; c++) {
                    const double *weight =
                        net->values + p->offset + ((a * size + b) * in + c) * (long)out;
                    for (int o = 0; o < out; o++) y.x[(long)i * out + o] += from[c] * weight[o];
                }
            }
    return y;
}

static void naive_normalise(const naive_net *net, naive_tensor y, const char *prefix,
                            const char *name)
{
    char base[64];
    snprintf(base, sizeof base, "%s%s.", prefix, name);
    const double *weight = net->values + naive_find(net, base, "weight")->offset;
    const double *bias = net->values + naive_find(net, base, "bias")->offset;
    const double *means = net->values + naive_find(net, base, "running_mean")->offset;
    const double *variances = net->values + naive_find(net, base, "running_var")->offset;
    int pixels = y.n * y.side * y.side, C = y.channels;
    for (int c = 0; c < C; c++) {
        double mean = means[c], variance = variances[c];
        if (net->train) {
            mean = variance = 0;
            for (int p = 0; p < pixels; p++) mean += y.x[p * C + c] / pixels;
            for (int p = 0; p < pixels; p++) variance += pow(y.x[p * C + c] - mean, 2) / pixels;
        }
        for (int p = 0; p < pixels; p++)
            y.x[p * C + c] = (y.x[p * C + c] - mean) / sqrt(variance + 1e-5) * weight[c] + bias[c];
    }
}

static void naive_relu(naive_tensor y)
{
    for (long i = 0; i < (long)y.n * y.side * y.side * y.channels; i++) y.x[i] = fmax(y.x[i], 0);
}

static naive_tensor naive_pool(naive_tensor x)
{
    naive_tensor y = naive_make(x.n, (x.side - 1) / 2 + 1, x.channels);
    for (int i = 0; i < y.n * y.side * y.side; i++)
        for (int c = 0; c < y.channels; c++) {
            double best = -INFINITY;
            for (int q = 0; q < 9; q++) {
                int h = i / y.side % y.side * 2 - 1 + q / 3, w = i % y.side * 2 - 1 + q % 3;
                if (h < 0 || w < 0 || h >= x.side || w >= x.side) continue;
                best = fmax(
                    best,
                    x.x[((long)(i / y.side / y.side * x.side + h) * x.side + w) * x.channels + c]);
            }
            y.x[(long)i * y.channels + c] = best;
        }
    return y;
}

static naive_tensor naive_block(const naive_net *net, naive_tensor x, const char *prefix,
                                bool bottleneck, int stride, bool shortcut)
{
    naive_tensor y = x;
    int count = bottleneck ? 3 : 2;
    for (int i = 0; i < count; i++) {
        char names[2][8] = {{'c', 'o', 'n', 'v', (char)('1' + i)}, {'b', 'n', (char)('1' + i)}};
        char weight[24];
        snprintf(weight, sizeof weight, "%s.weight", names[0]);
        naive_tensor z =
            naive_convolution(net, y, prefix, weight, i == (bottleneck ? 1 : 0) ? stride : 1);
        naive_normalise(net, z, prefix, names[1]);
        if (i + 1 < count) naive_relu(z);
        if (i) free(y.x);
        y = z;
    }
    naive_tensor add = x;
    if (shortcut) {
        add = naive_convolution(net, x, prefix, "downsample.0.weight", stride);
        naive_normalise(net, add, prefix, "downsample.1");
    }
    for (long i = 0; i < (long)y.n * y.side * y.side * y.channels; i++) y.x[i] += add.x[i];
    naive_relu(y);
    if (shortcut) free(add.x);
    free(x.x);
    return y;
}

/* features (n, D) of n images of floats already normalised. */
static void naive_forward(const image_encoder_config *c, const naive_net *net, const double *images,
                          int n, double *features)
{
    static const int blocks[3][4] = {{2, 2, 2, 2}, {3, 4, 6, 3}, {3, 4, 6, 3}};
    bool bottleneck = c->depth == 50;
    naive_tensor x = naive_make(n, c->size, 3);
    memcpy(x.x, images, (size_t)n * c->size * c->size * 3 * sizeof(double));
    naive_tensor y = naive_convolution(net, x, "", "conv1.weight", 2);
    free(x.x);
    naive_normalise(net, y, "", "bn1");
    naive_relu(y);
    x = naive_pool(y);
    free(y.x);
    for (int s = 0; s < 4; s++)
        for (int b = 0; b < blocks[c->depth == 18 ? 0 : c->depth == 34 ? 1 : 2][s]; b++) {
            char prefix[32];
            snprintf(prefix, sizeof prefix, "layer%d.%d.", s + 1, b);
            x = naive_block(net, x, prefix, bottleneck, s && !b ? 2 : 1, !b && (s || bottleneck));
        }
    const double *weight = net->values + naive_find(net, "", "fc.weight")->offset;
    const double *bias = net->values + naive_find(net, "", "fc.bias")->offset;
    int D = c->embedding_dim, pixels = x.side * x.side;
    for (int i = 0; i < n; i++)
        for (int d = 0; d < D; d++) {
            double sum = bias[d];
            for (int k = 0; k < x.channels; k++)
                for (int p = 0; p < pixels; p++)
                    sum +=
                        x.x[((long)i * pixels + p) * x.channels + k] / pixels * weight[k * D + d];
            features[i * D + d] = sum;
        }
    free(x.x);
}

#endif
