/* PyTorch's checkpoints, read without Python: zip archives (zip64 too) and the older files of plain
   pickles. The pickle is interpreted by a machine that knows only what a state dict needs; nothing
   in it is executed, a name it does not know is refused.

   Tensors get the names of their path of dictionary keys joined by dots ("model.fc.weight" of
   {'model': {'fc.weight': ...}}); numbers and texts on the way ({'epoch': 15}) become metadata. */
#ifndef BLADES_MODEL_PYTORCH_H
#define BLADES_MODEL_PYTORCH_H

#include "model/tensor.h"

/* Opens a checkpoint (a path; a pipe is read whole). STATUS_DATA names the file and what is wrong
 * or refused. */
tensor_file *pytorch_open(const char *path, error *e);

/* Do these first bytes (16 are enough) belong to a zip archive or a pickle? */
bool pytorch_looks_like(const unsigned char *head, size_t size);

#endif
