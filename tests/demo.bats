# make demo, at a small size: what it makes, what it makes again, and that nothing but the inputs decides the bytes.

setup_file() {
  load helper
  cd "$BATS_FILE_TMPDIR"
  demo -j2 >two.txt 2>err.txt || { tail -5 err.txt >&2; return 1; }
  mv demo two # ids are paths, so both are made in one place
  demo -j1 >out.txt 2>err.txt || { tail -5 err.txt >&2; return 1; }
}

setup() {
  load helper
  cd "$BATS_FILE_TMPDIR"
}

demo() { # ARGUMENTS of make
  env -u MAKEFLAGS -u MAKELEVEL make -s -C "$BLADES_ROOT" BUILD="$BLADES_BUILD" DEMO="$BATS_FILE_TMPDIR/demo" DEMO_PHOTOS=48 \
    DEMO_SHOWN=16 DEMO_TEST=8 DEMO_STEPS=3 DEMO_SIZE=64 demo "$@"
}

@test "demo: tables of every stand-in, weights, the plain word that the faces are drawn, a report" {
  for generator in upsampler smoother blender quantiser; do
    [ "$(grep -c "^$generator  *8  *8 " out.txt)" = 2 ] # by the mixture and by the perceptron
  done
  grep -q '^  coarse  *[01]\.[0-9]' out.txt
  grep -q 'The faces are drawn, not photographed' out.txt
  grep -q '<b>The faces are drawn, not photographed.</b>' demo/report.html
  [ "$(grep -c '<svg' demo/report.html)" = 8 ]
  [ "$(grep -c '<img ' demo/report.html)" = 41 ]
  for plot in oc-roc oc-histogram bc-roc bc-histogram training-weights training-lambda training-losses tsne; do
    grep -q '</svg>' demo/$plot.svg
  done
}

@test "demo: the report's figures are those of the files" {
  read -r auc tnr < <(awk -F'\t' '/^# /{oc = /OC/} oc && $1 == "blender" {printf "%.1f %.1f\n", 100 * $7, 100 * $11}' demo/result.tsv)
  grep -q "<tr><td>blender</td><td>[0-9.]*</td><td>$auc</td><td>$tnr</td>" demo/report.html
  weight=$(tail -n 1 demo/training.jsonl | sed 's/.*"lambda":{[^}]*"coarse":\([0-9.]*\).*/\1/')
  [ "$weight" != 1.0 ]
  grep -q "<tr><td>coarse</td><td>$(printf %.4f "$weight")</td></tr>" demo/report.html
  grep -q '"tool":"face-locate"' demo/provenance.json
  grep -q '{&quot;tool&quot;:&quot;score&quot;' demo/report.html
}

@test "demo: a second run does nothing" {
  run demo
  assert_status 0
  [ -z "$output" ]
  demo -q
}

@test "demo: a tool that changed runs its stage and those behind it, and no other" {
  failed=0
  # each with the tools whose stages come before it
  while read -r tool before; do
    demo -n -W "$BLADES_BUILD/bin/$tool" >commands
    grep -q "bin/$tool " commands && grep -q '^pipelines/report ' commands || { echo "$tool is not run again" >&2; failed=1; }
    for other in $before; do
      ! grep "bin/$other " commands || { echo "$tool: $other is run again" >&2; failed=1; }
    done
  done <<'END_OF_TOOLS'
face-synth
exif-extract face-synth
face-locate face-synth
face-manipulate face-synth exif-extract face-locate
pretext-batch face-synth exif-extract face-locate face-manipulate
blades-train face-synth exif-extract face-locate face-manipulate
embed face-synth exif-extract face-locate face-manipulate pretext-batch blades-train
gmm-fit face-synth exif-extract face-manipulate blades-train embed mlp-fit tsne
mlp-fit face-synth exif-extract face-manipulate blades-train embed gmm-fit tsne
score face-synth exif-extract face-manipulate blades-train embed gmm-fit mlp-fit tsne
evaluate face-synth exif-extract face-manipulate blades-train embed gmm-fit mlp-fit score tsne
tsne face-synth exif-extract face-manipulate blades-train embed gmm-fit mlp-fit score evaluate
stream-dump face-synth exif-extract face-manipulate blades-train embed gmm-fit mlp-fit score evaluate tsne
END_OF_TOOLS
  for file in examples/tasks/reference.json:blades-train pipelines/plot-evaluation:plot-evaluation pipelines/plot-training:plot-training \
    pipelines/report:report; do
    demo -n -W "${file%:*}" >commands
    grep -q "/${file#*:} " commands || { echo "$file does not lead to ${file#*:}" >&2; failed=1; }
  done
  for file in photographs.photos:face-manipulate faces.msgpack:blades-train unseen-photographs.photos:embed test.embeddings:score fit.embeddings:mlp-fit generated.embeddings:mlp-fit \
    gmm.safetensors:score gmm.scores:evaluate mlp.scores:evaluate model.safetensors:embed training.jsonl:plot-training; do
    demo -n -W "$BATS_FILE_TMPDIR/demo/${file%:*}" >commands
    grep -q "/${file#*:} " commands && grep -q '^pipelines/report ' commands ||
      { echo "${file%:*} does not lead to ${file#*:}" >&2; failed=1; }
  done
  [ $failed = 0 ]
}

@test "demo: -j2 makes the same bytes as -j1" {
  diff -r demo two
  cmp out.txt two.txt
}
