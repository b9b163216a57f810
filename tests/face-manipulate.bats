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
  [[ "$stderr" == *"1 photo, 1 face, 2 variants"* && "$stderr" == *"1 face without landmarks"* ]]
  [[ "$stderr" == *"mouth-vflip left out of 1 face: 1 without landmarks for it"* ]]
  # mouth outside the crop, no mouth in the scheme, no landmarks
  cat >photo <<'END'
{"id":"drawn/000000.jpg","faces":[{"box":[10,10,50,50],"scheme":"5","landmarks":[20,30,40,30,30,40,1,60,63,60]},{"box":[10,10,50,50],"scheme":"7","landmarks":[30,40,20,30,40,30,1,1,1,1,1,1,1,1]},{"box":[10,10,50,50]}]}
END
  "$make_faces" photos <photo >few.msgpack
  run --separate-stderr face-manipulate few.msgpack -o out
  assert_status 0
  [[ "$stderr" == *"mouth-hflip left out of 3 faces: 2 without landmarks for it, 1 with its landmarks outside the crop"* ]]
  [[ "$stderr" == *"eye-hflip left out of 1 face: 1 without landmarks for it"* ]]
  run --separate-stderr face-manipulate --variants sampled --epochs 200 few.msgpack -o out
  assert_status 0
  # of eight draws two of the first faces', and three of the last's, become warps; one is a warp anyway
  warps=$(stream-dump out | grep -c '"manipulation":"warp"')
  became=$(($(grep -o 'became a warp in [0-9]* draws' <<<"$stderr" | grep -o '[0-9]*' | paste -sd+)))
  [ "$became" -gt 140 ] && [ "$became" -lt 210 ]
  [ $((warps - became)) -gt 50 ] && [ $((warps - became)) -lt 100 ]
  exif-extract -q drawn/*.jpg | { run --separate-stderr face-manipulate -o out; assert_status 0
    [[ "$stderr" == *"1 photo without faces"* ]]; }
}

@test "a byte of a path that is no UTF-8 is a question mark in the trace, and what is stays" {
  drawn 1
  ln -s drawn $'d\xc3\xa9\xffn'
  perl -pe 's/drawn/d\xc3\xa9\xffn/g' located.msgpack | face-manipulate -q --trace trace -o out
  grep -q '"path":"dé?n/000000.jpg"' trace
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

@test "the orientation is the one that exif-extract finds, wherever a file says it" {
  mkdir t
  face-synth -q -n 1 --size 64 -o drawn
  "$make_faces" stripped drawn/000000.jpg t/plain.jpg
  "$make_faces" oriented t
  rm t/plain.jpg
  exif-extract -q t/* >photos.msgpack
  stream-dump photos.msgpack | tail -n +2 >records
  [ "$(grep -c '"orientation":6' records)" = 11 ]
  # by the record, and by the file alone
  python3 - <<'END'
import json
with open("with", "w") as a, open("without", "w") as b:
    for row in map(json.loads, open("records")):
        row = {"id": row["id"], "path": row["path"], "orientation": 6, "faces": [{"box": [4, 4, 30, 34]}]}
        a.write(json.dumps(row) + "\n")
        del row["orientation"]
        b.write(json.dumps(row) + "\n")
END
  for records in with without; do
    "$make_faces" photos <$records | face-manipulate -q --trace trace.$records -o out.$records
    [ "$(grep '/photographic"' trace.$records | grep -c '"orientation":6')" = 11 ]
  done
  cmp out.with out.without
  # a record's own orientation counts more than the file's
  sed 's/"orientation": 6/"orientation": 8/' with | "$make_faces" photos | face-manipulate -q --trace trace -o out
  [ "$(grep '/photographic"' trace | grep -c '"orientation":8')" = 11 ]
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
  sed 's/.*"path":"\([^"]*\)".*/{"id":"\1"}/' h.json | "$make_faces" photos >photos.msgpack
  face-locate -q -a h.json photos.msgpack -o located.msgpack
  limit=$((1 << 20)) # KiB of address space; the sanitizers need more than there is
  case $(command -v face-manipulate) in */sanitize/*) limit=unlimited ;; esac
  run bash -c "ulimit -v $limit -t 8; face-manipulate -q -j1 located.msgpack -o out"
  assert_status 65
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
  # the sides swapped: boxes are in pixels as stored
  mkdir t
  "$make_faces" turned t
  echo '{"id":"t/turned1.png","width":160,"height":120,"faces":[{"box":[10,10,90,90]}]}' | "$make_faces" photos >swapped
  run face-manipulate -q swapped -o out
  assert_status 65
  stream-dump out | grep -q 'is 120 x 160 pixels, but its record says 160 x 120'
}

@test "a region too small for a mask is left out, and the face's other variants are made" {
  face-synth -q -n 1 --size 128 -o drawn
  python3 - >photo <<'END'
import json
print(json.dumps({"id": "drawn/000000.jpg", "faces": [{"box": [30, 30, 90, 90], "scheme": "68", "landmarks": [60.0] * 136}]}))
END
  "$make_faces" photos <photo >located.msgpack
  run --separate-stderr face-manipulate --size 448 --nose located.msgpack -o out
  assert_status 0
  [ "$(stream-dump --count out)" = "2 records, 0 errors" ]
  [[ "$stderr" == *"mouth-vflip left out of 1 face: 1 with too small a region"*"nose-flip left out of 1 face"* ]]
  face-manipulate -q --size 448 --variants sampled --per-face 12 --coding png located.msgpack -o out
  [ "$(stream-dump --count out)" = "12 records, 0 errors" ]
  face-manipulate -q --size 224 located.msgpack -o out
  [ "$(stream-dump --count out)" = "5 records, 0 errors" ]
}

@test "a face does not depend on the faces beside it" {
  face-synth -q -n 1 --size 256 -o drawn
  echo '{"id":"drawn/000000.jpg","faces":[{"box":[40,40,104,104]},{"box":[54,40,118,104]},{"box":[40,54,104,118]},{"box":[8,8,248,248]}]}' >several
  "$make_faces" photos <several | face-manipulate -q --size 64 --working-size 64 -o together
  for i in 1 2 3; do
    python3 -c 'import json
row = json.load(open("several"))
row["faces"] = [row["faces"]['$i']]
print(json.dumps(row))' | "$make_faces" photos | face-manipulate -q --size 64 --working-size 64 -o alone
    cmp <(pixels "#$i/photographic" together) <(pixels "#0/photographic" alone)
  done
}

@test "faces and draws of a photo come in pieces: the same bytes, in little memory" {
  face-synth -q -n 1 --size 128 -o drawn
  exif-extract -q drawn/*.jpg | face-locate -q -a drawn/annotations.jsonl -o located.msgpack
  python3 - >many <<'END'
import json
faces = [{"box": [i % 20, i // 20, 100 + i % 20, 100 + i // 20]} for i in range(400)]
faces[70]["box"] = [500, 500, 600, 600]
print(json.dumps({"id": "drawn/000000.jpg", "faces": faces}))
END
  "$make_faces" photos <many >many.msgpack
  limit=$((400 << 10)) # KiB of address space; all of it takes more
  case $(command -v face-manipulate) in */sanitize/*) limit=unlimited ;; esac
  for threads in 1 2; do
    (ulimit -v $limit; face-manipulate -q --max-errors 1 -j$threads --no-provenance --size 448 --trace trace.$threads many.msgpack |
      cksum >faces.$threads)
    (ulimit -v $limit; face-manipulate -q -j$threads --no-provenance --epochs 300 --per-face 2 --size 300 --trace draws.trace.$threads \
      --sheet draws.$threads.png --nose located.msgpack | cksum >draws.$threads)
  done
  cmp faces.1 faces.2
  cmp trace.1 trace.2
  cmp draws.1 draws.2
  cmp draws.trace.1 draws.trace.2
  cmp draws.1.png draws.2.png
  [ "$(wc -l <trace.1)" = $((399 * 2)) ]
  [ "$(wc -l <draws.trace.1)" = $((1 + 5 * 600)) ]
  face-manipulate -q --size 300 --nose --sheet whole.png located.msgpack -o whole
  cmp whole.png draws.1.png
}

@test "an error of a photo or a face in pieces is said once" {
  face-synth -q -n 1 --size 128 -o drawn
  head -c 4000 drawn/000000.jpg >cut.jpg
  for photo in cut.jpg missing.jpg; do
    echo '{"id":"'$photo'","faces":[{"box":[30,30,90,90]},{"box":[130,30,190,90]}]}' | "$make_faces" photos >located.msgpack
    for threads in 1 3; do
      face-manipulate -q --max-errors 9 -j$threads --no-provenance --size 448 --epochs 100 --variants sampled located.msgpack \
        -o $photo.$threads
    done
    cmp $photo.1 $photo.3
  done
  [ "$(stream-dump --count cut.jpg.1)" = "0 records, 2 errors" ]
  [ "$(stream-dump --count missing.jpg.1)" = "0 records, 1 errors" ]
}

@test "embed takes and refuses the faces that face-manipulate takes and refuses" {
  load fixture
  fixture
  python3 - <<'END'
import json
name = sorted(__import__("os").listdir("photos"))[0]
box, photo = [10, 10, 80, 80], {"id": "p", "path": "photos/" + name}
rows = [{"faces": [{"box": [i % 9, i // 90, 60 + i % 9, 70 + i // 90]} for i in range(1003)]},
        {"width": 192, "height": 192, "faces": [{"box": box}]}, {"faces": [{"box": box, "landmarks": [1, 2, 3]}]},
        {"faces": [{"landmarks": [30, 30, 60, 30, 45, 50, 35, 60, 55, 60], "scheme": "5"}]}, {"faces": "x"},
        {"faces": [{"box": box}, "x"]}, {"faces": [{"box": [10, 10, 10, 80]}]}, {"faces": []}, {}]
with open("rows", "w") as f:
    for i, row in enumerate(rows):
        f.write(json.dumps({**photo, "id": f"p{i}", **row}) + "\n")
    f.write(json.dumps({"id": photo["path"], "faces": [{"box": box}]}) + "\n")
END
  "$make_faces" photos <rows >rows.msgpack
  face-manipulate -q --max-errors 99 --size 32 --working-size 32 rows.msgpack -o made
  embed -q --max-errors 99 -m model.safetensors rows.msgpack -o embedded
  stream-dump embedded | tail -n +2 | grep '"type":"embedding"' | sed 's/.*"id":"\([^"]*\)".*/\1/' >taken
  stream-dump made | sed -n 's/.*"id":"\([^"]*\)\/photographic".*/\1/p' | cmp - taken
  [ "$(grep -c '^p0#' taken)" = 1003 ]
  # a photo that is an error is one record here, and there one for each of its faces
  stream-dump made | grep '"type":"error"' | sed 's/.*"reason":"\([^"]*\)".*/\1/' >reasons
  stream-dump embedded | grep '"type":"error"' | sed 's/.*"reason":"\([^"]*\)".*/\1/' | cmp - reasons
  [ "$(wc -l <reasons)" = 5 ]
}

