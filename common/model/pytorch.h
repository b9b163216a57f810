/* PyTorch's checkpoints, read without Python: zip archives (zip64 too) and the older files of plain
   pickles. The pickle is interpreted by a machine that knows only what a state dict needs; nothing
   in it is executed, a name it does not know is refused.

   Tensors get the names of their path of dictionary keys joined by dots ("model.fc.weight" of
   {'model': {'fc.weight': ...}}); numbers and texts on the way ({'epoch': 15}) become metadata. */
#ifndef BLADES_MODEL_PYTORCH_H
#define BLADES_MODEL_PYTORCH_H

#include "model/source.h"
#include "model/tensor.h"

enum { PYTORCH_HEAD = 16 }; /* bytes that tell a checkpoint from other files */

/* Do the first bytes of a file, as many as there are up to PYTORCH_HEAD, belong to a zip archive or
   a pickle? */
bool pytorch_looks_like(const unsigned char *head, size_t size);

/* The checkpoint in a source for which pytorch_looks_like is true; the source is taken over, also
   on failure. NULL on error: STATUS_DATA says what is wrong or refused. Close with
   tensor_file_close.
 */
tensor_file *pytorch_from_source(source s, error *e);

#endif
