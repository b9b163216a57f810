# A small run of the whole chain, made once a build: photos, streams, a model, a detector. `fixture` copies it into the
# current folder. Tests of several files share it; the lock keeps them from making it twice.
fixture_make() { # FOLDER
  local folder=$1 partial=$1.partial
  rm -rf "$partial"
  mkdir -p "$partial"
  (
    set -e -o pipefail
    cd "$partial"
    cp "$BLADES_ROOT/examples/tasks/small.json" tasks.json
    face-synth -q -n 12 --size 96 -o photos
    face-synth -q -n 12 --size 96 --generator upsampler -o generated
    mv photos/annotations.jsonl faces.json
    rm generated/annotations.jsonl
    exif-extract -q photos/*.jpg >photos.msgpack
    face-locate -q --annotations faces.json photos.msgpack | face-manipulate -q --size 64 >faces.msgpack
    pretext-batch -q --tasks tasks.json --size 32 --batch 4 --val-fraction 0.3 --epochs 2 faces.msgpack >batch.msgpack
    blades-train -q --arch resnet18 --width 0.125 --embedding-dim 16 --text-layers 1 --text-width 32 --steps 2 \
      -o model.safetensors batch.msgpack
    embed -q -m model.safetensors --set label=photographic --set source=drawn photos >embeddings.msgpack
    embed -q -m model.safetensors --set label=generated --set source=upsampler generated >generated.msgpack
    gmm-fit -q -k 2 --regularisation 1e-3 -o detector.safetensors embeddings.msgpack
    score -q -d detector.safetensors embeddings.msgpack generated.msgpack >scores.msgpack
  ) || return 1
  rm -rf "$folder"
  mv "$partial" "$folder"
}

fixture() {
  local folder="$BLADES_BUILD/fixture" tool
  mkdir -p "$BLADES_BUILD"
  (
    flock 9
    for tool in "$BLADES_BUILD"/bin/*; do
      [ "$folder/scores.msgpack" -nt "$tool" ] || { fixture_make "$folder"; exit; }
    done
  ) 9>"$BLADES_BUILD/fixture.lock" || return 1
  cp -r "$folder"/. .
}
