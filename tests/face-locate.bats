# face-locate: annotations of every format reach their photos.

setup() {
  load helper
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_TMPDIR"
  make_faces="$BLADES_ROOT/tests/faces_make"
}

photos() { # two drawn photos of 128 x 128, stored upright, and their stream
  face-synth -q -n 2 --size 128 --generator upsampler -o drawn
  exif-extract -q drawn/*.jpg -o photos.msgpack
}

faces() { # ARGUMENTS: box, scheme and the nose point of each face
  face-locate -q "$@" photos.msgpack | stream-dump | python3 -c '
import json, sys
for line in sys.stdin:
    record = json.loads(line)
    for face in record.get("faces", ()):
        marks = face.get("landmarks", [])
        at = {136: 30, 14: 0, 10: 2}.get(len(marks))
        nose = [round(v) for v in marks[2 * at:2 * at + 2]] if at is not None else None
        print(record["id"], face.get("scheme"), nose, [round(v) for v in face["box"]])'
}

@test "gives the same faces from every format" {
  photos
  mkdir f
  "$make_faces" formats f
  faces -a f/lines.json >wanted
  [ "$(wc -l <wanted)" = 2 ]
  for file in coco.json dlib.xml; do
    faces -a "f/$file" >got
    diff wanted got
  done
  faces -a f/pts -a f/bbox.txt >got
  diff wanted got
  faces -a f/npy -a f/bbox.txt >got
  diff wanted got
  faces -a f/fdf.json | sed 's/ 7 / 68 /' >got
  diff wanted got
  faces -a f/bbox.txt -a f/landmarks.txt | sed 's/ 5 / 68 /' >got
  diff wanted got
}

@test "more landmarks replace fewer, and other files add what is missing" {
  photos
  mkdir f
  "$make_faces" formats f
  faces -a f/landmarks.txt -a f/pts -a f/fdf.json >got
  [ "$(grep -c ' 68 ' got)" = 2 ]
  faces -a f/lines.json >wanted
  diff wanted got
}

@test "a missing box comes from the landmarks" {
  photos
  mkdir f
  "$make_faces" formats f
  faces -a f/pts >got
  python3 - <<'END'
import json
marks = json.loads(open("drawn/annotations.jsonl").readline())["faces"][0]["landmarks"]
box = json.loads(open("got").readline().split("] ")[1])
want = [min(marks[::2]), min(marks[1::2]), max(marks[::2]), max(marks[1::2])]
assert all(abs(a - b) <= 1 for a, b in zip(box, want)), (box, want)
END
}

@test "landmarks of resized photos are brought back" {
  photos
  mkdir f
  "$make_faces" formats f
  faces -a f/npy -a f/bbox.txt --resized-to 256 >got
  python3 - <<'END'
import json
marks = json.loads(open("drawn/annotations.jsonl").readline())["faces"][0]["landmarks"]
nose = json.loads("[" + open("got").readline().split("[")[1].split("]")[0] + "]")
assert abs(nose[0] - marks[60] / 2) <= 1 and abs(nose[1] - marks[61] / 2) <= 1
END
}

@test "None in an npy is no face; other pickles are refused and not executed" {
  photos
  mkdir n
  "$make_faces" none_npy n/000000.npy
  run --separate-stderr face-locate -a n photos.msgpack -o out.msgpack
  assert_status 0
  [[ "$stderr" == *"1 entry, 0 without a photo; 1 photo with an entry, 1 without, 0 ambiguous"* ]]
  stream-dump out.msgpack | grep -q '"faces":\[\]'
  "$make_faces" evil_npy n/000001.npy
  run face-locate -a n photos.msgpack -o out.msgpack
  assert_status 65
  [[ "$output" == *"n/000001.npy: holds pickled Python objects"* ]]
  [ ! -e evil ]
}

@test "counts what found no partner on both sides, and names it with -v" {
  photos
  printf '%s\n' '{"path":"drawn/000000.jpg","faces":[{"box":[1,2,30,40]}]}' '{"path":"x/9.jpg","faces":[]}' >a.json
  run --separate-stderr face-locate -v -a a.json photos.msgpack -o out.msgpack
  assert_status 0
  [[ "$stderr" == *"2 photos, 1 face, 1 photo without annotation"* ]]
  [[ "$stderr" == *"a.json: 2 entries, 1 without a photo; 1 photo with an entry, 1 without, 0 ambiguous"* ]]
  [[ "$stderr" == *"no photo for x/9.jpg"* && "$stderr" == *"nothing for drawn/000001.jpg"* ]]
  [ "$(face-locate -q -a a.json --missing drop photos.msgpack | stream-dump --count)" = "1 records, 0 errors" ]
  run face-locate -q -a a.json --missing error photos.msgpack -o out.msgpack
  assert_status 65
  [ "$(stream-dump --count out.msgpack)" = "1 records, 1 errors" ]
}

@test "an ambiguous name gets nothing and is counted" {
  photos
  printf '%s\n' '{"path":"a/drawn/000000.jpg","faces":[{"box":[1,2,30,40]}]}' '{"path":"b/drawn/000000.jpg","faces":[]}' >a.json
  run --separate-stderr face-locate -a a.json photos.msgpack -o out.msgpack
  assert_status 0
  [[ "$stderr" == *"2 without a photo; 0 photos with an entry, 1 without, 1 ambiguous"* ]]
  run --separate-stderr face-locate -q -a a.json photos.msgpack -o out.msgpack
  assert_status 0
  [[ "$stderr" == *"a.json: photos that several entries fit alike, which got the faces of none: 1 (the first is drawn/000000.jpg)"* ]]
}

@test "entries of the very same path are one, with the faces of all" {
  photos
  printf '%s\n' '{"path":"000000.jpg","source":"s","faces":[{"box":[1,2,30,40]}]}' '{"path":"x.jpg","faces":[{"box":[9,9,99,99]}]}' \
    '{"path":"000000.jpg","source":"t","label":"photographic","faces":[{"box":[2,2,30,40],"pose":1},{"box":[3,2,30,40]}]}' \
    '{"path":"x.jpg","faces":[]}' '{"path":"000000.jpg","faces":[{"box":[4,2,30,40]}]}' '{"path":"y.jpg","faces":[{"box":[5,5,9,9]}]}' >lines
  run --separate-stderr face-locate -a lines photos.msgpack -o out.msgpack
  assert_status 0
  [[ "$stderr" == *"lines: 3 entries, 2 without a photo; 1 photo with an entry, 1 without, 0 ambiguous"* ]]
  [[ "$stderr" == *"lines: 3 more entries of paths that had one"* ]]
  stream-dump out.msgpack | python3 -c '
import json, sys
record = [json.loads(line) for line in sys.stdin][1]
assert [face["box"][0] for face in record["faces"]] == [1, 2, 3, 4] and record["faces"][1]["pose"] == 1, record
assert record["source"] == "s" and record["label"] == "photographic", record'
  printf '3\nheader\n000000.jpg 1 2 9 9\n000000.jpg 2 2 9 9\nx.jpg 1 2 9 9\n' >celeba
  [ "$(faces -a celeba | wc -l)" = 2 ]
  check() { # MESSAGE REST-OF-SECOND-LINE
    printf '{"path":"a","label":"x"}\n{"path":"a",%s}\n' "$2" >bad
    run face-locate -q -a bad photos.msgpack -o out.msgpack
    assert_status 65
    [[ "$output" == *"bad: $1"* ]] || { echo "$output"; return 1; }
  }
  check "entries of a have different labels" '"label":"y"'
  check "entries of a differ in whether it is upright" '"upright":false'
  python3 -c 'import json
for i in range(3): print(json.dumps({"path": "a", "faces": [{"box": [1, 2, 30, 40]}] * 4000}))' >bad
  run face-locate -q -a bad photos.msgpack -o out.msgpack
  assert_status 65
  [[ "$output" == *"bad: a has more than 10000 faces"* ]]
  # .pts and .npy of one name stay two files
  mkdir -p f/two
  "$make_faces" formats f
  cp f/pts/drawn/000000.pts f/npy/000000.npy f/two
  [ "$(face-locate -q -a f/two photos.msgpack 2>error | stream-dump | grep -c '"faces"')" = 0 ]
  grep -q 'which got the faces of none: 1 ' error
}

@test "landmarks go to the box that holds them, whatever the order of the files" {
  photos
  left='"scheme":"5","landmarks":[20,30,40,30,30,40,22,50,38,50]' right='"scheme":"5","landmarks":[70,40,90,40,80,50,72,60,88,60]'
  far='"scheme":"5","landmarks":[110,110,120,110,115,115,111,120,119,120]'
  entry() { printf '{"path":"000000.jpg","faces":[%s]}\n' "$(IFS=,; echo "$*")"; }
  entry '{"box":[10,20,60,60]}' '{"box":[60,30,100,80]}' >boxes
  result() { # FILE...: the left edges and the noses, and whether there was a warning
    face-locate -q $(printf -- '-a %s ' "$@") photos.msgpack 2>error | stream-dump | python3 -c '
import json, sys
faces = [json.loads(line) for line in sys.stdin][1]["faces"]
print(*[(int(face["box"][0]), int((face.get("landmarks") or [0] * 5)[4]), face.get("k")) for face in faces])'
    sed 's/.*\(landmarks outside the boxes\).*/\1/' error
  }
  entry "{$left}" "{$right}" >ordered
  [ "$(result boxes ordered)" = "(10, 30, None) (60, 80, None)" ]
  entry "{$right,\"k\":1}" "{$left,\"k\":2}" >swapped
  [ "$(result boxes swapped)" = "(10, 30, 2) (60, 80, 1)" ]
  [ "$(result swapped boxes)" = "(60, 80, 1) (10, 30, 2)" ]
  entry "{$right}" >one
  [ "$(result boxes one)" = "(10, 0, None) (60, 80, None)" ]
  # one box within the other: the nearer
  entry '{"box":[10,20,100,80]}' '{"box":[65,30,95,70]}' >nested
  entry "{$right}" "{$left}" >turned
  [ "$(result nested turned)" = "(10, 30, None) (65, 80, None)" ]
  # in order where it cannot be told, which is said
  entry "{$left}" "{$far}" >stray
  [ "$(result boxes stray | tr '\n' ' ')" = "(10, 30, None) (60, 115, None) landmarks outside the boxes " ]
}

