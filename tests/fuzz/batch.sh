#!/bin/sh
# Mutations of small face streams and of the task files that ship. Run from the root of the repository by "make fuzz".
set -eu
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
tests/faces_stream 3 2 photographic warp >"$seeds/faces"
BROKEN=1 tests/faces_stream 4 2 photographic warp >"$seeds/broken"
"$BLADES_BUILD/fuzz/fuzz_batch" "${FUZZ_ROUNDS:-2000}" "$seeds/faces" "$seeds/broken"
"$BLADES_BUILD/fuzz/fuzz_tasks" "${FUZZ_ROUNDS:-2000}" examples/tasks/*.json
