#!/bin/bash
# Shuffles and batches a file of noise faces; prints peak memory and speed beside those of cat of the same file and of
# a program that does nothing but read it once more in random order, as every shuffle must: what the disk gives.
# batch.sh PRETEXT_BATCH [FACES [SIZE]]: 100000 faces of 128 pixels need 5 GB in $TMPDIR (default /tmp).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tool=$1 faces=${2:-100000} size=${3:-128}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

echo "making $faces faces of $size x $size pixels ..."
"$here/../faces_stream" "$faces" "$size" >"$folder/faces.msgpack"
sync "$folder/faces.msgpack"
bytes=$(stat -c %s "$folder/faces.msgpack")

timed() { # NAME COMMAND...: seconds, MB of the file a second, peak memory
  local name=$1
  shift
  [ -z "$cold" ] || dd of="$folder/faces.msgpack" oflag=nocache conv=notrunc,fdatasync count=0 2>/dev/null
  /usr/bin/python3 - "$name" "$bytes" "$@" <<'END'
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(sys.argv[3:], stdout=subprocess.DEVNULL, check=True)
seconds = time.monotonic() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"{sys.argv[1]:34} {seconds:7.2f} s {float(sys.argv[2]) / 1e6 / seconds:8.0f} MB/s  peak {peak:6.1f} MiB")
END
}

cat >"$folder/random_reads.py" <<'END'
import os, random, sys
file = os.open(sys.argv[1], os.O_RDONLY)
count, ahead = int(sys.argv[2]), 192
size = os.fstat(file).st_size // count
places = [i * size for i in range(count)]
buffer = [bytearray(1 << 20)]
if len(sys.argv) > 3:  # to find the records all of it is read once
    while os.readv(file, buffer):
        pass
random.Random(1).shuffle(places)
buffer = [bytearray(size)]
for i, place in enumerate(places):
    if i + ahead < count:
        os.posix_fadvise(file, places[i + ahead], size, os.POSIX_FADV_WILLNEED)
    os.preadv(file, buffer, place)
END

for cold in yes ""; do
  if [ -n "$cold" ]; then echo "-- file on disk"; else echo "-- file in the page cache"; fi
  timed "cat" sh -c 'cat "$1" | cat >/dev/null' sh "$folder/faces.msgpack"
  timed "records in random order" /usr/bin/python3 "$folder/random_reads.py" "$folder/faces.msgpack" "$faces"
  timed "all once, then in random order" /usr/bin/python3 "$folder/random_reads.py" "$folder/faces.msgpack" "$faces" twice
  timed "pretext-batch, no validation" "$tool" -q --tasks "$here/../../examples/tasks/small.json" \
    --val-fraction 0 -o /dev/null "$folder/faces.msgpack"
  timed "pretext-batch, with validation" "$tool" -q \
    --tasks "$here/../../examples/tasks/small.json" -o /dev/null "$folder/faces.msgpack"
done