@test "names in messages are cut" {
  photos
  python3 -c 'print("{\"path\":\"%s\",\"faces\":[]}" % ("a" * 1000000))' >long.json
  run --separate-stderr face-locate -v -a long.json photos.msgpack -o out.msgpack
  assert_status 0
  [[ "$stderr" == *"the first annotation is of 'aaa"* ]]
  [ ${#stderr} -lt 4000 ]
}

@test "no entry of other folders; an entry that fits several photos is told of, whatever their order" {
  photos
  mkdir -p q/a q/b
  cp drawn/000000.jpg q/a/1.jpg
  cp drawn/000000.jpg q/b/1.jpg
  echo '{"path":"a/1.jpg","faces":[{"box":[1,2,30,40]}]}' >a.json
  echo '{"path":"1.jpg","faces":[{"box":[1,2,30,40]}]}' >short.json
  for order in "a b" "b a"; do
    exif-extract -q $(printf 'q/%s/1.jpg ' $order) -o two.msgpack
    run --separate-stderr face-locate -a a.json two.msgpack -o out.msgpack
    assert_status 0
    [[ "$stderr" == *"1 photo with an entry, 1 without, 0 ambiguous"* && "$stderr" != *several* ]]
    [ "$(stream-dump out.msgpack | grep '"faces"' | grep -o '"id":"[^"]*"')" = '"id":"q/a/1.jpg"' ]
    run --separate-stderr face-locate -q -a short.json two.msgpack -o out.msgpack
    assert_status 0
    [[ "$stderr" == *"short.json: entries that fit several photos each, which all got their faces: 1 (1.jpg fits 2)"* ]]
    [ "$(stream-dump out.msgpack | grep -c '"faces"')" = 2 ]
  done
}

@test "keys of all files are merged, the first file's first; labels that contradict are an error record" {
  photos
  echo '{"path":"000000.jpg","source":"s","faces":[{"box":[1,2,30,40],"pose":1}]}' >one.json
  echo '{"path":"000000.jpg","source":"t","label":"generated","faces":[{"box":[1,2,30,40],"pose":2,"age":3}]}' >two.json
  face-locate -q -a one.json -a two.json photos.msgpack | stream-dump >got
  grep -q '"faces":\[{"box":\[1.0,2.0,30.0,40.0\],"pose":1,"age":3}\]' got
  grep -q '"source":"s"' got
  grep -q '"label":"generated"' got
  sed 's/"source":"s"/"label":"photographic"/' one.json >three.json
  run face-locate -q -a three.json -a two.json photos.msgpack -o out.msgpack
  assert_status 65
  stream-dump out.msgpack >got
  grep -qF 'the label is \"photographic\" in three.json, but \"generated\" in two.json' got
  face-locate -q --set label=x -a three.json -a two.json photos.msgpack | stream-dump --count | grep -qx '2 records, 0 errors'
}

@test "records that no tool could read become error records" {
  photos
  for nest in 8 20 40; do
    python3 -c 'import json, sys
value = []
for _ in range(int(sys.argv[1])): value = {"a": value}
print(json.dumps({"path": "000000.jpg", "deep": value}))' $nest >deep.json
    run face-locate -q -a deep.json photos.msgpack -o out.msgpack
    if [ $nest = 40 ]; then assert_status 65; else assert_status 0; fi
    stream-dump --count out.msgpack
  done
  stream-dump out.msgpack | grep -q "record 'drawn/000000.jpg' is over what readers take: 1 GiB, 1048576 values, 32 levels"
  python3 -c 'print("{\"path\":\"000000.jpg\",\"many\":[" + "1," * 1048576 + "1]}")' >many.json
  run face-locate -q -a many.json photos.msgpack -o out.msgpack
  assert_status 65
  [ "$(stream-dump --count out.msgpack)" = "1 records, 1 errors" ]
}

@test "boxes of no size and landmarks on one spot are none; boxes turned round and wrong schemes are refused" {
  photos
  echo '{"images":[{"id":1,"file_name":"000000.jpg"}],"annotations":[{"image_id":1,"bbox":[]},
    {"image_id":1,"bbox":[9,9,5,0]},{"image_id":1,"bbox":[9,9,0,5]}]}' >coco.json
  echo '{"path":"000000.jpg","faces":[{"landmarks":[1,2,1,2,1,2,1,2,1,2]},{"box":[5,5,5,9]}]}' >spot.json
  for file in coco spot; do
    face-locate -q -a $file.json photos.msgpack | stream-dump | grep -q '"faces":\[\]'
  done
  check() { # MESSAGE FACE
    printf '\n%s\n' "{\"path\":\"000000.jpg\",\"faces\":[$2]}" >bad
    run face-locate -q -a bad photos.msgpack -o out.msgpack
    assert_status 65
    [[ "$output" == *"bad: line 2: $1"* ]] || { echo "$output"; return 1; }
  }
  check "box 50,50,10,10 is turned round" '{"box":[50,50,10,10]}'
  turned() { # FORMAT'S PLACE FILE-CONTENT
    printf '%b' "$2" >bad
    run face-locate -q -a bad photos.msgpack -o out.msgpack
    assert_status 65
    [[ "$output" == *"bad: $1: box 9,9,14,5 is turned round"* ]] || { echo "$output"; return 1; }
  }
  turned "line 3" '1\nheader\n000000.jpg 9 9 5 -4\n'
  turned "line 2" 'image_id,x_1,y_1,width,height\n000000.jpg,9,9,5,-4\n'
  turned "line 2" '<dataset>\n<image file="000000.jpg"><box left="9" top="9" width="5" height="-4"/></image></dataset>'
  turned "entry 7" '{"7":{"bounding_box":[9,9,14,5]}}'
  turned "image 1: annotation 1" '{"images":[{"id":1,"file_name":"a"}],"annotations":[{"image_id":1,"bbox":[9,9,5,-4]}]}'
  check "a face of scheme '7' has 5 landmarks" '{"scheme":"7","landmarks":[1,2,3,4,5,6,7,8,9,10]}'
  check "a face of scheme '68' has 5 landmarks" '{"scheme":68,"landmarks":[1,2,3,4,5,6,7,8,9,10]}'
}

@test "--missing drop and error leave photos alone that --whole gave a face before" {
  photos
  face-locate -q --whole photos.msgpack -o whole.msgpack
  for missing in drop error; do
    face-locate -q --whole --missing $missing whole.msgpack -o out.msgpack
    diff <(stream-dump whole.msgpack | tail -n +2) <(stream-dump out.msgpack | tail -n +2)
  done
}

@test "other keys reach the record, unless it has them or --set gives them" {
  photos
  echo '{"path":"000000.jpg","label":"generated","source":"x","score":[1,{"a":null}],"width":5,"faces":[{"box":[1,2,30,40],"pose":-3}]}' >a.json
  face-locate -q -a a.json --set source=y photos.msgpack | stream-dump >got
  python3 - <<'END'
import json
record = [json.loads(line) for line in open("got")][1]
assert record["label"] == "generated" and record["source"] == "y" and record["score"] == [1, {"a": None}], record
assert record["width"] == 128 and record["faces"] == [{"box": [1, 2, 30, 40], "pose": -3}], record
END
}

@test "upright coordinates, said by the option or the entry, become those of the stored image" {
  mkdir t
  "$make_faces" turned t
  exif-extract -q t/*.png -o photos.msgpack
  faces -a t/turned.json >wanted
  faces -a t/upright.json --upright >got
  diff wanted got
  sed 's/"path"/"upright": true, "path"/' t/upright.json >said.json
  faces -a said.json >got
  diff wanted got
  sed 's/"path"/"upright": false, "path"/' t/turned.json >said.json
  faces -a said.json --upright >got
  diff wanted got
}

@test "--whole makes a photo without faces one face" {
  photos
  face-locate -q --whole photos.msgpack | stream-dump >got
  [ "$(grep -c '"faces":\[{"box":\[0.0,0.0,128.0,128.0\]}\]' got)" = 2 ]
}

@test "wrong annotation files are named, with the place" {
  photos
  check() { # TEXT FILE-CONTENT
    printf '%b' "$2" >bad
    run face-locate -q -a bad photos.msgpack -o out.msgpack
    assert_status 65
    [[ "$output" == *"bad"*"$1"* ]] || { echo "$output"; return 1; }
    [ ! -e out.msgpack ]
  }
  check "line 2" '{"path":"a","faces":[]}\n{"path":\n'
  check "line 1: a face has 3 landmarks" '{"path":"a","faces":[{"box":[1,2,3,4],"landmarks":[1,2,3,4,5,6]}]}\n'
  check "line 1: box is no array" '{"path":"a","faces":[{"box":[1,2,3,4,5]}]}\n'
  check "no path" '{"faces":[]}\n'
  check "line 1: id is no text" '{"id":1,"faces":[]}\n'
  check "line 1: path is no text" '{"path":1,"id":"a","faces":[]}\n'
  check "line 1: upright is neither true nor false" '{"path":"a","upright":"yes"}\n'
  check "line 2: no object" '{"path":"a"}\n[]\n'
  check "line 3: a face is no object" '{\n"path":"a"}\n{"path":\n"b","faces":[1]}\n'
  check "line 2: in its line 3: string or '}' expected" '{"path":"a"}\n{"path":\n"b",\n'
  check "line 1: invalid token near 'NaN'" '{"path":"a","faces":[{"box":[NaN,2,3,4]}]}\n'
  check "line 1" '<dataset><image file="a"><box left="1"'
  check "line 1: name='a' is no number" '<dataset><image file="a"><box left="1" top="1" width="2" height="2"><part name="a"/></box></image></dataset>'
  check "line 1: top='x' is no number" '<dataset><image file="a"><box left="1" top="x"/></image></dataset>'
  check "lacks the number 'top'" '<dataset><image file="a"><box left="1"/></image></dataset>'
  check "no points" 'version: 1\nn_points: 68\n'
  check "line 3" '1\nheader\na.jpg 1 2\n'
  check "line 1 says 2 entries, but there are 1" '2\nheader\na.jpg 1 2 3 4\n'
  check "line 1: no number of entries" '000001.jpg 1 2 3 4\n000002.jpg 1 2 3 4\n'
  check "line 2: no file name with 4 or 10 numbers" 'image_id,x_1,y_1,width,height\na.jpg,1,2,,4\n'
  check "line 2: ' x' is no number" 'image_id,x_1,y_1,width,height\na.jpg,1,2,3, x\n'
  check "line 4: 'x' is no number" '2\nheader\na.jpg 1 2 3 4\nb.jpg 1 2 3 x\n'
  check "says 3 points, but has 2" 'version: 1\r\nn_points: 3\r\n{\r\n1 2\r\n3 4\r\n}\r\n'
  check "says 3 points, but has 2" 'version: 1\nn_points:3\n{\n1 2\n3 4\n}\n'
  check "says 3 points, but has 2" 'version: 1\nn_points : 3\n{\n1 2\n3 4\n}\n'
  check "line 2: no number of points" 'version: 1\nn_points: x\n{\n1 2\n3 4\n}\n'
  check "line 4: '0x' is no number" 'version: 1\nn_points: 1\n{\n1 0x\n}\n'
  check "a face has 2 landmarks" 'version: 1\nn_points: 2\n{\n1 2\n3 4\n}\n'
  check "entry 1: is no object" '{"1":5}'
  check "entry 1: landmarks are not in pairs" '{"1":{"landmark":[1,2,3]}}'
  check "entry 1: a box has 3 numbers" '{"1":{"bounding_box":[1,2,3]}}'
  check "no comma" '{"1":{} "2":{}}'
  check "more than one" '{"1":{}}{"2":{}}'
  check "image 1: an image has no whole number as id" '{"images":[{"file_name":"a"}],"annotations":[]}'
  check "category 2: no whole number as id, or no text as name" \
    '{"images":[],"annotations":[],"categories":[{"id":1,"name":"a"},{"id":2}]}'
  check "annotation 1: no whole number" '{"images":[{"file_name":"a","id":1}],"annotations":[{"bbox":[1,2,3,4]}]}'
  check "annotation 1: a box is no array" '{"images":[{"file_name":"a","id":1}],"annotations":[{"image_id":1,"bbox":[1,2]}]}'
  check "line 2" '<!DOCTYPE d [<!ENTITY a "b">]>\n<dataset><image file="&e;"/></dataset>'
  check "amplification" "<!DOCTYPE d [<!ENTITY a0 '$(printf %2000s x)'>$(for i in 1 2 3 4 5 6; do
    printf "<!ENTITY a$i '$(printf "&a$((i - 1));%.0s" 1 2 3 4 5 6 7 8 9 0)'>"; done)]><d>&a6;</d>"
  check "header that is not understood" '\x93NUMPY\x01\0\x3c\0{"descr": "<f4", "fortran_order": False, "shape": (68, 2)}      '
  check "is empty" ''
  check "byte" '{"1":{"bounding_box":[0,0,1,1]},"2":'
  check "cut short" '\x93NUMPY\x01\0\xff\x0f{}'
  check "images and annotations" '{"images":[]}'
  run face-locate -a none.json photos.msgpack -o out.msgpack
  assert_status 66
  run face-locate photos.msgpack -o out.msgpack
  assert_status 64
}

@test "files of Windows and Fortran give the same faces" {
  photos
  mkdir -p f g/pts/drawn g/npy
  "$make_faces" formats f
  faces -a f/lines.json >wanted
  for file in coco.json fdf.json dlib.xml lines.json bbox.txt; do
    { printf '\xef\xbb\xbf'; sed 's/$/\r/' "f/$file"; } >"g/$file"
  done
  for file in f/pts/drawn/*.pts; do
    { printf '\xef\xbb\xbf'; sed 's/$/\r/' "$file"; } >"g/pts/drawn/${file##*/}"
  done
  for file in lines.json coco.json dlib.xml; do
    faces -a "g/$file" >got
    diff wanted got
  done
  faces -a g/fdf.json | sed 's/ 7 / 68 /' >got
  diff wanted got
  faces -a g/pts -a g/bbox.txt >got
  diff wanted got
  for file in f/npy/*.npy; do "$make_faces" fortran_npy "$file" "g/npy/${file##*/}"; done
  faces -a g/npy -a g/bbox.txt >got
  diff wanted got
}

