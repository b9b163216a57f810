# pipelines/real-faces.mk on drawn faces: which photographs each stage sees, and its tables.

setup() {
  load helper
  cd "$BATS_TEST_TMPDIR"
}

# Pictures of one source into data/SIDE/SOURCE, with their annotations.
source_of() { # SIDE SOURCE COUNT FIRST [face-synth options]
  local side=$1 source=$2 count=$3 first=$4
  shift 4
  mkdir -p "data/$side"
  face-synth -q -n "$count" --first "$first" --size 48 --set source="$source" "$@" -o "data/$side/$source"
  sed "s,\"path\":\",&$source/,; s/\"source\":\"[^\"]*\"/\"source\":\"$source\"/" "data/$side/$source/annotations.jsonl" \
    >>"data/$side/annotations.jsonl"
  rm "data/$side/$source/annotations.jsonl"
}

experiment() { # ARGUMENTS of make
  env -u MAKEFLAGS -u MAKELEVEL make -s -C "$BLADES_ROOT" -f pipelines/real-faces.mk BUILD="$BLADES_BUILD" \
    FACES="$BATS_TEST_TMPDIR/data" OUT="$BATS_TEST_TMPDIR/out" BATCH=8 PRETRAIN="24+3:1 32+4:1" EPOCHS=1 WIDTH=0.125 \
    DIMENSION=8 SMALL=little MATCHED="famous others" GENERATED=smoother PAIRS=upsampler=famous UNPAIRED=smoother EXPERIMENTS="equal pretrained random" \
    GMM_OPTIONS="-k 1 --covariance diagonal" "$@"
}

@test "real faces: nine of ten train, the tenth is held out, the bench is seen by the tables alone" {
  source_of train famous 24 0
  source_of train others 20 1000
  source_of train little 16 2000
  source_of train smoother 8 3000 --generator smoother
  source_of bench famous 8 4000
  source_of bench upsampler 8 5000 --generator upsampler
  source_of bench smoother 6 6000 --generator smoother
  out=$BATS_TEST_TMPDIR/out
  experiment "$out"/{coarse,oc-all,oc-matched,oc-own,bc-all,bc-matched}.txt >make.txt 2>err.txt || { tail -5 err.txt >&2; false; }
  ids() { stream-dump "$1" | grep -o '"path":"[^"]*"' | sort; }
  ids out/all-fit.photos >fit
  ids out/all-held.photos >held
  [ "$(wc -l <fit)" = 62 ]
  [ "$(wc -l <held)" = 6 ]
  [ -z "$(comm -12 fit held)" ]
  [ "$(ids out/large-fit.photos | grep -c /little/)" = 0 ]
  [ "$(ids out/matched-fit.photos | grep -vc '/famous/\|/others/')" = 0 ]
  [ "$(ids out/famous-fit.photos | grep -vc /famous/)" = 0 ]
  [ "$(ids out/famous-held.photos | wc -l)" = 2 ]
  [ "$(ids out/bench-famous.photos | grep -c '/bench/famous/\|/bench/upsampler/')" = 16 ]
  [ "$(stream-dump out/bench-unpaired.photos | grep -o '"source":"[a-z]*"' | sort | uniq -c | tr -d ' \n')" = \
    '8"source":"photographs"6"source":"smoother"' ]
  [ "$(ids out/generated-fit.photos | grep -vc /smoother/)" = 0 ]
  stream-dump out/faces.msgpack | grep -c /bench/ >n || true
  [ "$(cat n)" = 0 ]
  # each face is scored once, by the mixture of its kind
  for stream in bench-famous bench-unpaired; do
    [ $stream = bench-famous ] && mixture=famous || mixture=matched
    score -q -d out/equal/gmm-$mixture.safetensors out/equal/$stream.embeddings -o $stream.scores
  done
  scores() { stream-dump "$@" | grep -o '"id":"[^"]*".*"score":[^,]*' | sort; }
  cmp <(scores bench-famous.scores bench-unpaired.scores) <(scores out/equal/gmm-own.scores)
  [ "$(scores out/equal/gmm-own.scores | wc -l)" = 30 ]
  for table in oc-own {oc,bc}-{all,matched}; do
    [ "$(grep -cE '^(equal|pretrained|random) ' out/$table.txt)" -ge 3 ]
    grep -q upsampler out/$table.txt
  done
  [ "$(grep -cE '^equal +[0-9]+ +[0-9.]+ +[0-9.]+ +[0-9.]+$' out/coarse.txt)" = 1 ]
  # weights 0 for the tags leave the pretraining to the manipulations
  grep -q '"lambda":{"iso":0.0,.*"coarse":1.0,"fine":1.0}' out/pretraining-32.log
  [ -s out/pretrained-24.safetensors ]
  experiment -q "$out"/{oc-all,oc-matched,oc-own,bc-all,bc-matched,coarse}.txt
  # what sets the experiments apart that are not run here
  experiment -n OUT="$out.other" EXPERIMENTS="blades equal no-exif zou25 pretrained random" >make.txt
  sed ':a; /\\$/ { N; s/\\\n//; ba }' make.txt >commands
  trained() { grep "bin/blades-train .*other/$1/"; }
  for name in equal zou25; do trained $name <commands | grep -q -- '--init .*--weights equal'; done
  [ "$(grep -c 'blades-train .*--weights equal' commands)" = 2 ]
  trained no-exif <commands | grep -q 'manipulation.json'
  trained zou25 <commands | grep -q 'zou25.json'
  trained random <commands | grep -q -- '--steps 0'
}

@test "held-out-coarse: means over the validated batches of the last epoch" {
  line() { # EPOCH LOSS ACCURACY AUC
    printf '{"step":1,"epoch":%s,"validation_loss":%s,"validation_accuracy":%s,"validation_auc":%s,"lambda":{}}\n' "$@"
  }
  { line 0 9 0.1 0.1; line 11 0.2 0.5 0.6; echo '{"step":2,"epoch":11,"total_loss":7}'; line 11 4e-1 1.0 0.8; } >one.log
  { line 0 0.1 0.25 0.5; line 1 0.3 0.75 0.5; } >two.log
  run "$BLADES_ROOT/pipelines/held-out-coarse" first=one.log second=two.log
  assert_status 0
  [[ "${lines[1]}" =~ ^first\ +2\ +0.3000\ +75.0\ +70.0$ ]]
  [[ "${lines[2]}" =~ ^second\ +1\ +0.3000\ +75.0\ +50.0$ ]]
  echo '{"step":2,"epoch":11,"total_loss":7}' >none.log
  run "$BLADES_ROOT/pipelines/held-out-coarse" none=none.log
  assert_status 65
}

@test "real-faces.mk without a folder, and with one that lacks annotations, says so" {
  run make -s -C "$BLADES_ROOT" -f pipelines/real-faces.mk BUILD="$BLADES_BUILD"
  [ "$status" = 2 ]
  [[ "$output" == *"FACES=FOLDER"* ]]
  mkdir data
  run experiment
  [ "$status" = 2 ]
  [[ "$output" == *"data/train/annotations.jsonl: no such file"* ]]
}
