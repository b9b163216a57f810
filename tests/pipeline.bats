# The chain end to end, and what every tool promises about streams.

setup() {
  load helper
  load fixture
  cd "$BATS_TEST_TMPDIR"
}

# Tools that read streams: name, input, command line.
readers() {
  cat <<'END'
stream-dump faces.msgpack stream-dump
face-locate photos.msgpack face-locate --whole
face-manipulate located.msgpack face-manipulate --size 32
pretext-batch faces.msgpack pretext-batch --tasks tasks.json --batch 2 --val-fraction 0.3
blades-train batch.msgpack blades-train --arch resnet18 --width 0.125 --embedding-dim 8 --text-layers 1 --text-width 32
embed faces.msgpack embed -m model.safetensors
gmm-fit embeddings.msgpack gmm-fit -k 1 --regularisation 1e-3
mlp-fit labelled.msgpack mlp-fit --epochs 2
score embeddings.msgpack score -d detector.safetensors
evaluate scores.msgpack evaluate --bootstrap 10
tsne embeddings.msgpack tsne --method pca
END
}

inputs() {
  fixture
  face-locate -q --annotations faces.json photos.msgpack >located.msgpack
  cat embeddings.msgpack generated.msgpack >labelled.msgpack
}

each_reader() { # COMMAND, called with NAME INPUT and the command line in ${line[@]}
  local name input rest failed=0
  while read -r name input rest; do
    read -ra line <<<"$rest"
    "$1" "$name" "$input" || { echo "$name: failed" >&2; failed=1; }
  done < <(readers)
  [ $failed = 0 ]
}

@test "every reader takes the whole stream, from a pipe and from a file" {
  inputs
  check() {
    "${line[@]}" -q <"$2" >from-stdin 2>error && cat "$2" | "${line[@]}" -q - >from-pipe 2>>error &&
      "${line[@]}" -q <(cat "$2") >from-operand 2>>error && "${line[@]}" -q "$2" >from-file 2>>error ||
      { cat error >&2; return 1; }
    [ -s from-file ] && cmp from-file from-stdin && cmp from-file from-pipe && cmp from-file from-operand
  }
  each_reader check
}

@test "every reader refuses a stream cut anywhere with 65 and names the record" {
  inputs
  check() {
    local size cut status
    size=$(stat -c %s "$2")
    for cut in 0 1 7 $((size / 3)) $((size / 2)) $((size - 20)) $((size - 1)); do
      status=0
      rm -f result
      head -c "$cut" "$2" | timeout 60 "${line[@]}" -o result >/dev/null 2>error || status=$?
      [ $status = 65 ] && grep -q "^$1: standard input: record [0-9]*: " error && [ ! -e result ] ||
        { echo "cut at $cut of $size: status $status: $(cat error)" >&2; return 1; }
    done
  }
  each_reader check
}

@test "every reader takes concatenated streams" {
  inputs
  check() {
    case $1 in pretext-batch | blades-train | evaluate) return 0 ;; esac # an id may not come twice there
    cat "$2" "$2" | "${line[@]}" -q >out 2>error || { cat error >&2; return 1; }
  }
  each_reader check
  cat scores.msgpack >one
  score -q -d detector.safetensors --set source=other generated.msgpack | sed 's/generated/dwn-rated/g' >two
  run evaluate --bootstrap 10 one two
  cat one two | evaluate --bootstrap 10 >both
  assert_status 0
}

@test "a full disk is 74 for every tool, a missing input 66, a missing folder for the output 73" {
  inputs
  check() {
    local status=0
    "${line[@]}" -q "$2" >/dev/full 2>error || status=$?
    [ $status = 74 ] || { echo "full disk: $status $(cat error)" >&2; return 1; }
    status=0
    "${line[@]}" -q no-such-file >out 2>error || status=$?
    [ $status = 66 ] || { echo "missing input: $status $(cat error)" >&2; return 1; }
    status=0
    "${line[@]}" -q -o no-such-folder/out "$2" >out 2>error || status=$?
    [ $status = 73 ] || { echo "missing folder: $status $(cat error)" >&2; return 1; }
  }
  each_reader check
}

@test "threads that cannot be started are 71 for every tool, never the answer no" {
  [[ $BLADES_BUILD != *sanitize* ]] || skip "a sanitizer needs more address space than that"
  inputs
  export OMP_NUM_THREADS=1 # OpenBLAS takes as many buffers when it is loaded
  starts_none() { # SETTING NAME COMMAND...
    local status=0
    (ulimit -s 8192 -v 420000; exec timeout 60 env "$1" "${@:3}" -q -j 64 -o out) 2>said >/dev/null || status=$?
    [ $status = 71 ] || { cat said; return 1; } >&2
    [[ $1 == OMP* ]] || [ "$(cat said)" = "$2: cannot start a thread; give a smaller -j" ] || return 1
    [ -z "$(find . -name 'out*')" ]
  }
  check() {
    case $1 in blades-train | embed | gmm-fit | mlp-fit | score | evaluate | tsne) ;; *) return 0 ;; esac
    starts_none A=1 "$1" "${line[@]}" "$2" || return 1
    # what the library finds out by itself
    starts_none OMP_STACKSIZE=1G "$1" "${line[@]}" "$2" || return 1
    (ulimit -s 8192 -v 420000; exec timeout 60 "${line[@]}" -q -j 1 -o one "$2")
  }
  each_reader check
  starts_none A=1 model-convert model-convert model.safetensors
}

