/* What the C unit tests share: cmocka, in the order that it wants its headers. */
#ifndef BLADES_UNIT_H
#define BLADES_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RUN_TESTS(tests) cmocka_run_group_tests(tests, NULL, NULL)

#endif