@test "arrays of numbers of another kind or shape are refused" {
  photos
  mkdir n
  while read -r kind shape bytes; do
    "$make_faces" any_npy n/000000.npy "$kind" "$shape" "$bytes"
    run face-locate -q -a n photos.msgpack -o out.msgpack
    assert_status 65
    [[ "$output" == *"n/000000.npy: "* ]] || { echo "$kind $shape: $output"; return 1; }
  done <<'END'
<f2 (68,2) 272
|b1 (68,2) 136
<c8 (68,2) 1088
<U4 (68,2) 2176
<f4 (68,2) 543
<f4 (68,3) 816
<f4 (2,68) 544
<f4 (69,2) 552
<f4 (1,1,68,2) 544
<f4 (1000000,68,2) 544
<f4 (-1,68,2) 544
<f4 () 4
|O (2,) 40
END
}

@test "COCO's ids: twice is refused, faces of images that are not there are counted" {
  photos
  mkdir f
  "$make_faces" formats f
  sed 's/"id": 8/"id": 7/' f/coco.json >twice.json
  run face-locate -q -a twice.json photos.msgpack -o out.msgpack
  assert_status 65
  [[ "$output" == *"twice.json: two images have the id 7"* ]]
  sed 's/"image_id": 8/"image_id": 1/' f/coco.json >stray.json
  run --separate-stderr face-locate -a stray.json photos.msgpack -o out.msgpack
  assert_status 0
  [[ "$stderr" == *"stray.json: 1 annotation of images that it does not have"* ]]
  [[ "$stderr" == *" 1 face,"* ]]
  run --separate-stderr face-locate -a f/coco.json photos.msgpack -o out.msgpack
  [[ "$stderr" != *"does not have"* ]]
}

