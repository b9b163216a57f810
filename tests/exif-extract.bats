# exif-extract: containers, values, metadata files, errors, limits.

setup() {
  load helper
  cd "$BATS_TEST_TMPDIR"
}

make_files() {
  /usr/bin/python3 "$BLADES_ROOT/tests/exif_files.py" made
  find made -type f ! -name expected.json | LC_ALL=C sort >list
}

records() { stream-dump | grep '"type":"\(photo\|error\)"'; }
tag() { # KEY JSON: the value of a key of the first record in it
  /usr/bin/python3 -c 'import json, sys
record = json.loads(sys.argv[2].splitlines()[0])
value = {**record, **record.get("exif", {})}.get(sys.argv[1], "missing")
print(value)' "$1" "$2"
}

@test "exif-extract reads all made files as their makers meant them" {
  make_files
  exif-extract --files-from list -o out
  stream-dump out | /usr/bin/python3 "$BLADES_ROOT/tests/exif_files.py" --check made
}

@test "exif-extract gives the same bytes for any number of threads, in input order" {
  make_files
  exif-extract -j1 --files-from list -o one
  exif-extract -j4 --files-from list -o four
  cmp one four
  stream-dump one | sed -n 's/.*"type":"photo","id":"\([^"]*\)".*/\1/p' | cmp - list
}

@test "exif-extract keeps raw values as stored" {
  make_files
  run bash -c 'exif-extract made/plain.jpg | stream-dump'
  assert_status 0
  [[ $output == *'"exif_raw":{"Make":"NIKON CORPORATION","Model":"NIKON D70","Flash":25'* ]]
  [[ $output == *'"ApertureValue":"3/1"'* && $output == *'"ExposureTime":"1/60"'* ]]
  [[ $output == *'"ExposureBiasValue":"-1/3"'* ]]
  run bash -c 'exif-extract made/iso-two.jpg made/time-no-denominator.jpg made/make-blank.jpg | stream-dump'
  [[ $output == *'"ISOSpeedRatings":[0,200]'* ]]
  [[ $output == *'"exif":{},"exif_raw":{"ExposureTime":"1/0"}'* ]]
  [[ $output == *'"exif":{},"exif_raw":{"Make":""}'* ]]
}

@test "exif-extract makes error records of what is no image, and says so" {
  make_files
  echo text >text.jpg
  : >empty.jpg
  run bash -c 'exif-extract made/plain.jpg text.jpg empty.jpg made/none.jpg -o out'
  assert_status 65
  [[ $output == *'exif-extract: text.jpg: no JPEG, PNG, WebP or TIFF image'* ]]
  [[ $output == *'exif-extract: empty.jpg: empty file'* ]]
  [ "$(stream-dump --count out)" = '2 records, 2 errors' ]
  exif-extract -q --max-errors 2 made/plain.jpg text.jpg empty.jpg >out
  run exif-extract -q --max-errors 1 made/plain.jpg text.jpg empty.jpg -o out
  assert_status 65
}

@test "a missing file is 66, and the others are read all the same" {
  make_files
  run exif-extract made/none.jpg missing.jpg . -o out
  assert_status 66
  [[ $output == *'missing.jpg: No such file or directory'* && $output == *'.: is a folder'* ]]
  [ "$(stream-dump --count out)" = '1 records, 2 errors' ]
}

@test "exif-extract reads one image from standard input and from pipes" {
  make_files
  [ "$(tag make "$(exif-extract <made/plain.jpg | records)")" = Nikon ]
  [ "$(tag id "$(cat made/big.tif | exif-extract - | records)")" = - ]
  [ "$(tag f_number "$(exif-extract <(cat made/big.tif) | records)")" = 2.8 ]
}

@test "exif-extract sets keys and takes lists with NUL between names" {
  make_files
  cp made/plain.jpg $'new\nline.jpg'
  printf 'new\nline.jpg\0made/none.jpg\0' >names
  exif-extract -0 --files-from names --set label=photographic --set source=here -o out
  [ "$(stream-dump out | grep -c '"label":"photographic","source":"here"')" = 2 ]
}

@test "output that cannot be written is 74" {
  make_files
  run bash -c 'exif-extract made/plain.jpg >/dev/full'
  assert_status 74
}

