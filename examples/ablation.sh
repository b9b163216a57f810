#!/bin/sh
# Does a task help? Trains with and without it on the same faces, and compares the held-out coarse accuracy.
# Usage: examples/ablation.sh FACES TASKS.json TASK STEPS    (the tools must be on PATH)
set -eu

[ $# = 4 ] || { echo "usage: ablation.sh FACES TASKS.json TASK STEPS" >&2; exit 64; }
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/../pipelines/select-tasks" without "$2" "$3" >"$work/without.json"
cp "$2" "$work/with.json"

for run in with without; do
  pretext-batch -q --tasks "$work/$run.json" --size 48 --batch 16 --epochs 100000 "$1" |
    blades-train -q --arch resnet18 --width 0.25 --embedding-dim 32 --text-layers 1 --text-width 32 --lr 1e-3 \
      --steps "$4" --log "$work/$run.log" -o "$work/$run.safetensors"
  printf '%s %s: held-out coarse accuracy, mean of the last tenth of the steps: ' "$run" "$3"
  tail -n "$((($4 + 9) / 10))" "$work/$run.log" | sed 's/.*"validation_accuracy":\([0-9.]*\).*/\1/' |
    awk '{ sum += $1 } END { printf "%.3f\n", sum / NR }'
done
