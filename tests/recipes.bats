# The recipes of examples/.

setup() {
  load helper
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_TMPDIR"
  face-synth -q -n 24 --size 48 -o p
  exif-extract p/*.jpg | face-locate -q -a p/annotations.jsonl | face-manipulate -q --size 32 -o faces.msgpack
}

@test "shards.sh: shards joined again hold every image once, with the scores of one run" {
  pretext-batch -q --tasks "$BLADES_ROOT/examples/tasks/coarse-only.json" --size 32 --batch 4 --epochs 1 faces.msgpack |
    blades-train -q --arch resnet18 --width 0.125 --embedding-dim 8 --text-layers 1 --text-width 16 --steps 1 -o m.safetensors
  embed -q -m m.safetensors -o e.msgpack p/*.jpg
  gmm-fit -q -k 1 --covariance diagonal -o g.safetensors e.msgpack
  "$BLADES_ROOT/examples/shards.sh" m.safetensors g.safetensors p 3 >shards.msgpack
  score -q -d g.safetensors e.msgpack | stream-dump | grep '"type":"score"' | sort >one
  stream-dump shards.msgpack | grep '"type":"score"' | sort >joined
  [ "$(wc -l <one)" = 24 ]
  cmp one joined
}

@test "ablation.sh: two runs, two figures" {
  run "$BLADES_ROOT/examples/ablation.sh" faces.msgpack "$BLADES_ROOT/examples/tasks/small.json" make 2
  assert_status 0
  [ "$(grep -cE '^(with|without) make: .*: [01]\.[0-9]{3}$' <<<"$output")" = 2 ]
}

@test "baselines.sh: a random encoder, the predecessor, a supervised detector, in one table" {
  face-synth -q -n 16 --size 48 --generator upsampler -o g
  photos() { # FOLDER LABEL: the second half of it is for the test
    exif-extract -q --set label="$2" --set source="$1" "$1"/*.jpg | face-locate -q -a "$1/annotations.jsonl" -o "$1.all"
  }
  photos p photographic
  photos g generated
  mkdir t && mv p/*1?.jpg t && exif-extract -q --set label=photographic --set source=p t/*.jpg |
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