@test "a photo without an id that is a text is an error record" {
  face-synth -q -n 1 --size 64 -o drawn
  for id in '' '"id":7,' '"id":"",'; do
    echo "{$id"'"path":"drawn/000000.jpg","faces":[{"box":[10,10,50,50]}]}' | "$make_faces" photos >one.msgpack
    run face-manipulate -q one.msgpack -o out
    assert_status 65
    [ "$(stream-dump --count out)" = "0 records, 1 errors" ]
    stream-dump out | grep -q '"reason":"no id"'
  done
}

@test "wrong boxes and landmarks are errors of their face alone" {
  face-synth -q -n 1 --size 64 -o drawn
  printf '{"path":"000000.jpg","faces":[{"box":[70,10,90,30]},{"box":[10,10,50,50]},{"box":[30,10,30.4,10.4]}]}\n' >a.json
  exif-extract -q drawn/*.jpg | face-locate -q -a a.json | face-manipulate -q --max-errors 2 -o out
  [ "$(stream-dump --count out)" = "2 records, 2 errors" ]
  stream-dump out | grep '#0"' | grep -q 'outside the image of 64 x 64'
  stream-dump out | grep '#2"' | grep -q 'has no whole pixel'
  located drawn/000000.jpg 30,30,33,33
  run face-manipulate -q --scale 0.1 located.msgpack -o out
  assert_status 65
  stream-dump out | grep -q 'times 0.1 has no whole pixel of the image of 64 x 64'
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