@test "the wrong kind of stream is 65 and both kinds are named" {
  inputs
  check() {
    local status=0 other=scores.msgpack
    [ "$1" != stream-dump ] || return 0
    [ "$1" != evaluate ] || other=photos.msgpack
    "${line[@]}" -q "$other" >out 2>error || status=$?
    [ $status = 65 ] && grep -q "'score'\|'photo'" error || { echo "$status $(cat error)" >&2; return 1; }
  }
  each_reader check
}

@test "a closed pipe downstream ends every tool silently" {
  inputs
  mkfifo pipe
  exec 5<>pipe 6>pipe 5<&- # nobody reads 6
  check() {
    local status=0
    "${line[@]}" -q "$2" >&6 2>error 6>&- || status=$?
    [ $status = 141 ] && ! grep -qiE 'pipe|output|write' error || { echo "status $status: $(cat error)" >&2; return 1; }
  }
  each_reader check
  exec 6>&-
}

@test "a signal ends every tool and leaves no half file" {
  inputs
  begun=0
  check() { # on a stream that stalls before its end
    local feeder tool status=0
    rm -f fifo
    mkfifo fifo
    { head -c -40 "$2"; exec sleep 60; } >fifo 3>&- &
    feeder=$!
    "${line[@]}" -q -o result fifo 2>error 3>&- &
    tool=$!
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      compgen -G 'result.??????' >/dev/null && begun=$((begun + 1)) && break
      sleep 0.1
    done
    kill -TERM $tool
    wait $tool || status=$?
    kill $feeder
    wait $feeder || true
    [ $status = 143 ] && ! compgen -G 'result*' || { echo "status $status: $(ls result*) $(cat error)" >&2; rm -f result*; return 1; }
  }
  each_reader check
  [ $begun -ge 5 ] # the others write when they have read everything
}

@test "the same bytes for any number of threads" {
  inputs
  check() {
    "${line[@]}" -q -j 1 "$2" >one && "${line[@]}" -q -j 3 "$2" >three && cmp one three
  }
  each_reader check
}

@test "error records travel to the end and count" {
  inputs
  mkdir more
  head -c 3000 photos/000000.jpg >more/cut.jpg
  echo "no image" >more/text.jpg
  run embed -m model.safetensors -o e.msgpack more photos
  assert_status 65
  run embed -q -m model.safetensors --max-errors 2 -o e.msgpack --set label=generated --set source=x more photos
  assert_status 0
  run stream-dump --count e.msgpack
  [ "$output" = "12 records, 2 errors" ]
  score -q -d detector.safetensors e.msgpack >s.msgpack
  run stream-dump --count s.msgpack
  [ "$output" = "12 records, 2 errors" ]
  stream-dump s.msgpack | grep '"error"' | grep -q '"source":"x"'
}