@test "COCO: only categories of faces count; boxes of others are doubted, unless landmarks say what they are" {
  photos
  coco() { # CATEGORIES ANNOTATIONS: stderr of -q, and the left edges of the boxes
    echo '{"images":[{"id":1,"file_name":"000000.jpg"}],"annotations":['"$2"'],"categories":['"$1"']}' >coco.json
    run --separate-stderr face-locate $quiet -a coco.json photos.msgpack -o out.msgpack
    assert_status 0
    lefts=$(stream-dump out.msgpack | grep -o '"box":\[[0-9]*' | cut -c8- | tr '\n' ' ')
  }
  quiet=-q
  car='{"id":3,"name":"car"}' boxes='{"image_id":1,"category_id":3,"bbox":[1,2,30,40]},{"image_id":1,"category_id":7,"bbox":[2,2,30,40]},
    {"image_id":1,"bbox":[3,2,30,40]}'
  for name in face "Human Face" "person's face" faces masked_face; do
    coco '{"id":7,"name":"'"$name"'"},{"id":8,"name":"head"},'"$car" "$boxes"
    [ "$lefts" = "2 3 " ]
    [ "$stderr" = "" ]
  done
  coco '{"id":7,"name":"head"},{"id":8,"name":"surface"},'"$car" "$boxes"
  [ "$lefts" = "2 3 " ]
  coco '{"id":7,"name":"person"},'"$car" "$boxes"
  [ "$lefts" = "1 2 3 " ]
  [[ "$stderr" == *"coco.json: 2 boxes taken for faces, though their category is called 'car'"* ]]
  coco "$car" '{"image_id":1,"category_id":3,"bbox":[1,2,30,40],"keypoints":[1,2,2,30,2,2,15,10,2,5,20,2,25,20,2]}'
  [ "$stderr" = "" ]
  quiet=
  coco '{"id":7,"name":"face"},'"$car" "$boxes"
  [[ "$stderr" == *"coco.json: 1 annotation of other categories than faces"* ]]
}

