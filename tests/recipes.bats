# The recipes of examples/, and the pipelines for the paper's data.

setup() {
  load helper
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_TMPDIR"
}

drawn_faces() {
  face-synth -q -n 24 --size 48 -o p
  exif-extract p/*.jpg | face-locate -q -a p/annotations.jsonl | face-manipulate -q --size 32 -o faces.msgpack
}

@test "shards.sh: shards joined again hold every image once, with the scores of one run" {
  drawn_faces
  pretext-batch -q --tasks "$BLADES_ROOT/examples/tasks/coarse-only.json" --size 32 --batch 4 --epochs 1 faces.msgpack |
    blades-train -q --arch resnet18 --width 0.125 --embedding-dim 8 --text-layers 1 --text-width 16 --steps 1 -o m.safetensors
  embed -q -m m.safetensors -o e.msgpack p/*.jpg
  gmm-fit -q -k 1 --covariance diagonal -o g.safetensors e.msgpack
  shards() { "$BLADES_ROOT/examples/shards.sh" m.safetensors g.safetensors "$1" 3 work; }
  shards p >shards.msgpack
  score -q -d g.safetensors e.msgpack | stream-dump | grep '"type":"score"' | sort >one
  stream-dump shards.msgpack | grep '"type":"score"' | sort >joined
  [ "$(wc -l <one)" = 24 ]
  cmp one joined
  # what is there is not made again, what is missing is
  touch -d '1 hour ago' work/shard-*.embeddings
  rm work/shard-ab.embeddings
  shards p >again.msgpack
  cmp shards.msgpack again.msgpack
  [ "$(find work -name 'shard-*.embeddings' -mmin -30)" = work/shard-ab.embeddings ]
  # other images are not mixed with them; any name and ending will do
  mkdir odd
  cp p/000000.jpg $'odd/a\nb.JPEG'
  cp p/000001.jpg odd/c.jpg
  run shards odd
  assert_status 65
  rm -r work
  shards odd >odd.msgpack
  [ "$(stream-dump --count odd.msgpack)" = "2 records, 0 errors" ]
}

@test "ablation.sh: two runs, two figures" {
  drawn_faces
  run "$BLADES_ROOT/examples/ablation.sh" faces.msgpack "$BLADES_ROOT/examples/tasks/small.json" make 2
  assert_status 0
  [ "$(grep -cE '^(with|without) make: .*: [01]\.[0-9]{3}$' <<<"$output")" = 2 ]
}

@test "baselines.sh: a random encoder, the predecessor, a supervised detector, in one table" {
  drawn_faces
  face-synth -q -n 16 --size 48 --generator upsampler -o g
  photos() { # FOLDER LABEL: the second half of it is for the test
    exif-extract -q --set label="$2" --set source="$1" "$1"/*.jpg | face-locate -q -a "$1/annotations.jsonl" -o "$1.all"
  }
  photos p photographic
  photos g generated
  mkdir t
  mv p/*1?.jpg t
  exif-extract -q --set label=photographic --set source=p t/*.jpg |
    face-locate -q -a p/annotations.jsonl -o test.p
  exif-extract -q p/*.jpg | face-locate -q -a p/annotations.jsonl -o train.photos
  cat test.p g.all >test.photos
  SIZE=32 BATCH=4 STEPS=1 COMPONENTS=1 TRAIN_OPTIONS='--arch resnet18 --width 0.125 --embedding-dim 8 --text-layers 1 --text-width 16' \
    run "$BLADES_ROOT/examples/baselines.sh" train.photos g.all test.photos out
  assert_status 0
  for name in random zou25 cnnd; do
    for kind in oc bc; do
      [ "$(grep -cE "^$name-$kind +[0-9]" <<<"$output")" = 1 ]
      stream-dump --count out/$name-$kind.scores | grep -q '^26 records, 0 errors'
    done
  done
  [ "$(grep -cE '^(zou25|cnnd|random)-[ob]c - random-oc +(g|mean) ' <<<"$output")" = 10 ]
  # each was made as it says: other weights, and only the supervised one saw generated faces
  run ! cmp -s out/random.safetensors out/zou25.safetensors
  run ! cmp -s out/cnnd.safetensors out/zou25.safetensors
  stream-dump out/generated.faces | grep -c '"label":"generated"' >n
  [ "$(cat n)" -ge 16 ]
  strings out/cnnd.safetensors | grep -q 'a generated face'
}

# FDF as it comes: images without EXIF, fdf_metainfo.json, the photographs' tags apart.
make_fdf() {
  face-synth -q -n 16 --size 64 --generator smoother -o fdf
  python3 - <<'END'
import json
rows = [json.loads(line) for line in open("fdf/annotations.jsonl")]
entries = {}
for row in rows:
    box, marks = row["faces"][0]["box"], row["faces"][0]["landmarks"]
    point = lambda *indices: [sum(marks[2 * i + k] for i in indices) / len(indices) / 64 for k in (0, 1)]
    x0, y0, x1, y1 = (v / 64 for v in box)
    entries[row["path"][:-4]] = {"bounding_box": [x0, y0, x1, y1], "landmark":
        [point(33), point(42, 45), point(36, 39), point(16), point(0), [x1, y1], [x0, y1]]}
entries["999999"] = entries["000000"]
json.dump(entries, open("fdf/fdf_metainfo.json", "w"))
with open("flickr.json", "w") as tags:
    for i, row in enumerate(rows[:-1]):
        print(json.dumps({"photo_id": row["path"][:-4], "Make": ["Canon", "Sony"][i % 2], "ISO": [100, 400, 1600][i % 3]}), file=tags)
END
  rm fdf/annotations.jsonl
  face-synth -q -n 1 --first 500 --size 64 -o more
  mv more/000500.jpg fdf # that the metadata does not know
}

pipeline() { # NAME VARIABLES...
  env -u MAKEFLAGS -u MAKELEVEL make -s -C "$BLADES_ROOT" -f "pipelines/$1.mk" BUILD="$BLADES_BUILD" "${@:2}" \
    >out.txt 2>err.txt || { tail -5 err.txt >&2; return 1; }
}

@test "fdf.mk prepares FDF; paper.mk runs experiments on it, to one table" {
  make_fdf
  pipeline fdf FDF="$PWD/fdf" METADATA="$PWD/flickr.json" OUT="$PWD/fdf.out" FACE_OPTIONS="--size 32"
  stream-dump fdf.out/fdf.photos | tail -n +2 >photos
  [ "$(grep -c '"label":"photographic","source":"fdf"' photos)" = 16 ]
  [ "$(grep -c '"make":"\(Canon\|Sony\)"' photos)" = 15 ]
  [ "$(grep -c '"scheme":"7"' photos)" = 16 ]
  stream-dump fdf.out/faces.msgpack | grep -q '"manipulation":"eye-hflip"'
  grep -q '1 without a photo' err.txt

  mkdir test shown
  face-synth -q -n 6 --first 100 --size 64 -o test/photographs
  face-synth -q -n 6 --first 200 --size 64 --generator upsampler -o test/upsampler
  face-synth -q -n 6 --first 300 --size 64 --generator quantiser -o test/quantiser
  rm test/quantiser/annotations.jsonl
  face-synth -q -n 6 --first 400 --size 64 --generator upsampler -o shown/upsampler
  pipeline paper TRAIN="$PWD/fdf.out/fdf.photos" TEST_SETS="$PWD/test" SHOWN="$PWD/shown" OUT="$PWD/paper" SIZE=32 \
    ARCH=resnet18 WIDTH=0.125 DIMENSION=8 BATCH=4 EPOCHS=1 COMPONENTS=1 EXPERIMENTS="blades random only-make" \
    TRAIN_OPTIONS="--text-layers 1 --text-width 16 --steps 2 --lr 1e-2"
  for method in blades random only-make; do
    grep -q "^$method " paper/tables.txt
    grep -q "^$method-BC " paper/tables.txt
    grep -q '</html>' paper/$method/report.html
  done
  [ "$(wc -l <paper/blades/training.jsonl)" = 2 ]
  [ "$(wc -l <paper/random/training.jsonl)" = 0 ]
  tail -n 1 paper/only-make/training.jsonl | grep -q '"lambda":{"make":[0-9.]*,"coarse":[0-9.]*}'
  [ "$(sed -n '/AUC by generator/,/^$/p' paper/tables.txt | grep -cE '^(blades|random) ')" = 2 ]
  # What sets the experiments apart that are not run here.
  pipeline paper -n TRAIN="$PWD/fdf.out/fdf.photos" TEST_SETS="$PWD/test" OUT="$PWD/other" \
    EXPERIMENTS="blades equal no-exif zou25 random without-make"
  sed ':a; /\\$/ { N; s/\\\n//; ba }' out.txt >commands
  made() { grep "bin/$1 .*other/$2/" commands; }
  [ "$(grep -c 'blades-train .*--weights equal' commands)" = 2 ]
  made blades-train equal | grep -q 'reference.json .*--weights equal'
  made blades-train zou25 | grep -q 'zou25.json .*--weights equal'
  made blades-train no-exif | grep -q manipulation.json
  made blades-train random | grep -q -- '--steps 0'
  made blades-train without-make | grep -q other/without-make.json
  made gmm-fit zou25 | grep -q -- '-k 12 '
  made gmm-fit blades | grep -q -- '-k 10 '
  [ "$(grep -c 'face-manipulate' commands)" = 1 ]
  # All three trained on the same faces; another run has nothing left to do.
  pipeline paper -q TRAIN="$PWD/fdf.out/fdf.photos" TEST_SETS="$PWD/test" SHOWN="$PWD/shown" OUT="$PWD/paper" SIZE=32 \
    EXPERIMENTS="blades random only-make"
}

@test "held-out-coarse says which argument or log is wrong, and nothing else" {
  held() { "$BLADES_ROOT/pipelines/held-out-coarse" "$@"; }
  run held a=nosuch
  assert_status 66
  [ "$output" = "held-out-coarse: nosuch: cannot be read" ]
  touch log
  for wrong in log =log a=; do
    run held $wrong
    assert_status 64
    [ "${lines[0]}" = "held-out-coarse: '$wrong' is not NAME=LOG" ]
  done
}

@test "pipelines: names with newlines are read, names with blanks and other folders are refused by name" {
  face-synth -q -n 8 --size 48 -o data
  rm data/annotations.jsonl
  mv data/000000.jpg $'data/a\nb.jpg'
  pipeline real DATA="$PWD/data" OUT="$PWD/out" "$PWD/out/train.photos"
  [ "$(stream-dump --count out/train.photos)" = "8 records, 0 errors" ]
  cp -r data "my photos"
  run pipeline real DATA="$PWD/my photos" OUT="$PWD/out"
  grep -q "my photos: names with blanks are not supported by make" err.txt
  for name in real fdf paper; do
    run env -u MAKEFLAGS -u MAKELEVEL make -f "$BLADES_ROOT/pipelines/$name.mk" DATA=data
    [ "$status" = 2 ]
    [[ "$output" == *"run this in the top folder of BLADES: make -C $BLADES_ROOT -f pipelines/$name.mk"* ]]
    [[ "$output" != *"No such file"* ]]
  done
}

@test "plot-evaluation draws files and titles of any name" {
  line() { printf '%s\n' "$@"; }
  mkdir "it's"
  line '"he said `id` & '"it's"' <b>"' '0 0 2' '0.5 0.9 1' '1 1 0' >"it's/roc.data"
  line '"a"' '0 1 2 0.5' '1 2 2 0.5' '' '' '"b"' '0 1 1 0.2' '1 2 4 0.8' >"it's/histogram.data"
  "$BLADES_ROOT/pipelines/plot-evaluation" "it's/roc.data" "it's/histogram.data" "it's/plot"
  grep -q 'he said `id` &amp; it' "it's/plot-roc.svg"
  grep -q '</svg>' "it's/plot-histogram.svg"
  # a name that is a command to gnuplot
  cp "it's/roc.data" "x'.system('touch made').'"
  "$BLADES_ROOT/pipelines/plot-evaluation" "x'.system('touch made').'" '' plot
  [ ! -e made ]
  [ -s plot-roc.svg ]
}

@test "make help lists the targets, make install takes folders with blanks" {
  in_top() { env -u MAKEFLAGS -u MAKELEVEL make -s -C "$BLADES_ROOT" BUILD="$BLADES_BUILD" "$@"; }
  in_top help PKG_CONFIG=false >targets.txt
  for target in demo check parity bench fuzz lint install clean; do
    grep -q "^make $target " targets.txt || { echo "$target" >&2; return 1; }
  done
  in_top install DESTDIR="$PWD/a b" PREFIX=/usr
  for file in bin/embed bin/blades-score share/man/man1/embed.1 share/blades/tasks/reference.json; do
    [ -s "a b/usr/$file" ]
  done
  "a b/usr/bin/blades-score" --version | grep -q BLADES
}
