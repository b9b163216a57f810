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
  for page in "$BLADES_ROOT"/man/*.1 "$BLADES_ROOT"/man/blades.7; do
    examples_of "$page" >script
    [ -s script ] || { echo "$page: no examples" >&2; failed=1; continue; }
    name=$(basename "$page")
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
  face-synth -q -n 3 --first 100 --size 64 -o others
  mv others/annotations.jsonl others.json
  ln -s "$BLADES_ROOT/examples"
  sed -n '/^## Train on your own/,/^The same/p' "$BLADES_ROOT/README.md" | sed -n 's/^    //p' | grep -v '^make\|^PATH' >script
  [ "$(grep -c 'epochs 20\|size 64' script)" = 3 ]
  sed -i 's/epochs 20/epochs 2/; s/size 64/size 32/; s/width 0.25/width 0.125/' script # the same, sooner
  bash -e -o pipefail script >out
  [ "$(grep -c '^others/.*: looks ' out)" = 3 ]
}

@test "what examples/annotating.md says runs, section by section" {
  fixture
  face-synth -q -n 1 --size 400 -o large
  mv large/000000.jpg photo.jpg
  mv photos crops
  cp -r crops photos
  mkdir bin
  cat >bin/imglab <<'END'
# Stands in for dlib's: the first call makes the list, the second draws boxes.
[ "$1" = -c ] || exit 0
{
  echo '<dataset><images>'
  shift 2
  for file; do echo "<image file='$file'><box top='20' left='20' width='50' height='50'/></image>"; done
  echo '</images></dataset>'
} >faces.xml
END
  chmod +x bin/imglab
  ln -s "$BLADES_ROOT/pipelines/blades-score" bin/
  awk '/^## /{section++} section && sub(/^    /, "") {print > ("section" section)}' "$BLADES_ROOT/examples/annotating.md"
  [ "$(ls section* | wc -l)" = 4 ]
  # an answer "looks generated" is no failure
  sed -i '/^blades-score/s/ *\(#.*\)*$/ || [ $? = 1 ]/' section*
  for section in section*; do
    rm -rf run
    mkdir run
    cp -r photo.jpg photos crops faces.json model.safetensors detector.safetensors run
    (cd run && PATH=$PWD/../bin:$PATH bash -e -o pipefail ../$section) >out 2>error || { echo "$section: $(cat out error)" >&2; return 1; }
    grep -q '#0: looks \|^crops/.*: looks ' out || { echo "$section: $(cat out error)" >&2; return 1; }
  done
}