@test "an error record passes every stage of training and embedding, and is no error of theirs" {
  inputs
  echo "no image" >photos/text.jpg
  exif-extract -q --max-errors 1 -o photos.stream photos/*.jpg
  face-locate -q --annotations faces.json -o located.stream photos.stream
  face-manipulate -q --size 32 -o faces.stream located.stream
  pretext-batch -q --tasks tasks.json --batch 2 --val-fraction 0.3 -o batches.stream faces.stream
  embed -q -m model.safetensors -o embedded.stream located.stream
  for stream in *.stream; do
    [ "$(stream-dump $stream | grep -c '"type":"error","id":"photos/text.jpg","stage":"exif-extract","reason":"')" = 1 ]
  done
  blades-train --no-progress --arch resnet18 --width 0.125 --embedding-dim 8 --text-layers 1 --text-width 32 --steps 1000 \
    -o m.safetensors batches.stream 2>said
  grep -q '1 error records in the stream' said
}

@test "provenance lists the chain; --no-provenance leaves it out" {
  inputs
  score -q -d detector.safetensors embeddings.msgpack | stream-dump --header >header
  for tool in embed score; do grep -q "\"tool\":\"$tool\"" header; done
  score --no-provenance -d detector.safetensors embeddings.msgpack | stream-dump --header >header
  ! grep -q provenance header
}

@test "a model resumed on a later part of the stream, or on all of it, is that of one run, provenance included" {
  fixture
  batches() { pretext-batch -q --tasks tasks.json --size 32 --batch 4 --val-fraction 0.3 "$@" faces.msgpack; }
  small=(blades-train -q --arch resnet18 --width 0.125 --embedding-dim 8 --text-layers 1 --text-width 32)
  batches --epochs 6 >all
  "${small[@]}" --steps 4 -o whole all
  "${small[@]}" --steps 1 --checkpoint ck -o part all
  batches --epochs 6 --skip-steps 1 | blades-train -q --resume ck --steps 3 --checkpoint ck -o part
  batches --epochs 6 --skip-steps 2 | blades-train -q --resume ck --steps 4 -o again
  cmp whole again
  # of a shorter stream's checkpoint the whole one makes the model of the whole one
  batches --epochs 2 | "${small[@]}" --checkpoint ck -o part
  blades-train -q --resume ck --steps 4 -o again all
  cmp whole again
  [ "$(grep -ac "tool.\{4,6\}pretext-batch" whole)" != 0 ]
  blades-train -q --resume ck --steps 4 --no-provenance -o again all
  [ "$(grep -ac "tool.\{4,6\}pretext-batch" again)" = 0 ]
}

@test "--set reaches every record; what is no pair, or the stream's own, is 64" {
  inputs
  score -q -d detector.safetensors --set batch=7 embeddings.msgpack | stream-dump | tail -n +2 >records
  [ "$(grep -c '"batch":"7"' records)" = 12 ]
  run score -d detector.safetensors --set nothing embeddings.msgpack
  assert_status 64
  run score -d detector.safetensors --set id=x embeddings.msgpack
  assert_status 64
}

@test "a small run under valgrind is clean" {
  [[ $BLADES_BUILD != *sanitize* ]] || skip "the sanitizers look for the same"
  command -v valgrind >/dev/null || skip "valgrind is not installed"
  inputs
  checked() { # TOOL INPUT...
    valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
      --suppressions="$BLADES_ROOT/tests/valgrind.supp" "$@" >out 2>error || { tail -20 error >&2; return 1; }
  }
  export BLADES_CPU=avx2
  check() { checked "${line[@]}" -q -j 1 "$2"; }
  each_reader check
  checked exif-extract -j 1 photos/000000.jpg photos/000001.jpg
  checked face-synth -q -n 1 --size 64 -o drawn
  checked model-convert --info model.safetensors
  checked tsne -q -j 1 --iterations 20 embeddings.msgpack
  checked mlp-fit -q -j 1 --classifier knn labelled.msgpack
}

# ---- blades-score ------------------------------------------------------------------------------

verdicts() { # ARGUMENTS of blades-score: lines in out, messages in said, $status
  status=0
  "$BLADES_ROOT/pipelines/blades-score" "$@" >out 2>said || status=$?
}
with_model=(-m model.safetensors -d detector.safetensors)

@test "blades-score keeps the command-line contract" {
  fixture
  verdicts --help
  [ "$status" = 0 ]
  grep -q '^usage: blades-score ' out
  [ "$(wc -L <out)" -le 80 ]
  [ ! -s said ]
  verdicts -V
  [ "$status" = 0 ]
  grep -q '^blades-score (BLADES in C) [0-9]' out
  misused() { # PATTERN ARGUMENTS
    verdicts "${@:2}"
    [ "$status" = 64 ] && [ ! -s out ] && head -n 1 said | grep -q "^blades-score: .*$1" ||
      { echo "${*:2}: $status $(cat said)" >&2; return 1; }
  }
  misused 'no photo'
  misused 'unknown option --no-such-option' --no-such-option photos
  misused '-m needs a value' photos -m
  misused "-c: '2' is not a number from 0.01 to 1" "${with_model[@]}" -c 2 photos
  misused "-c: 'x' is not" "${with_model[@]}" --central=x photos
  misused '-a and -c exclude each other' "${with_model[@]}" -a faces.json -c 0.5 photos
  misused '-: photos are files' "${with_model[@]}" -
  # options behind a photo, and in every spelling; a photo that is called like an option
  verdicts photos/000000.jpg -mmodel.safetensors --detector=detector.safetensors --central 0.8 --quiet
  [ "$status" -le 1 ]
  [ "$(wc -l <out)" = 1 ]
  [ ! -s said ]
  verdicts "${with_model[@]}" photos/000000.jpg -qcX
  [ "$status" = 64 ]
  verdicts -qVh
  [ "$status" = 0 ]
  grep -q '^usage: blades-score ' out
  misused 'unknown option -x' -qx photos
  misused 'unknown option -q-' -q- photos
  cp photos/000000.jpg ./-q.jpg
  verdicts "${with_model[@]}" -- -q.jpg
  [ "$status" -le 1 ]
  grep -q '^-q.jpg: looks ' out
}

@test "blades-score says what it takes for the face, and what it leaves out of a folder" {
  fixture
  mkdir -p mixed/.hidden none
  cp photos/000000.jpg mixed/photo.JPG
  touch mixed/.hidden/more.heic mixed/B.HEIC mixed/$'a\nname.txt'
  verdicts "${with_model[@]}" mixed photos/000001.jpg
  [ "$(wc -l <out)" = 2 ]
  [ "$(wc -l <said)" = 2 ]
  grep -q 'mixed: names not ending in .jpg, .* left out: 2, the first mixed/B.HEIC$' said
  grep -q "middle square is taken for the face (see -a, -c)" said
  verdicts "${with_model[@]}" -a faces.json photos
  [ "$(wc -l <out)" = 12 ]
  [ ! -s said ]
  cp photos/000001.jpg no-suffix
  verdicts "${with_model[@]}" -a faces.json no-suffix # named, so it is not left out
  [ "$status" = 65 ]
  grep -q '^no-suffix: could not be examined' out
  for more in '' '-a faces.json'; do
    verdicts -q "${with_model[@]}" $more none
    [ "$status" = 66 ]
    grep -q '^blades-score: none: no .* in this folder' said
    # the others are examined, but it is no success
    verdicts -q "${with_model[@]}" $more none photos/000000.jpg none
    [ "$status" = 65 ]
    grep -q '^photos/000000.jpg.*: looks ' out
    [ "$(wc -l <out)" = 1 ]
    [ "$(grep -c '^blades-score: none: no .* in this folder' said)" = 2 ]
  done
}

@test "blades-score: a photo whose annotation lists no face has a line, and is no success" {
  fixture
  { echo '{"path":"000000.jpg","faces":[]}' && grep 000001.jpg faces.json; } >some.json
  verdicts -q "${with_model[@]}" -a some.json photos/000001.jpg photos/000000.jpg
  [ "$status" = 65 ]
  grep -q '^photos/000001.jpg#0: looks ' out
  grep -qx 'photos/000000.jpg: could not be examined: no face in the annotations' out
  [ "$(wc -l <out)" = 2 ]
  [ ! -s said ]
  verdicts -q "${with_model[@]}" -a some.json photos/000000.jpg
  [ "$status" = 65 ]
  [ "$(cat out)" = 'photos/000000.jpg: could not be examined: no face in the annotations' ]
  [ ! -s said ]
}

@test "blades-score: the status counts faces, whatever they are called; a tool that fails says so" {
  fixture
  gmm-fit -q -k 2 --regularisation 1e-3 --calibrate fit --far 0 -o lenient embeddings.msgpack
  gmm-fit -q -k 2 --regularisation 1e-3 --calibrate fit --far 1 -o strict embeddings.msgpack
  cp -r photos named
  mv named/000000.jpg 'named/x: could not be examined.jpg'
  mv named/000001.jpg 'named/x: looks generated.jpg'
  verdicts -m model.safetensors -d lenient named
  [ "$status" = 0 ]
  [ "$(wc -l <out)" = 12 ]
  # 65 goes before 1
  echo 'no image' >named/broken.jpg
  verdicts -m model.safetensors -d strict named
  [ "$status" = 65 ]
  grep -q 'jpg: looks generated (' out
  [ "$(wc -l <out)" = 13 ]
  head -c 100 model.safetensors >cut
  verdicts -m cut -d detector.safetensors photos
  [ "$status" = 65 ]
  [ ! -s out ]
  tail -n 1 said | grep -q '^blades-score: embed failed (status 65): nothing was examined'
  verdicts -m model.safetensors -d model.safetensors photos
  [ "$status" = 65 ]
  [ ! -s out ]
  tail -n 1 said | grep -q '^blades-score: score failed (status 65)'
  TMPDIR=$PWD/missing verdicts "${with_model[@]}" photos
  [ "$status" = 73 ]
  [ ! -s out ]
  tail -n 1 said | grep -q '^blades-score: no folder for temporary files can be made'
}

@test "blades-score leaves no folder behind when a signal ends it" {
  fixture
  mkfifo stalls
  mkdir temporary
  for signal in HUP INT TERM; do
    bash -c 'trap - INT; TMPDIR=$PWD/temporary exec "$@"' - env --default-signal=INT "$BLADES_ROOT/pipelines/blades-score" \
      "${with_model[@]}" stalls >out 2>said 3>&- &
    script=$!
    until compgen -G 'temporary/*' >/dev/null; do sleep 0.1; done
    kill -$signal $script
    timeout 10 bash -c ': >stalls' # embed goes on to its end
    status=0
    wait $script || status=$?
    [ $status -gt 128 ] && ! compgen -G 'temporary/*' || { echo "$signal: $status" >&2; return 1; }
  done
}
