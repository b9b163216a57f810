#!/bin/sh
# Scores many images in shards, as a scheduler would: each shard is a stream of its own, cat makes them one again.
# Usage: examples/shards.sh MODEL DETECTOR FOLDER SHARDS >scores.msgpack    (the tools must be on PATH)
set -eu

[ $# = 4 ] || { echo "usage: shards.sh MODEL DETECTOR FOLDER SHARDS" >&2; exit 64; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
find "$3" -type f -name '*.jpg' | LC_ALL=C sort >"$work/all"
split -n "r/$4" "$work/all" "$work/shard-"

# Outputs appear complete or not at all, so a shard that is there is done.
# Images that fail become error records, which evaluate counts; 1000 of them are no reason to stop.
# shellcheck disable=SC2016  # the inner shell expands
find "$work" -name 'shard-*' | LC_ALL=C sort | xargs -I{} -P 2 sh -c '
  [ -s "$2.embeddings" ] || embed -q -j 1 --max-errors 1000 -m "$1" --files-from "$2" -o "$2.embeddings"' sh "$1" {}

cat "$work"/shard-*.embeddings | score -q -d "$2"
