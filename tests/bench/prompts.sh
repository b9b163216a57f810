#!/bin/sh
# 50 prompts, forward + backward: ours beside PyTorch's on 77 tokens each. Usage: tests/bench/prompts.sh BENCH_FOLDER
set -eu
ours=$("$1/prompts_bench" examples/tasks/reference.json 9)
theirs=$(tests/bench/prompts_pytorch.py 2)
echo "$ours $theirs" | awk '{
  printf "50 prompts, forward + backward: %.0f ms; PyTorch, 77 tokens each: %.0f ms; %.1f times as fast (expected: 12)\n", $1, $3, $3 / $1
  printf "50 prompts, directional derivative: %.0f ms\n", $2 }'
