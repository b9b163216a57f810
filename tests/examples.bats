# The EXAMPLES of every man page run, in order, in a folder of their own; but for those behind a line .\" Not run: WHY.

setup() {
  load helper
  load fixture
  cd "$BATS_TEST_TMPDIR"
}

examples_of() { # PAGE
  awk '/^\.Sh /{on = $2 == "EXAMPLES"} /^\.\\" Not run: /{skip = 1} /^\.Bd/{shown = on && !skip; next} /^\.Ed/{shown = skip = 0}
       shown {gsub(/\\e/, "\\"); gsub(/\\-/, "-"); gsub(/\\&/, ""); print}' "$1"
}

@test "the examples of all man pages run" {
  fixture
  ln -s "$BLADES_ROOT" blades
  mkdir bin
  ln -s "$BLADES_ROOT/pipelines/blades-score" bin/
  failed=0
  for page in "$BLADES_ROOT"/man/*.1; do
    examples_of "$page" >script
    [ -s script ] || { echo "$page: no examples" >&2; failed=1; continue; }
    name=$(basename "$page" .1)
    rm -rf run && cp -r "$BLADES_BUILD/fixture" run
    # A tool may die of SIGPIPE (141) where the next one has seen enough.
    sed -i "1i trap 'status=\$?; [ \$status = 141 ] || exit \$status' ERR" script
    echo 'exit 0' >>script # the last one's 141 would be the script's status
    (cd run && PATH=$PWD/../bin:$PATH bash -o pipefail ../script) >out 2>error </dev/null ||
      { failed=1; echo "$name: an example failed:"; tail -5 error; } >&2
  done
  [ $failed = 0 ]
}

@test "what README says of one's own photographs runs" {
  face-synth -q -n 40 --size 64 -o photos
  mv photos/annotations.jsonl faces.json
  ln -s "$BLADES_ROOT/examples"
  sed -n '/^## Train on your own/,/^The same/p' "$BLADES_ROOT/README.md" | sed -n 's/^    //p' | grep -v '^make\|^PATH' >script
  [ "$(wc -l <script)" = 6 ]
  bash -e -o pipefail script >out
  [ "$(grep -c '"type":"score"' out)" = 40 ]
}