@test "metadata files: values as text and as numbers" {
  cat >photos.json <<'END'
[{"SourceFile": "a.jpg", "Make": "Canon", "Model": 5700, "ExposureTime": "1/60 sec", "FNumber": "F2.8",
  "ExposureCompensation": "+1 2/3 EV", "FocalLength": "35.0 mm (35 mm equivalent: 52.0 mm)", "ISO": "ISO 1,600",
  "Flash": "Off, Did not fire", "MeteringMode": "Center-weighted average", "ExposureMode": "Auto bracket",
  "WhiteBalance": "Manual", "ExposureProgram": "Shutter speed priority AE", "SceneCaptureType": "Night",
  "Orientation": "Rotate 90 CW", "ApertureValue": 2.8, "ShutterSpeedValue": "2 sec", "ImageWidth": 640,
  "ImageHeight": 480, "FocalLengthIn35mmFormat": "52 mm", "MakerNotes:WhiteBalance": "Cloudy"},
 {"id": 12, "EXIF:ExposureTime": 0.008, "Composite:Aperture": "f/5.6", "Canon:ISO": 50, "IFD1:Make": "Thumb",
  "Flash": 25, "MeteringMode": 5, "ShutterSpeed": "1/2 sec", "ExposureBias": "0 EV", "FNumber": "inf"}]
END
  run bash -c 'exif-extract --metadata photos.json | stream-dump | grep \"type\":\"photo\"'
  assert_status 0
  first=${lines[0]} second=${lines[1]}
  expect() { [ "$(tag "$1" "$first")" = "$2" ] || { echo "$1: $(tag "$1" "$first"), expected $2"; return 1; }; }
  expect id a.jpg; expect make Canon; expect model 5700; expect exposure_time 0.016666666666666666
  expect f_number 2.8; expect exposure_bias 1.6666666666666665; expect focal_length 35.0; expect iso 1600.0
  expect flash 'not fired'; expect metering_mode centerweighted; expect exposure_mode auto-bracketing
  expect white_balance manual; expect exposure_program 'shutter priority'; expect scene_capture_type 'night scene'
  expect orientation 6; expect aperture 2.8; expect shutter_speed 2.0; expect width 640; expect height 480
  expect focal_length_35mm 52.0
  first=$second
  expect id 12; expect exposure_time 0.008; expect aperture 5.6; expect iso missing; expect make missing
  expect flash 'fired in auto mode'; expect metering_mode multi-segment; expect shutter_speed 0.5
  expect exposure_bias 0.0; expect f_number missing
}

@test "metadata files: JSON lines in Flickr's words, joined by path, file name or id" {
  make_files
  mkdir -p photos/one photos/two
  for file in photos/one/a.jpg photos/two/a.jpg photos/7.jpg photos/alone.jpg; do cp made/none.jpg $file; done
  cp made/plain.jpg photos/own.jpg
  cat >meta.jsonl <<'END'
{"path": "photos/two/a.jpg", "ISO Speed": 200, "Exposure": "0.017 sec (1/60)", "label": "photographic"}
{"id": 7, "exif": [{"tagspace": "IFD0", "tag": "Make", "label": "Make", "raw": {"_content": "SONY"}},
  {"tagspace": "Canon", "tag": "ISO", "label": "ISO Speed", "raw": {"_content": "50"}},
  {"tagspace": "ExifIFD", "tag": "FNumber", "label": "Aperture", "raw": {"_content": "f/3.5"}}]}
{"file_name": "own.jpg", "Make": "Somebody", "ISO": 50, "Subject": "x", "LensModel": "Lens"}
END
  exif-extract --metadata meta.jsonl photos/one/a.jpg photos/two/a.jpg photos/7.jpg photos/own.jpg photos/alone.jpg -o out 2>note
  grep -q '3 of 5 files found their metadata among 3 objects' note
  line() { stream-dump out | grep "\"id\":\"photos/$1\""; }
  [ "$(tag iso "$(line one/a.jpg)")" = missing ]
  [ "$(tag iso "$(line two/a.jpg)")" = 200.0 ]
  [ "$(tag label "$(line two/a.jpg)")" = photographic ]
  [ "$(tag exposure_time "$(line two/a.jpg)")" = 0.016666666666666666 ]
  [ "$(tag make "$(line 7.jpg)")" = Sony ]
  [ "$(tag iso "$(line 7.jpg)")" = missing ]
  [ "$(tag f_number "$(line 7.jpg)")" = 3.5 ]
  [ "$(tag make "$(line own.jpg)")" = Nikon ] # the file's own tags come first
  [ "$(tag iso "$(line own.jpg)")" = 400.0 ]
}

@test "records of exif-extract are metadata as well: the same values come out" {
  make_files
  exif-extract made/plain.jpg -o first
  stream-dump first | grep '"type":"photo"' >records.jsonl
  exif-extract --metadata records.jsonl -o second
  values() { stream-dump "$1" | grep -o '"exif":{[^}]*}'; }
  [ -n "$(values first)" ]
  [ "$(values first)" = "$(values second)" ]
}

