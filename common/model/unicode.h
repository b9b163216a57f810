/* What the tokenizer needs to know of Unicode 14 characters. */
#ifndef BLADES_MODEL_UNICODE_H
#define BLADES_MODEL_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

bool unicode_is_letter(uint32_t c); /* general category L* */
bool unicode_is_number(uint32_t c); /* general category N* */
bool unicode_is_space(uint32_t c);  /* White_Space */
uint32_t unicode_lower(uint32_t c); /* simple lower case */

#endif
