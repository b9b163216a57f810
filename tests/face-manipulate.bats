# face-manipulate: crops, variants, choices, hostile photos.

setup() {
  load helper
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_TMPDIR"
  make_faces="$BLADES_ROOT/tests/faces_make"
}

drawn() { # COUNT: located.msgpack of drawn photos
  face-synth -q -n "$1" --size 128 -o drawn
  exif-extract -q drawn/*.jpg | face-locate -q -a drawn/annotations.jsonl -o located.msgpack
}

located() { # FILE BOX: located.msgpack of one photo with one box and no landmarks
  printf '{"path":"%s","faces":[{"box":[%s]}]}\n' "$1" "$2" >one.json
  exif-extract -q --max-errors 9 "$1" | face-locate -q -a one.json -o located.msgpack
}

pixels() { # ID-SUFFIX FILE: the pixels' bytes of a record
  stream-dump --base64 "$2" | python3 -c '
import base64, json, sys
for line in sys.stdin:
    record = json.loads(line)
    if record.get("id", "").endswith(sys.argv[1]):
        sys.stdout.buffer.write(base64.b64decode(record["pixels"]["base64"]))' "$1"
}

@test "writes five variants of a face, six with the nose" {
  drawn 2
  face-manipulate -q located.msgpack -o five.msgpack
  face-manipulate -q --nose located.msgpack -o six.msgpack
  [ "$(stream-dump --count five.msgpack)" = "10 records, 0 errors" ]
  stream-dump six.msgpack | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin][1:]
want = [("photographic", []), ("mouth-vflip", ["mouth"]), ("mouth-hflip", ["mouth"]), ("eye-hflip", ["eye"]),
        ("nose-flip", ["nose"]), ("warp", ["mouth", "eye", "nose"])]
assert [(r["manipulation"], r["regions"]) for r in rows] == want * 2
for i, r in enumerate(rows):
    assert r["photo"] == f"drawn/{i // 6:06}.jpg" and r["face"] == 0 and r["label"] == "photographic"
    assert r["id"] == r["photo"] + "#0/" + r["manipulation"]
    assert (r["width"], r["height"], r["coding"], r["pixels"]["bytes"]) == (224, 224, "raw", 224 * 224 * 3)
    assert r["exif"]["make"] and "faces" not in r and "exif_raw" not in r'
}

@test "gives the same bytes for any number of threads, and the same choices in any order" {
  drawn 6
  face-manipulate -q -j1 --no-provenance --nose --trace one.trace --sheet one.png located.msgpack -o one
  face-manipulate -q -j3 --no-provenance --nose --trace three.trace --sheet three.png located.msgpack -o three
  cmp one three
  cmp one.trace three.trace
  cmp one.png three.png
  exif-extract -q drawn/000004.jpg drawn/000001.jpg | face-locate -q -a drawn/annotations.jsonl |
    face-manipulate -q --nose --trace two.trace -o two
  [ "$(wc -l <two.trace)" = 12 ]
  ! grep -vxFf one.trace two.trace || false
  face-manipulate -q --seed 1 --trace seed.trace located.msgpack -o seed
  [ "$(grep -cxFf one.trace seed.trace)" -lt 20 ]
}

@test "gives the same bytes on every level of processor features" {
  drawn 3
  for options in "--nose --masks" "--size 61 --working-size 97 --warp affine --resampling bilinear"; do
    BLADES_CPU=generic face-manipulate -q --no-provenance $options located.msgpack -o wanted
    [ "$(stream-dump --count wanted)" != "0 records, 0 errors" ]
    for level in avx2 avx512; do
      BLADES_CPU=$level face-manipulate -q --no-provenance $options located.msgpack -o got
      cmp wanted got
    done
  done
}

@test "draws half photographic, and warps for faces without landmarks" {
  face-synth -q -n 1 --size 64 -o drawn
  located drawn/000000.jpg 10,10,50,50
  face-manipulate -q --variants sampled --epochs 20 --per-face 5 --size 16 located.msgpack | stream-dump >got
  python3 - <<'END'
import json
from collections import Counter
rows = [json.loads(line) for line in open("got")][1:]
count = Counter(r["manipulation"] for r in rows)
assert set(count) == {"photographic", "warp"} and sum(count.values()) == 100 and 30 < count["warp"] < 70, count
assert [r["epoch"] for r in rows] == [i // 5 for i in range(100)]
assert [r["id"] for r in rows] == [f"drawn/000000.jpg#0/{r['manipulation']}@{i}" for i, r in enumerate(rows)]
END
}

@test "says what it leaves out" {
  face-synth -q -n 1 --size 64 -o drawn
  located drawn/000000.jpg 10,10,50,50
  run --separate-stderr face-manipulate located.msgpack -o out
  assert_status 0
  [[ "$stderr" == *"1 photos, 1 faces, 2 variants"* && "$stderr" == *"1 faces have no landmarks"* ]]
  [[ "$stderr" == *"mouth-vflip left out of 1 faces"* ]]
  exif-extract -q drawn/*.jpg | { run --separate-stderr face-manipulate -o out; assert_status 0
    [[ "$stderr" == *"1 photos have no faces"* ]]; }
}

@test "orientation turns pixels and annotations alike" {
  mkdir t
  "$make_faces" turned t
  exif-extract -q t/*.png | face-locate -q -a t/turned.json | face-manipulate -q --nose --trace trace -o out
  for manipulation in photographic mouth-vflip eye-hflip nose-flip; do
    python3 - "$manipulation" <<'END'
import json, sys
rows = [json.loads(line) for line in open("trace")]
rows = [r for r in rows if r["manipulation"] == sys.argv[1]]
assert [r["orientation"] for r in rows] == list(range(1, 9))
for r in rows:
    assert r["box"] == rows[0]["box"] and r["crop"] == rows[0]["crop"] and r.get("region") == rows[0].get("region")
    assert all(abs(a - b) < 1e-9 for a, b in zip(r["landmarks"], rows[0]["landmarks"]))
END
  done
  pixels "turned1.png#0/photographic" out >first
  [ "$(stat -c %s first)" = 150528 ]
  for i in 2 3 4 5 6 7 8; do
    pixels "turned$i.png#0/photographic" out >other
    # one grey level of rounding: the axes are resampled in another order
    python3 -c 'a, b = open("first", "rb").read(), open("other", "rb").read()
assert len(a) == len(b) and max(abs(x - y) for x, y in zip(a, b)) <= 1' 
  done
}

@test "alpha is dropped, 16 bits are rounded, grey is repeated" {
  mkdir o
  "$make_faces" odd o
  face-of() { located "$1" 0,0,64,64; face-manipulate -q --scale 1 --size 64 --working-size 64 located.msgpack -o out; pixels /photographic out; }
  face-of o/rgb.png >rgb
  [ "$(stat -c %s rgb)" = $((64 * 64 * 3)) ]
  for file in rgba rgb16; do
    face-of o/$file.png >got
    cmp rgb got
  done
  face-of o/grey.png >got
  face-of o/greyrgb.png >wanted
  cmp got wanted
}

@test "PNG coding holds the same pixels; sheets are PNGs of the right size" {
  drawn 2
  face-manipulate -q located.msgpack -o raw
  face-manipulate -q --coding png --sheet sheet.png --sheet-rows 1 located.msgpack -o png
  pixels 000001.jpg#0/mouth-hflip raw >wanted
  pixels 000001.jpg#0/mouth-hflip png >coded.png
  python3 - <<'END'
import struct, zlib
def read(path):
    data = open(path, "rb").read()
    width, height = struct.unpack(">II", data[16:24])
    at, idat = 8, b""
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        idat += data[at + 8:at + 8 + n] if kind == b"IDAT" else b""
        at += n + 12
    return width, height, zlib.decompress(idat)
width, height, rows = read("coded.png")
above, out = bytes(3 * width), []
for y in range(height):
    kind, row = rows[y * (3 * width + 1)], bytearray(rows[y * (3 * width + 1) + 1:(y + 1) * (3 * width + 1)])
    for i in range(3 * width):
        a, b, c = (row[i - 3] if i > 2 else 0), above[i], (above[i - 3] if i > 2 else 0)
        p = a + b - c
        paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        row[i] = (row[i] + (0, a, b, (a + b) // 2, paeth)[kind]) % 256
    out.append(bytes(row))
    above = row
assert b"".join(out) == open("wanted", "rb").read()
assert read("sheet.png")[:2] == (5 * 228 + 4, 228 + 4)
END
}

@test "all variants take the same way to a smaller size" {
  drawn 1
  face-manipulate -q --size 64 located.msgpack -o small
  [ "$(pixels /photographic small | wc -c)" = $((64 * 64 * 3)) ]
  stream-dump small | head -1 | grep -q '"preprocessing":{"size":64,"working_size":224,"scale":1.3'
  run face-manipulate --size 300 --working-size 224 located.msgpack -o out
  assert_status 64
}

@test "hostile images become error records at once and in little memory" {
  mkdir h
  "$make_faces" hostile h
  for file in bomb.jpg bomb.png lie.png bomb.webp scans.jpg text.jpg empty.jpg missing.jpg; do
    printf '{"path":"h/%s","faces":[{"box":[10,10,50,50]}]}\n' $file
  done >h.json
  python3 - <<'END' >photos.msgpack
import json, sys
def text(s): return bytes([0xd9, len(s)]) + s.encode()
out = b"\x83" + text("type") + text("header") + text("blades") + b"\1" + text("kind") + text("photo")
lines = [json.loads(line) for line in open("h.json")]
for line in lines:
    out += b"\x82" + text("type") + text("photo") + text("id") + text(line["path"])
out += b"\x83" + text("type") + text("trailer") + text("records") + bytes([len(lines)]) + text("errors") + b"\0"
sys.stdout.buffer.write(out)
END
  face-locate -q -a h.json photos.msgpack -o located.msgpack
  limit=$((1 << 20)) # KiB of address space; the sanitizers need more than there is
  case $(command -v face-manipulate) in */sanitize/*) limit=unlimited ;; esac
  start=$(date +%s)
  run bash -c "ulimit -v $limit; face-manipulate -q -j1 located.msgpack -o out"
  assert_status 65
  [ $(($(date +%s) - start)) -le 8 ]
  [ "$(stream-dump --count out)" = "0 records, 8 errors" ]
  stream-dump out >got
  grep bomb.jpg got | grep -q 'dimension is 65500'
  grep bomb.png got | grep -q 'claims 65535 x 65535 pixels'
  grep scans.jpg got | grep -q 'more scans'
  grep lie.png got | grep -q 'claims 9000 x 9000 pixels in only'
}

@test "a photo cut short, or of another size than its record says, is an error record" {
  face-synth -q -n 1 --size 128 -o drawn
  located drawn/000000.jpg 30,30,90,90
  size=$(stat -c %s drawn/000000.jpg)
  for part in 3 5 7 9; do
    cp drawn/000000.jpg whole.jpg
    truncate -s $((size * part / 10)) drawn/000000.jpg
    run face-manipulate -q located.msgpack -o out
    assert_status 65
    [ "$(stream-dump --count out)" = "0 records, 1 errors" ]
    cp whole.jpg drawn/000000.jpg
  done
  face-synth -q -n 1 --size 96 -o drawn
  run face-manipulate -q located.msgpack -o out
  assert_status 65
  stream-dump out | grep -q 'is 96 x 96 pixels, but its record says 128 x 128'
}

@test "wrong boxes and landmarks are errors of their face alone" {
  face-synth -q -n 1 --size 64 -o drawn
  printf '{"path":"000000.jpg","faces":[{"box":[70,10,90,30]},{"box":[10,10,50,50]},{"box":[30,10,30,40]}]}\n' >a.json
  exif-extract -q drawn/*.jpg | face-locate -q -a a.json | face-manipulate -q --max-errors 2 -o out
  [ "$(stream-dump --count out)" = "2 records, 2 errors" ]
  stream-dump out | grep '#0"' | grep -q 'outside the image of 64 x 64'
  stream-dump out | grep '#2"' | grep -q 'is empty'
}

@test "traces say enough for the numbers in the manual" {
  drawn 1
  face-manipulate -q --nose --trace trace --warp affine located.msgpack -o out
  python3 - <<'END'
import json
rows = {r["manipulation"]: r for r in map(json.loads, open("trace"))}
assert set(rows) == {"photographic", "mouth-vflip", "mouth-hflip", "eye-hflip", "nose-flip", "affine"}
for name, row in rows.items():
    marks = row["landmarks"]
    if "line" in row:
        x0, y0, x1, y1 = row["line"]
        n = row["dilations"]
        want = [min(x0, x1) - 1 - n, min(y0, y1) - 1 - n, max(x0, x1) + 2 + n, max(y0, y1) + 2 + n]
        assert row["region"] == [max(0, v) if i < 2 else min(224, v) for i, v in enumerate(want)]
        assert row["ratio"] in (.75, 1)
    if name.startswith("mouth"):
        assert row["line"] == [int(marks[96]), int(marks[97]), int(marks[108]), int(marks[109])]
        assert row["dilations"] == int(row["length"] // 3) and row["mask"]["first_blur"] == [91, 7]
    if name == "nose-flip":
        assert row["mask"]["first_blur"] == [15, 2]
assert rows["mouth-vflip"]["flip"] == "rotate" and rows["mouth-hflip"]["flip"] == "horizontal"
assert len(rows["affine"]["matrix"]) == 6
END
}

@test "real photographs are manipulated" {
  need_data train/annotations.jsonl
  exif-extract -q "$BLADES_DATA"/train/{congress,stock}/000[1-3].jpg |
    face-locate -q -a "$BLADES_DATA/train/annotations.jsonl" | face-manipulate -q -o out
  [ "$(stream-dump --count out)" = "30 records, 0 errors" ]
}

@test "malformed photographs end as error records or faces" {
  need_data malformed
  find "$BLADES_DATA/malformed" -type f | sort | awk 'NR % 6 == 0' >list
  exif-extract -q --max-errors 9999 --files-from list | face-locate -q --whole | {
    run face-manipulate -q --max-errors 9999 -o out
    assert_status 0
  }
  stream-dump --verify out
}
