# Input that is msgpack or safetensors in form and wrong in what it says: a clear message, the status, bounded memory.

setup() {
  load helper
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_TMPDIR"
  "$BLADES_ROOT/tests/hostile_streams.py" .
  # A fifth of what the tools would need to believe the sizes that some files claim.
  [[ $BLADES_BUILD == *sanitize* ]] || ulimit -v 1000000
}

# Must be refused with 65, the tool and the file in the message, and no output. REGEX: what else it must say.
refused() { # REGEX FILE TOOL ARGUMENTS...
  local regex=$1 file=$2 status=0
  shift 2
  rm -rf result
  timeout 60 "$@" -q -o result "$file" >out 2>error || status=$?
  [ $status = 65 ] && grep -q "^$1: .*$file: $regex" error && [ ! -s out ] && [ -z "$(ls -d result* 2>/dev/null)" ] ||
    { echo "$* $file: status $status: $(head -c 300 error)" >&2; return 1; }
}

@test "a vector that is none is refused with the file and the record" {
  failed=0
  for file in records/*; do
    for tool in "gmm-fit -k 2" "mlp-fit --epochs 2" "mlp-fit --classifier knn" "tsne --method pca"; do
      # shellcheck disable=SC2086
      refused 'record 3 (odd): its\? ' $file $tool || failed=1
    done
  done
  [ $failed = 0 ]
}

@test "score makes an error record of a vector that is none, and says so even with -q" {
  for file in records/*; do
    status=0
    score -q -d detector -o scored "$file" 2>error || status=$?
    [ $status = 65 ]
    [ "$(cat error)" = "score: 1 error record written" ]
    stream-dump scored | sed -n 4p >line
    grep -q '"type":"error","id":"odd","stage":"score","reason":"it' line
    [[ $file == */@(missing|twice) ]] || grep -q '"label":"photographic"' line # what was known of it stays
    score -q -d detector --max-errors 1 -o scored "$file" 2>error
    [ ! -s error ]
    [ "$(stream-dump --count scored)" = "24 records, 1 errors" ]
  done
}

