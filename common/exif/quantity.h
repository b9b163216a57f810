/* Numbers as people and programs write them: "1/60 sec", "F2.8", "+1 2/3 EV", "35.0 mm (35 mm
 * equivalent: 52 mm)". */
#ifndef BLADES_EXIF_QUANTITY_H
#define BLADES_EXIF_QUANTITY_H

#include <stdbool.h>

typedef enum quantity {
    QUANTITY_PLAIN,
    QUANTITY_TIME,     /* seconds: "1/60", "0.5 s", "2 sec", "1/2 sec", "0.017 sec (1/60)" */
    QUANTITY_APERTURE, /* "2.8", "f/2.8", "F2.8" */
    QUANTITY_BIAS,     /* "0", "-0.33 EV", "+2/3 EV", "+1 1/3" */
    QUANTITY_LENGTH,   /* "35", "35 mm", "35.0mm" */
    QUANTITY_ISO,      /* "400", "ISO 400", "1,600", "ISO 400/27" */
} quantity;

/* Reads the number at the start of `text`; what follows must be a unit of the quantity, a list's
   next item, or something in parentheses. False for anything else ("Bulb", "inf", "1/0"). `number`
   in s, mm, EV. */
bool quantity_parse(const char *text, quantity kind, double *number);

#endif
