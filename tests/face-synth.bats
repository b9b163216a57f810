# face-synth: drawn faces, simulated cameras, stand-ins.

setup() {
  load helper
  cd "$BATS_TEST_TMPDIR"
}

@test "writes the pictures and a line of annotations for each" {
  run face-synth -n 5 --first 7 --size 64 -o a
  assert_status 0
  [ "$(ls a)" = "$(printf '%06d.jpg\n' 7 8 9 10 11; echo annotations.jsonl)" ]
  python3 - <<'END'
import json
rows = [json.loads(line) for line in open("a/annotations.jsonl")]
assert [row["path"] for row in rows] == ["%06d.jpg" % i for i in range(7, 12)]
for row in rows:
    assert row["label"] == "photographic" and row["source"] == "drawn" and row["upright"] is True
    face, = row["faces"]
    marks = face["landmarks"]
    assert face["scheme"] == "68" and len(marks) == 136 and all(-8 < v < 72 for v in marks)
    x0, y0, x1, y1 = face["box"]
    assert 0 <= x0 < x1 <= 64 and 0 <= y0 < y1 <= 64 and 28 < x1 - x0 < 52
    assert marks[2 * 36] < marks[2 * 39] < marks[2 * 42] < marks[2 * 45]  # eyes, left to right
    assert marks[2 * 27 + 1] < marks[2 * 33 + 1] < marks[2 * 57 + 1] < marks[2 * 8 + 1]  # nose, mouth, chin
END
}

@test "gives the same bytes for any number of threads and any part of the numbers" {
  face-synth -q -n 6 --size 64 -j 1 -o one
  face-synth -q -n 6 --size 64 -j 3 -o three
  diff -r one three
  face-synth -q -n 2 --first 3 --size 64 -o part
  cmp part/000003.jpg one/000003.jpg
  cmp part/000004.jpg one/000004.jpg
}

@test "another seed draws other pictures" {
  face-synth -q -n 1 --size 64 -o a
  face-synth -q -n 1 --size 64 --seed 1 -o b
  ! cmp -s a/000000.jpg b/000000.jpg
}

@test "photographs carry a camera's EXIF block that agrees with itself" {
  command -v exiftool >/dev/null || skip "no exiftool here"
  face-synth -q -n 40 --size 32 -o a
  exiftool -j -n -Make -Model -ISO -FNumber -ApertureValue -ExposureTime -ShutterSpeedValue -FocalLength -Flash \
    -ExposureProgram -MeteringMode -ExposureMode -WhiteBalance -SceneCaptureType -Orientation -Warning -Software a/*.jpg >exif.json
  python3 - <<'END'
import json
rows = json.load(open("exif.json"))
assert len({row["Make"] for row in rows}) >= 5 and len({row["Model"] for row in rows}) >= 8
for row in rows:
    assert "Warning" not in row, row
    assert row["Software"] == "blades face-synth" and "SIM" in row["Model"]
    assert abs(float(row["ApertureValue"]) / row["FNumber"] - 1) < 0.01
    assert abs(float(row["ShutterSpeedValue"]) / row["ExposureTime"] - 1) < 0.01
    assert 30 <= row["ISO"] <= 12800 and 3 < row["FocalLength"] < 200 and row["Orientation"] in (1, 6, 8)
    assert (row["ExposureMode"] == 1) == (row["ExposureProgram"] == 1) or row["ExposureMode"] == 2
assert len({row["Orientation"] for row in rows}) > 1
END
}

@test "stand-ins have no EXIF, are labelled, and are the size of photographs" {
  for kind in upsampler smoother blender quantiser; do
    face-synth -q -n 2 --size 96 --generator $kind -o $kind
    [ "$(grep -c "\"label\":\"generated\",\"source\":\"$kind\"" $kind/annotations.jsonl)" = 2 ]
    ! grep -q Exif $kind/000000.jpg || false
    for other in upsampler smoother blender quantiser; do
      [ $kind = $other ] || [ ! -e $other ] || ! cmp -s $kind/000000.jpg $other/000000.jpg || false
    done
  done
}

@test "a picture taken on its side stands upright once turned as its orientation says" {
  face-synth -q -n 80 --size 64 -o p
  exif-extract -q p/*.jpg | face-locate -q -a p/annotations.jsonl -o located
  stream-dump located >photos.jsonl
  face-manipulate -q --size 16 located | stream-dump --base64 >faces.jsonl
  python3 - <<'END'
import base64, json
turned = {row["id"] for row in map(json.loads, open("photos.jsonl")) if row.get("orientation", 1) != 1}
grey = {}
for row in map(json.loads, open("faces.jsonl")):
    if row["type"] == "face" and row["manipulation"] == "photographic":
        pixels = base64.b64decode(row["pixels"]["base64"])
        values = [sum(pixels[i:i + 3]) for i in range(0, len(pixels), 3)]
        mean = sum(values) / len(values)
        grey[row["photo"]] = [v - mean for v in values]
upright = [v for photo, v in grey.items() if photo not in turned]
average = [sum(column) / len(upright) for column in zip(*upright)]
dot = lambda a, b: sum(x * y for x, y in zip(a, b)) / sum(x * x for x in a) ** 0.5
likeness = [(dot(v, average), dot(v, average[::-1])) for photo, v in grey.items() if photo in turned]
print(len(grey), len(turned), likeness)
assert len(grey) == 80 and len(turned) >= 4
assert sum(a for a, b in likeness) > 1.5 * sum(b for a, b in likeness)
END
}

@test "--set adds a key to the annotations" {
  face-synth -q -n 1 --size 32 --set split=train -o a
  grep -q '"split":"train"' a/annotations.jsonl
}

@test "--set: keys that tell what a picture is, and bytes that are no text, are refused" {
  for set in label=generated upright=no a=$'\xff' $'\xff=a'; do
    run face-synth -n 1 --size 32 --set "$set" -o a
    assert_status 64
    [[ "$output" == *"--set: "* ]]
    [ ! -e a ]
  done
}

@test "annotations of an earlier run do not survive one that fails" {
  face-synth -q -n 2 --size 32 -o a
  [ -e a/annotations.jsonl ]
  rm a/000001.jpg
  mkdir a/000001.jpg
  run face-synth -q -n 2 --size 32 --seed 1 -o a
  [ "$status" != 0 ]
  [ ! -e a/annotations.jsonl ]
}

@test "no folder is 64, a folder that cannot be made 73" {
  run face-synth -n 1
  assert_status 64
  run face-synth -n 1 -o no/such/folder
  assert_status 73
  : >file
  run face-synth -n 1 --size 32 -o file
  assert_status 73
  run face-synth --generator photoshop -o a
  assert_status 64
}
