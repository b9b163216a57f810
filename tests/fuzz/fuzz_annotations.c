/* Annotation readers of every format, on hostile bytes. */
#include "cli/memory.h"
#include "face/annotation_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static annotation_reader *const readers[] = {annotations_read_lines, annotations_read_fdf,
                                                 annotations_read_coco,  annotations_read_celeba,
                                                 annotations_read_dlib,  annotations_read_pts,
                                                 annotations_read_npy};
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        error e = {0};
        annotations *a = memory_zeroed(1, sizeof *a, &e);
        annotation *found;
        if (a == NULL) abort();
        a->path = "annotations";
        if (readers[i](a, "name", (const char *)bytes, size, &e) && annotations_sort(a, &e) &&
            annotations_join(a, &e)) {
            annotations_find(a, "photos/000000.jpg", &found);
        }
        annotations_free(a);
    }
    return 0;
}
