#!/bin/sh
# Scores many images in shards, as a scheduler would: each shard is a stream of its own, cat makes them one again.
# Usage: examples/shards.sh MODEL DETECTOR FOLDER SHARDS WORK >scores.msgpack    (the tools must be on PATH)
# The lists and the embeddings of the shards stay in the folder WORK: run again, it goes on where it was stopped.
set -eu

[ $# = 5 ] || { echo "usage: shards.sh MODEL DETECTOR FOLDER SHARDS WORK" >&2; exit 64; }
model=$1 detector=$2 folder=$3 shards=$4 work=$5
for input in "$model" "$detector" "$folder"; do
  [ -r "$input" ] || { echo "shards.sh: $input: cannot be read" >&2; exit 66; }
done
mkdir -p "$work"
find "$folder/" -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' -o -iname '*.webp' \) -print0 |
  LC_ALL=C sort -z >"$work/images"
[ -s "$work/images" ] || { echo "shards.sh: $folder: no JPEG, PNG or WebP file in it" >&2; exit 66; }

# What is in WORK must be of the same images, shards and model.
{ echo "$shards"; cksum <"$model"; cat "$work/images"; } >"$work/wanted"
if [ ! -e "$work/begun" ]; then
  split -t '\0' -e -n "r/$shards" "$work/images" "$work/shard-"
  mv "$work/wanted" "$work/begun"
fi
[ ! -e "$work/wanted" ] || cmp -s "$work/wanted" "$work/begun" ||
  { echo "shards.sh: $work: begun with other images, shards or another model; name another folder" >&2; exit 65; }

# Outputs appear complete or not at all, so a shard that is there is done.
# Images that fail become error records, which evaluate counts; 1000 of them are no reason to stop.
# shellcheck disable=SC2016  # the inner shell expands
find "$work" -name 'shard-*' ! -name '*.*' -print0 | LC_ALL=C sort -z | xargs -0 -I{} -P 2 sh -c '
  [ -s "$2.embeddings" ] || embed -q -j 1 --max-errors 1000 -m "$1" -0 --files-from "$2" -o "$2.embeddings"' sh "$model" {}

cat "$work"/shard-*.embeddings | score -q -d "$detector"
