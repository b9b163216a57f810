# pipelines/real.mk on a handful of real photographs, where there are some; and the reports' helpers.

setup() {
  load helper
  cd "$BATS_TEST_TMPDIR"
}

experiment() { # ARGUMENTS of make
  env -u MAKEFLAGS -u MAKELEVEL make -s -C "$BLADES_ROOT" -f pipelines/real.mk BUILD="$BLADES_BUILD" OUT="$BATS_TEST_TMPDIR/out" SIZE=48 WIDTH=0.125 DIMENSION=16 BATCH=8 \
    STEPS=2 COMPONENTS=1 GMM_OPTIONS="--covariance diagonal" "$@"
}

# A folder like the one of real photographs: train/ and bench/, some pictures of each of some sources.
few_of() { # SIDE SOURCE COUNT
  mkdir -p "data/$1/$2"
  find "$BLADES_DATA/$1/$2" -name '*.jpg' | LC_ALL=C sort | head -n "$3" | xargs -I{} ln -s {} "data/$1/$2/"
  grep "\"path\": *\"$2/" "$BLADES_DATA/$1/annotations.jsonl" | head -n "$3" >>"data/$1/annotations.jsonl"
}

@test "a handful of real photographs: from files to a table and a report" {
  need_data train bench
  few_of train cameras 12
  few_of train congress 12
  few_of train progan 8
  few_of bench stock 8
  few_of bench stylegan2 8
  experiment DATA="$BATS_TEST_TMPDIR/data" >out.txt 2>err.txt || { tail -5 err.txt >&2; false; }
  grep -q '^stylegan2 ' out/tables.txt
  grep -q '^BC' out/tables.txt
  [ "$(stream-dump out/train.photos | grep -c '"landmarks"')" = 32 ]
  [ "$(stream-dump out/train.photos | grep -c '"make"')" -ge 12 ]
  stream-dump --verify out/test.embeddings
  grep -q '</html>' out/report.html
  ! grep 'drawn' out/report.html || false
  experiment -q DATA="$BATS_TEST_TMPDIR/data"
}

@test "a folder of photographs alone: a model and a detector, no table" {
  face-synth -q -n 24 --size 64 -o data
  experiment DATA="$BATS_TEST_TMPDIR/data" >out.txt 2>err.txt || { tail -5 err.txt >&2; false; }
  [ -s out/gmm.safetensors ]
  [ ! -e out/tables.txt ]
  grep -q '</html>' out/report.html
  # other weights to begin with: trained again
  experiment -q DATA="$BATS_TEST_TMPDIR/data"
  cp out/model.safetensors before.safetensors
  run experiment -q DATA="$BATS_TEST_TMPDIR/data" INIT="$PWD/before.safetensors"
  [ "$status" = 1 ]
  experiment -n DATA="$BATS_TEST_TMPDIR/data" INIT="$PWD/before.safetensors" >commands.txt
  grep -q 'blades-train --init .*before.safetensors' commands.txt
}

@test "real.mk without DATA, and with a folder that is missing, says so" {
  run make -s -C "$BLADES_ROOT" -f pipelines/real.mk BUILD="$BLADES_BUILD"
  [ "$status" = 2 ]
  [[ "$output" == *"DATA=FOLDER"* ]]
  run experiment DATA=/no/such/folder
  [ "$status" = 2 ]
  [[ "$output" == *"/no/such/folder"* ]]
}

@test "select-tasks keeps and drops tasks, and names one that is not there" {
  local reference="$BLADES_ROOT/examples/tasks/reference.json" select="$BLADES_ROOT/pipelines/select-tasks"
  "$select" only "$reference" make coarse >only.json
  [ "$(grep -c '"name": "\(make\|coarse\)"' only.json)" = 2 ]
  [ "$(grep -c '"kind"' only.json)" = 2 ]
  "$select" without "$reference" make >without.json
  [ "$(grep -c '"kind"' without.json)" = "$(($(grep -c '"kind"' "$reference") - 1))" ]
  face-synth -q -n 12 --size 48 -o p
  exif-extract p/*.jpg | face-locate -q -a p/annotations.jsonl | face-manipulate -q --size 32 -o faces.msgpack
  pretext-batch -q --tasks only.json --size 32 --batch 4 --epochs 1 --val-fraction 0.3 faces.msgpack | stream-dump --header | grep -q '"others"'
  run "$select" without "$reference" aura
  assert_status 65
  run "$select" all "$reference" make
  assert_status 64
}