@test "COCO: ears and shoulders that nobody labelled are on the nose, and the face is found by what there is" {
  photos
  coco() { # FILE ANNOTATIONS
    echo '{"type":"instances","images":[{"id":1,"file_name":"000000.jpg"}],"annotations":['"$2"']}' >"$1"
  }
  coco boxes.json '{"image_id":1,"bbox":[0,0,65,60]},{"image_id":1,"bbox":[50,30,70,90]}'
  rest=$(printf ',0,0,0%.0s' $(seq 14))
  coco marks.json '{"image_id":1,"keypoints":[90,80,2,110,60,2,70,60,1'"$rest"']}'
  face-locate -q -a boxes.json -a marks.json photos.msgpack | stream-dump | grep 000000 >out
  grep -q '"box":\[50.0,30.0,120.0,120.0\],"scheme":"7","landmarks":\[90.0,80.0,110.0,60.0,70.0,60.0\(,90.0,80.0\)\{4\}\]' out
  grep -q '"box":\[0.0,0.0,65.0,60.0\]}' out
}

@test "null says nothing, and an entry without faces takes none away" {
  photos
  echo '{"path":"000000.jpg","faces":[{"box":[1,2,30,40],"mood":null}],"split":null,"label":null,"source":"a"}' >null.json
  echo '{"path":"000000.jpg","label":"generated","split":"val"}' >keys.json
  face-locate -q -a null.json photos.msgpack -o one.msgpack
  stream-dump one.msgpack | grep -q '"faces":\[{"box":\[1.0,2.0,30.0,40.0\]}\],"source":"a"}'
  face-locate -q -a null.json -a keys.json photos.msgpack -o both.msgpack
  stream-dump both.msgpack | grep -q '"split":"val"'
  for whole in "" --whole; do
    face-locate -q $whole -a keys.json one.msgpack -o two.msgpack
    stream-dump two.msgpack | grep -q '"faces":\[{"box":\[1.0,2.0,30.0,40.0\]}\],"source":"a","label":"generated","split":"val"}'
  done
}

