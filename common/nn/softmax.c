/* Softmax in float and in double. */
#include "nn/softmax.h"

#include <math.h>

#define REAL float
#define EXPONENTIAL expf
#define SOFTMAX(name) softmax_##name
#include "nn/softmax_template.h"

#define REAL double
#define EXPONENTIAL exp
#define SOFTMAX(name) softmax_##name##_double
#include "nn/softmax_template.h"