@test "a stream that is wrong as a whole is refused by every reader of embeddings" {
  failed=0 number=0
  for file in segments/*; do
    for tool in stream-dump "gmm-fit -k 2" "mlp-fit --epochs 2" "score -d detector" "score --text -d detector" "tsne --method pca"; do
      [ $((number++ % (1 + SPARSENESS / 2))) = 0 ] || continue
      # shellcheck disable=SC2086
      refused 'record [0-9]*: ' $file $tool || failed=1
    done
  done
  [ $failed = 0 ]
}

@test "streams without a face, or of two models, say so" {
  for file in empty/*; do
    for tool in gmm-fit mlp-fit tsne; do refused 'there are no embeddings, and [02] error records' $file $tool; done
    score -q -d detector -o scored $file
  done
  for tool in gmm-fit mlp-fit tsne; do # of several inputs none is blamed alone
    run $tool -o out empty/*
    assert_status 65
    [ "$output" = "$tool: 2 inputs: there are no embeddings, and 2 error records" ]
  done
  for tool in gmm-fit mlp-fit tsne; do refused 'embeddings of two different models (aa and bb)' two-models $tool; done
  for fit in "gmm-fit -k 2" mlp-fit; do
    $fit -q -o of-aa model-aa
    score -q -d of-aa -o scored model-aa
    refused 'embeddings of the model bb, but of-aa was fitted to those of aa' model-bb score -d of-aa
    refused 'embeddings of the model bb' two-models score -d of-aa
  done
}

@test "a score that is no number is refused with the file and the record" {
  for file in scores/*; do refused 'record 11 (odd) has no finite score' $file evaluate --bootstrap 10; done
}

@test "a detector that lies about itself is refused by its name" {
  score -q -d detector good >out
  failed=0
  for file in tensors/*; do
    status=0
    timeout 60 score -q -d "$file" -o result good 2>error || status=$?
    [ $status = 65 ] && grep -q "^score: $file: " error && [ ! -e result ] || { echo "$file: $status $(head -c 300 error)" >&2; failed=1; }
    refused . "$file" embed -m "$file" || failed=1
  done
  [ $failed = 0 ]
}

@test "mlp-fit says when its numbers stop being finite" {
  run -70 mlp-fit -q --lr 1000 --weight-decay 1000 --epochs 200 --patience 200 -o result good
  [[ $output == "mlp-fit: the loss is no longer finite in epoch "* ]]
  [ ! -e result ]
}

@test "a folder and a closed standard input are 66 with the same words from every reader" {
  tasks=$BLADES_ROOT/examples/tasks/reference.json
  for tool in stream-dump "face-locate --whole" face-manipulate "pretext-batch --tasks $tasks" gmm-fit mlp-fit \
    "score -d detector" "tsne --method pca" exif-extract; do
    # shellcheck disable=SC2086
    run -66 $tool -o result .
    [[ $output == *"${tool%% *}: .: is a folder; name the files in it"* ]]
    # shellcheck disable=SC2086
    run -66 bash -c '"$@" - <&-' - $tool -o result
    [[ $output == *"${tool%% *}: standard input: is closed"* ]]
  done
  run -66 score -d . good
  [ "$output" = "score: .: is a folder; name the files in it" ]
  run -66 exif-extract --metadata . photo.jpg
  [ "$output" = "exif-extract: .: is a folder; name the files in it" ]
}

@test "why an input cannot be used is said: ten times, then counted" {
  for i in {10..22}; do echo text >text-$i.jpg; done
  run -65 exif-extract -o photos text-*.jpg
  [ "${#lines[@]}" = 12 ]
  [ "${lines[0]}" = "exif-extract: text-10.jpg: no JPEG, PNG, WebP or TIFF image" ]
  [ "${lines[9]}" = "exif-extract: text-19.jpg: no JPEG, PNG, WebP or TIFF image" ]
  [ "${lines[10]}" = "exif-extract: and 3 more; the error records have all" ]
  run -65 exif-extract -q -o photos text-*.jpg
  [ "$output" = "exif-extract: 13 error records written" ]
  file=$(ls records/* | head -1)
  run -65 score -d detector -o scored "$file"
  [[ ${lines[0]} == "score: odd: it"* ]]
  face-synth -q -n 2 --size 64 -o drawn
  exif-extract -q drawn/*.jpg | face-locate -q --whole -o located
  rm drawn/000001.jpg
  run -65 face-manipulate --size 32 -o faces located
  [[ $output == *"face-manipulate: drawn/000001.jpg: cannot be opened: No such file or directory"* ]]
}

@test "score --text says a name once, and no control characters" {
  echo text >'b#d.jpg'
  echo text >$'b\a.jpg'
  exif-extract -q --max-errors 2 -o photos 'b#d.jpg' $'b\a.jpg'
  LC_ALL=C sed 's/\xa5photo/\xa9embedding/' photos >errors # error records of embeddings
  run -0 --separate-stderr score -q -d detector --text errors
  [ "${lines[0]}" = "b#d.jpg: could not be examined: no JPEG, PNG, WebP or TIFF image" ]
  [ "${lines[1]}" = "b?.jpg: could not be examined: no JPEG, PNG, WebP or TIFF image" ]
}

@test "a regular file's progress has a time left, a pipe's has none" {
  score -d detector --progress -o scored good 2>said
  grep -q ', 0:00 left' said
  cat good | score -d detector --progress -o scored 2>said
  run ! grep -q left said
}

@test "a message takes the place of the progress line" {
  { cat good; sleep 0.4; cat good; sleep 0.4; cat "$(find records -type f | head -1)"; } |
    score -d detector --progress --max-errors 1 -o scored 2>said
  grep -q $'faces, .*/s\e\\[K\r\e\\[Kscore: odd: ' said
}