@test "a named pipe in a folder of annotations is refused, not waited for" {
  photos
  mkdir folder
  mkfifo folder/000000.npy
  run timeout 5 face-locate -q -a folder photos.msgpack -o out.msgpack
  assert_status 65
  [[ "$output" == "face-locate: folder/000000.npy: not a regular file" ]]
}

@test "COCO: a size that is not the photo's, turned as the options say, is an error record that says what to do" {
  mkdir t
  "$make_faces" turned t # upright 120 x 160
  exif-extract -q t/turned[16].png -o photos.msgpack
  coco() { # WIDTH HEIGHT
    echo '{"images":[{"id":1,"file_name":"turned6.png","width":'$1',"height":'$2'}],"annotations":[{"image_id":1,"bbox":[1,2,30,40]}]}' >coco.json
  }
  wrong() { # REASON OPTION...
    run face-locate -q -a coco.json "${@:2}" photos.msgpack -o out.msgpack
    assert_status 65
    stream-dump out.msgpack | grep '"type":"error","id":"t/turned6.png"' | grep -q "$1"
  }
  coco 160 120
  face-locate -q -a coco.json photos.msgpack | stream-dump | grep -q '"box":\[1.0,2.0,31.0,42.0\]'
  wrong "of the photo as stored, 160 x 120 pixels: leave out --upright" --upright
  coco 120 160
  face-locate -q -a coco.json --upright photos.msgpack | stream-dump | grep -q '"box":\[2.0,89.0,42.0,119.0\]'
  wrong "of the photo turned upright, 120 x 160 pixels: give --upright"
  coco 240 320
  wrong "of 240 x 320 pixels, but the photo has 160 x 120"
  wrong "of 240 x 320 pixels, but the photo has 160 x 120" --upright
  coco 0 null
  face-locate -q -a coco.json photos.msgpack | stream-dump | grep -q '"box"'
}

