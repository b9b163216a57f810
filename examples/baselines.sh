#!/bin/sh
# Baselines that need no weights from outside, on photo streams with faces (face-locate makes them):
#   random  the encoder as it was before training
#   zou25   the predecessor (Zou et al. 2025): four rankings and the coarse task, fixed weights, 12 components
#   cnnd    supervised, from pixels, like CNNDetection (Wang et al. 2020): photographic or generated is the only task
# each with a Gaussian mixture on photographs alone (OC), and a linear probe that is shown the generated faces (BC);
# cnnd's probe is the supervised detector. Every photo of TEST needs a label and a source; nothing is fitted to it.
# Usage: examples/baselines.sh TRAIN.photos GENERATED.photos TEST.photos FOLDER   (the tools must be on PATH)
# SIZE, BATCH, STEPS, SEED, COMPONENTS, TRAIN_OPTIONS, and METHODS in the environment change what is done; METHODS
# names further results to compare with, as evaluate's options: METHODS='--method ours=ours.scores'
set -eu

[ $# = 4 ] || { echo "usage: baselines.sh TRAIN.photos GENERATED.photos TEST.photos FOLDER" >&2; exit 64; }
train=$1 generated=$2 test=$3 out=$4
tasks=$(cd "$(dirname "$0")" && pwd)/tasks
size=${SIZE-64} batch=${BATCH-32} steps=${STEPS-600} seed=${SEED-0}
options=${TRAIN_OPTIONS---arch resnet18 --width 0.5 --embedding-dim 128 --text-layers 2 --text-width 64 --lr 1e-3 --lr-text 1e-4}
mkdir -p "$out"

face-manipulate -q --size "$size" -o "$out/photographs.faces" "$train"
face-manipulate -q --size "$size" --set label=generated -o "$out/generated.faces" "$generated"

# shellcheck disable=SC2086  # the options are words
learn() { # NAME STEPS TASKS OPTIONS-OF-PRETEXT-BATCH FACES...
  name=$1 count=$2 task=$3 choice=$4
  shift 4
  pretext-batch -q --tasks "$tasks/$task" --size "$size" --batch "$batch" --epochs 100000 --seed "$seed" --flip $choice "$@" |
    blades-train -q $options --weights equal --steps "$count" --seed "$seed" -o "$out/$name.safetensors"
}
learn random 0 coarse-only.json '' "$out/photographs.faces"
learn zou25 "$steps" zou25.json '' "$out/photographs.faces"
untouched='--draw mouth-vflip=0 --draw mouth-hflip=0 --draw eye-hflip=0 --draw warp=0'
learn cnnd "$steps" generated.json "--with-generated --balance label $untouched" "$out/photographs.faces" "$out/generated.faces"

set --
for name in random zou25 cnnd; do
  components=${COMPONENTS-10}
  [ $name != zou25 ] || components=${COMPONENTS-12}
  embed -q -m "$out/$name.safetensors" --set label=photographic -o "$out/$name.train" "$train"
  embed -q -m "$out/$name.safetensors" --set label=generated -o "$out/$name.generated" "$generated"
  embed -q -m "$out/$name.safetensors" -o "$out/$name.test" "$test"
  gmm-fit -q -k "$components" --seed "$seed" -o "$out/$name.oc" "$out/$name.train"
  mlp-fit -q --classifier linear --seed "$seed" -o "$out/$name.bc" "$out/$name.train" "$out/$name.generated"
  for kind in oc bc; do
    score -q -d "$out/$name.$kind" -o "$out/$name-$kind.scores" "$out/$name.test"
    set -- "$@" --method "$name-$kind=$out/$name-$kind.scores"
  done
done
# shellcheck disable=SC2086
evaluate --table auc "$@" ${METHODS-}
echo
# shellcheck disable=SC2086
evaluate --table differences --compare random-oc "$@" ${METHODS-}
