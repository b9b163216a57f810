#!/bin/bash
# Reading metadata of a few thousand files, side by side: exif-extract on one thread, exiftool, exiv2, and a program that
# only opens each file and reads its first 64 KiB. Warm cache; medians of several rounds, taken in turn.
# Usage: tests/bench/exif.sh OPEN_READ_PROGRAM [FILES]    (real files from $BLADES_DATA/exif, else small files made here)
set -eu
open_read=$1 wanted=${2:-3000} rounds=5
root=$(cd "$(dirname "$0")/../.." && pwd)
export PATH="${BLADES_BIN:-$root/build/bin}:$PATH"
BLADES_DATA=${BLADES_DATA-$root/../shared/data}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/seeds" "$work/photos"

# Only files that all programs read, so that nobody gains by giving up early.
usable() { exif-extract -q "$1" >/dev/null 2>&1 && exiv2 -q "$1" >/dev/null 2>&1; }
if [ -d "$BLADES_DATA/exif" ]; then
  n=0
  while read -r file; do
    if usable "$file"; then cp "$file" "$work/seeds/$((n += 1)).jpg"; fi
  done < <(find "$BLADES_DATA/exif" -iname '*.jpg' | LC_ALL=C sort)
else
  /usr/bin/python3 "$root/tests/exif_files.py" "$work/made"
  cp "$work"/made/{plain,big-endian,after-xmp,after-large-icc,maker-note}.jpg "$work/seeds"
fi
seeds=("$work"/seeds/*)
for ((i = 0; i < wanted; i++)); do cp "${seeds[i % ${#seeds[@]}]}" "$work/photos/$i.jpg"; done
find "$work/photos" -type f >"$work/files"

run() {
  case $1 in
    read) "$open_read" <"$work/files" ;;
    exif-extract) exif-extract -q -j1 --no-provenance --files-from "$work/files" ;;
    exiv2) xargs exiv2 -q <"$work/files" ;;
    exiftool) exiftool -q -q -fast2 -j -@ "$work/files" ;;
  esac >"$work/out.$1" 2>/dev/null || true
}
measure() { # PROGRAM: seconds of one run are added to its list
  local start end
  start=$(date +%s.%N)
  run "$1"
  end=$(date +%s.%N)
  awk -v a="$start" -v b="$end" 'BEGIN { print b - a }' >>"$work/time.$1"
}
for program in read exif-extract exiv2; do run $program; done
for ((round = 0; round < rounds; round++)); do
  for program in read exif-extract exiv2; do measure $program; done
done
measure exiftool

median() { sort -n "$work/time.$1" | awk '{t[NR] = $1} END {print t[int((NR + 1) / 2)]}'; }
ours=$(median exif-extract)
printf '%d files, %d different ones, one thread, warm cache\n' "$wanted" ${#seeds[@]}
printf '%-28s %10s %12s %14s\n' program seconds 'us a file' 'x exif-extract'
for program in read exif-extract exiv2 exiftool; do
  awk -v name=$program -v t="$(median $program)" -v ours="$ours" -v n="$wanted" \
    'BEGIN { printf "%-28s %10.3f %12.1f %14.2f\n", name == "read" ? "open and read 64 KiB" : name, t, 1e6 * t / n, t / ours }'
done
echo 'expected: exiftool at least 100, exiv2 at least 5, open and read at least 0.5'
