# The recipes of examples/.

setup() {
  load helper
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
