/* Fixed task weights from a file. */
#ifndef BLADES_TRAIN_WEIGHTS_H
#define BLADES_TRAIN_WEIGHTS_H

#include "pretext/task.h"
#include "train/lambda.h"

/* Sets the weights (of kind LAMBDA_RAW) from a JSON object {"task": weight, ...} that names exactly
   the tasks of the list. `path` "equal" leaves all at 1. STATUS_NO_INPUT, STATUS_IO, STATUS_DATA.
 */
bool weights_read(lambda_weights *l, const char *path, const task_list *tasks, error *e);

#endif
