/* Zip archives as PyTorch writes them: stored entries, zip64 where needed, found through the
 * central directory. */
#ifndef BLADES_MODEL_ZIP_H
#define BLADES_MODEL_ZIP_H

#include "model/source.h"

typedef struct zip_entry {
    char *name;
    int64_t header; /* where its local header lies */
    int64_t size;
    uint32_t crc;
    int method; /* 0: stored */
} zip_entry;

typedef struct zip {
    const source *source;
    zip_entry *entries; /* sorted by name */
    size_t count;
} zip;

/* Reads the central directory of an archive; the source must outlive it. STATUS_DATA when it is
 * not an archive. */
bool zip_open(zip *z, const source *s, error *e);
void zip_close(zip *z);
/* NULL when no entry has that name. */
const zip_entry *zip_find(const zip *z, const char *name);
/* The whole entry in a new buffer (caller frees; a NUL byte follows); its CRC-32 is checked. */
unsigned char *zip_read(const zip *z, const zip_entry *entry, error *e);

#endif