@test "JSON objects over several lines, and lists of CelebA with commas, give the same faces" {
  photos
  mkdir f
  "$make_faces" formats f
  faces -a f/lines.json >wanted
  python3 -c 'import json; [print(json.dumps(json.loads(line), indent=1)) for line in open("f/lines.json")]' >pretty.json
  faces -a pretty.json >got
  diff wanted got
  for list in bbox landmarks; do
    tail -n +2 f/$list.txt | sed '1s/.*/image_id '"$(seq -s ' ' $(($(sed -n 3p f/$list.txt | wc -w) - 1)))"'/; s/ \+/,/g' >$list.csv
  done
  head -2 bbox.csv
  faces -a f/bbox.txt -a f/landmarks.txt >wanted
  faces -a bbox.csv -a landmarks.csv >got
  diff wanted got
}

@test "annotation files that are too large or become shorter are refused" {
  photos
  truncate -s 5G large.json
  run face-locate -q -a large.json photos.msgpack -o out.msgpack
  assert_status 65
  [[ "$output" == *"large.json: has more than 4 GiB"* ]]
  # Files of the kernel have fewer bytes than they say.
  short=/sys/kernel/mm/transparent_hugepage/enabled
  [ -r "$short" ] || skip "no $short"
  run face-locate -q -a "$short" photos.msgpack -o out.msgpack
  assert_status 65
  [[ "$output" == *"$short: became shorter while it was read"* ]]
}

@test "every prefix of an annotation file is read or refused, never a crash" {
  photos
  mkdir f
  "$make_faces" formats f
  for file in coco.json fdf.json dlib.xml bbox.txt pts/drawn/000000.pts npy/000000.npy; do
    size=$(stat -c %s "f/$file")
    for step in 1 2 3 5 7 11 13; do
      head -c $((size * step / 17)) "f/$file" >cut
      run face-locate -q -a cut photos.msgpack -o out.msgpack
      [ "$status" = 0 ] || [ "$status" = 65 ]
    done
  done
}

@test "the real annotations fit the real photographs" {
  need_data train/annotations.jsonl
  exif-extract -q "$BLADES_DATA"/train/cameras/000*.jpg -o photos.msgpack
  run --separate-stderr face-locate -a "$BLADES_DATA/train/annotations.jsonl" photos.msgpack -o out.msgpack
  assert_status 0
  [[ "$stderr" == *" 0 photos without annotation"* ]]
}
