/* Learnt task weights. */
#include "train/lambda.h"

#include "cli/memory.h"
#include "nn/adam.h"
#include "nn/softmax.h"

#include <math.h>
#include <stdlib.h>

bool lambda_create(lambda_weights *l, lambda_kind kind, int count, error *e)
{
    *l = (lambda_weights){.kind = kind, .count = count};
    l->parameter = memory_zeroed((size_t)count, sizeof(double), e);
    l->value = memory_zeroed((size_t)count, sizeof(double), e);
    l->first = memory_zeroed((size_t)count, sizeof(double), e);
    l->second = memory_zeroed((size_t)count, sizeof(double), e);
    l->parameter_gradient = memory_zeroed((size_t)count, sizeof(double), e);
    if (e->status) return false;
    double start = kind == LAMBDA_RAW ? 1 : kind == LAMBDA_SOFTPLUS ? log(expm1(1.0)) : 0;
    for (int i = 0; i < count; i++) l->parameter[i] = start;
    lambda_evaluate(l);
    return true;
}

void lambda_free(lambda_weights *l)
{
    free(l->parameter);
    free(l->value);
    free(l->first);
    free(l->second);
    free(l->parameter_gradient);
    *l = (lambda_weights){0};
}

static void evaluate_softmax(lambda_weights *l)
{
    softmax_forward_double(l->value, l->parameter, 1, l->count);
    for (int i = 0; i < l->count; i++) l->value[i] *= l->count;
}

void lambda_evaluate(lambda_weights *l)
{
    if (l->kind == LAMBDA_SOFTMAX) {
        evaluate_softmax(l);
        return;
    }
    for (int i = 0; i < l->count; i++) {
        double a = l->parameter[i];
        l->value[i] = l->kind == LAMBDA_RAW ? a : fmax(a, 0) + log1p(exp(-fabs(a)));
    }
}

/* The chain rule from the weights to their parameters. */
static void gradient_of_parameters(lambda_weights *l, const double *gradient)
{
    double mean = 0;
    for (int i = 0; i < l->count; i++) mean += gradient[i] * l->value[i] / l->count;
    for (int i = 0; i < l->count; i++) {
        double slope = l->kind == LAMBDA_SOFTPLUS ? 1 / (1 + exp(-l->parameter[i])) : 1;
        l->parameter_gradient[i] =
            l->kind == LAMBDA_SOFTMAX ? l->value[i] * (gradient[i] - mean) : slope * gradient[i];
    }
}

void lambda_update(lambda_weights *l, const double *gradient, double rate)
{
    gradient_of_parameters(l, gradient);
    l->updates++;
    double correction1 = 1 - pow(ADAM_BETA1, (double)l->updates);
    double correction2 = 1 - pow(ADAM_BETA2, (double)l->updates);
    for (int i = 0; i < l->count; i++) {
        double g = l->parameter_gradient[i];
        l->first[i] = ADAM_BETA1 * l->first[i] + (1 - ADAM_BETA1) * g;
        l->second[i] = ADAM_BETA2 * l->second[i] + (1 - ADAM_BETA2) * g * g;
        l->parameter[i] -=
            rate / correction1 * l->first[i] / (sqrt(l->second[i] / correction2) + ADAM_EPSILON);
    }
    lambda_evaluate(l);
}