@test "metadata fill in what the file says without meaning" {
  make_files
  for file in time-no-denominator make-blank; do
    echo "{\"path\": \"made/$file.jpg\", \"ExposureTime\": \"1/60\", \"Make\": \"SONY\"}"
  done >meta.jsonl
  exif-extract --metadata meta.jsonl made/time-no-denominator.jpg made/make-blank.jpg -o out
  [ "$(stream-dump out | grep -c '"exif":{"make":"Sony","exposure_time":0.016666666666666666}')" = 2 ]
}

@test "ids that are numbers keep all their digits; Flickr's replies name their photo inside" {
  cat >meta.jsonl <<'END'
{"id": 1234567890123456789, "ISO": 100}
{"id": 1234567890123456790, "ISO": ["200", "400"]}
{"photo": {"id": "4324", "exif": [{"tagspace": "IFD0", "tag": "Make", "label": "Make", "raw": "SONY"}]}, "stat": "ok"}
{"id": 123456789012345678901, "ISO": 18446744073709551616}
END
  exif-extract --metadata meta.jsonl -o out
  ids=$(stream-dump out | grep -o '"id":"[^"]*"' | tr '\n' ' ')
  [ "$ids" = '"id":"1234567890123456789" "id":"1234567890123456790" "id":"4324" "id":"3" ' ]
  [ "$(tag iso "$(stream-dump out | sed -n 3p)")" = 200.0 ]
  [ "$(tag make "$(stream-dump out | sed -n 4p)")" = Sony ]
}

@test "standard input cannot be a file and the metadata at once" {
  run exif-extract --metadata - made.jpg - </dev/null
  assert_status 64
  [[ $output == *'standard input is named twice'* ]]
}

@test "metadata that is no JSON is 65 with its line, and a missing one 66" {
  printf '{"id":1}\n{"id":2,}\n' >broken
  run exif-extract --metadata broken -o out
  assert_status 65
  [[ $output == *'broken: line 2: not JSON'* ]]
  printf '[{"id":1}' >open
  run exif-extract --metadata open -o out
  assert_status 65
  printf '[1]' >numbers
  run exif-extract --metadata numbers -o out
  assert_status 65
  [[ $output == *'line 1: expected a JSON object'* ]]
  run exif-extract --metadata nowhere -o out
  assert_status 66
  [ ! -e out ]
}

@test "hostile files: bounded memory and time" {
  make_files
  /usr/bin/python3 - <<'END'
import struct, zlib
def chunk(name, data): return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))
head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">LLBBBBB", 8, 6, 8, 0, 0, 0, 0))
bomb = zlib.compress(b"\nexif\n 8\n" + b"0" * (200 << 20), 9)
open("bomb.png", "wb").write(head + chunk(b"zTXt", b"Raw profile type exif\0\0" + bomb) * 20)
small = zlib.compress(b"\nexif\n 8\n" + b"0" * 1000000, 9)
open("many.png", "wb").write(head + chunk(b"zTXt", b"Raw profile type exif\0\0" + small) * 5000)
app1 = lambda data: b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
block = b"Exif\0\0II*\0\x08\0\0\0" + b"\xff" * 65000
open("extended.jpg", "wb").write(b"\xff\xd8" + app1(block) + app1(b"Exif\0\0" + bytes(65000)) * 2000)
open("garbage.jpg", "wb").write(b"\xff\xd8\xff" + bytes(50 << 20))
open("segments.jpg", "wb").write(b"\xff\xd8" + b"\xff\xe0\0\2" * 5000000)
open("chunks.webp", "wb").write(b"RIFF\0\0\0\0WEBP" + b"JUNK\0\0\0\0" * 2000000)
END
  run timeout 10 exif-extract -q -j1 --max-errors 10 bomb.png many.png extended.jpg garbage.jpg segments.jpg chunks.webp -o out
  assert_status 0
  # peak memory in KiB; the sanitizers need more
  peak=$(/usr/bin/python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' exif-extract -q -j1 --max-errors 10 -o out \
    bomb.png many.png extended.jpg garbage.jpg segments.jpg chunks.webp)
  [[ $BLADES_BUILD == *sanitize* ]] || [ "$peak" -le 65536 ]
}

@test "the malformed files of the shared data end as records or error records" {
  need_data malformed
  find "$BLADES_DATA/malformed" -type f >list
  run timeout 60 exif-extract -q --max-errors 100000 --files-from list -o out
  assert_status 0
  [ "$(stream-dump out | grep -c '"type":"\(photo\|error\)"')" = "$(wc -l <list)" ]
}
