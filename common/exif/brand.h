/* The brands behind the spellings of Make. */
#ifndef BLADES_EXIF_BRAND_H
#define BLADES_EXIF_BRAND_H

/* The brand's usual name ("NIKON CORPORATION" -> "Nikon"), or `make` itself when it is unknown.
   `model` (may be NULL) tells the brands of one company apart. Case, punctuation, and words such as
   "Co., Ltd." do not matter. */
const char *make_brand(const char *make, const char *model);

#endif
