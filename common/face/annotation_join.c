/* Entries of one file that are called alike, as where every face has a line of its own. */
#include "face/annotation_internal.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>

/* Names without suffix are those of files that hold all of their photo's faces. */
static bool alike(const annotation *x, const annotation *y)
{
    return !x->no_suffix && !y->no_suffix && strcmp(x->name, y->name) == 0;
}

static bool extra_join(annotation *to, annotation *from, error *e)
{
    const json_t *label = json_object_get(to->extra, "label");
    const json_t *other = json_object_get(from->extra, "label");
    if (label != NULL && other != NULL && !json_equal(label, other)) {
        return error_set(e, STATUS_DATA, "entries of %s have different labels", to->name);
    }
    if (to->extra == NULL) {
        to->extra = from->extra;
        from->extra = NULL;
    }
    if (from->extra != NULL && json_object_update_missing(to->extra, from->extra) != 0) {
        return error_set(e, STATUS_SYSTEM, "out of memory");
    }
    return true;
}

/* Leaves `from` without a name; its faces must lie behind those of `to`. */
static bool entry_join(annotation *to, annotation *from, error *e)
{
    if (to->upright != from->upright || to->width != from->width || to->height != from->height) {
        return error_set(e, STATUS_DATA,
                         "entries of %s differ in whether it is upright, or in its size", to->name);
    }
    if (to->count + from->count > FACES_MOST) {
        return error_set(e, STATUS_DATA, "%s has more than %d faces", to->name, FACES_MOST);
    }
    if (!extra_join(to, from, e)) return false;
    to->count += from->count;
    free(from->name);
    from->name = NULL;
    return true;
}

/* Puts the faces into the order of the entries, so that those of entries called alike are one
   behind the other, and joins these. */
static bool ordered_join(annotations *a, annotated_face *moved, error *e)
{
    size_t at = 0;
    annotation *head = NULL;
    for (size_t i = 0; i < a->count; i++) {
        annotation *entry = a->ordered[i];
        if (entry->count > 0) {
            memcpy(moved + at, a->face + entry->first, entry->count * sizeof *moved);
        }
        entry->first = at;
        at += entry->count;
        if (head == NULL || !alike(head, entry)) {
            head = entry;
        } else if (!entry_join(head, entry, e)) {
            return false;
        }
    }
    return true;
}

/* Takes out the entries without a name. */
static void entries_compact(annotations *a)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (a->entry[i].name == NULL) {
            json_decref(a->entry[i].extra);
        } else {
            a->entry[kept++] = a->entry[i];
        }
    }
    a->joined = a->count - kept;
    a->count = kept;
}

bool annotations_join(annotations *a, error *e)
{
    bool any = false;
    for (size_t i = 1; i < a->count && !any; i++) any = alike(a->ordered[i - 1], a->ordered[i]);
    if (!any) return true;
    annotated_face *moved = memory_allocate(a->face_count + 1, sizeof *moved, e);
    if (moved == NULL || !ordered_join(a, moved, e)) {
        free(moved);
        return error_context(e, "%s", a->path);
    }
    free(a->face);
    free(a->ordered);
    a->face = moved;
    a->ordered = NULL;
    entries_compact(a);
    return annotations_sort(a, e);
}
