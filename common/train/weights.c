/* Reading task weights. */
#include "train/weights.h"

#include "stream/json.h"

#include <math.h>
#include <string.h>

static bool take_weights(lambda_weights *l, const json_t *map, const char *path,
                         const task_list *tasks, error *e)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value)
    {
        if (!task_list_find(tasks, name))
            return error_set(e, STATUS_DATA, "%s: there is no task '%s'", path, name);
    }
    for (size_t t = 0; t < tasks->count; t++) {
        const char *task_name = tasks->task[t].name;
        value = json_object_get(map, task_name);
        if (!value)
            return error_set(e, STATUS_DATA, "%s: no weight for the task '%s'", path, task_name);
        if (!json_is_number(value) || !isfinite(json_number_value(value)))
            return error_set(e, STATUS_DATA, "%s: the weight of the task '%s' is not a number",
                             path, task_name);
        l->parameter[t] = json_number_value(value);
    }
    lambda_evaluate(l);
    return true;
}

bool weights_read(lambda_weights *l, const char *path, const task_list *tasks, error *e)
{
    if (strcmp(path, "equal") == 0) return true;
    json_t *map = json_file_read(path, e);
    if (!map) return false;
    bool good = json_is_object(map)
                    ? take_weights(l, map, path, tasks, e)
                    : error_set(e, STATUS_DATA, "%s: not a JSON object of tasks and weights", path);
    json_decref(map);
    return good;
}
