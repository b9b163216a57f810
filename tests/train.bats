# blades-train: what comes out, resuming, signals, damaged input.
bats_require_minimum_version 1.5.0

setup_file() {
  load helper
  cd "$BATS_FILE_TMPDIR"
  make_batches 6 >batches
}

setup() {
  load helper
  cd "$BATS_TEST_TMPDIR"
  batches=$BATS_FILE_TMPDIR/batches
}

make_batches() { "$BLADES_BUILD/unit/make_batches" "$@"; }

# A network small enough for tests.
small=(blades-train -q -j 1 --arch resnet18 --width 0.1 --embedding-dim 16 --text-layers 1 --text-width 32
  --lr 3e-3 --lr-text 1e-4)
train() { "${small[@]}" "$@"; }

lambda_of() { # MODEL: the final weights
  head -c 200000 "$1" | grep -ao '\\"lambda\\":{[^}]*}' | head -n 1
}

@test "a model comes out, and the log and the trace hold what they should" {
  train --log log --trace trace -o m.safetensors "$batches"
  [ "$(wc -l <log)" = 6 ]
  [ "$(wc -l <trace)" = 7 ]
  head -n 1 trace | grep -q '"prompts":\["a face with low ISO speed",.*"tokens":\[\[[0-9]'
  for key in step loss validation_loss lambda_before lambda_after lambda_gradient gradient_norm; do
    [ "$(grep -c "\"$key\":" trace)" = 6 ]
  done
  for key in step loss lambda hypergradient gradient_norm learning_rate images_per_second validation_accuracy; do
    [ "$(grep -c "\"$key\":" log)" = 6 ]
  done
  # the weights after a step are those before the next one, and others than before it
  sed -n 's/.*"lambda_before":\({[^}]*}\).*/\1/p' trace >before
  sed -n 's/.*"lambda_after":\({[^}]*}\).*/\1/p' trace >after
  [ "$(wc -l <after)" = 6 ]
  cmp <(head -n 5 after) <(tail -n 5 before)
  run ! cmp -s before after
  [ "$(sed -n 's/.*"lambda":\({[^}]*}\).*/\1/p' log | tail -n 1)" = "$(tail -n 1 after)" ]
  head -c 8 m.safetensors | od -An -tu8 | grep -q '[1-9]'
  [ -n "$(lambda_of m.safetensors)" ]
}

@test "any number of threads, a pipe, and more memory give the same bytes" {
  train --trace t1 -o a "$batches"
  for threads in 2 3; do
    cat "$batches" | train -j $threads --trace t2 -o b
    cmp a b
    cmp t1 t2
  done
  train --memory large --trace t1 -o a "$batches"
  train --memory huge --trace t3 -o c "$batches" # only the provenance tells it
  cmp t1 t3
  cmp <(tail -c 20000 a) <(tail -c 20000 c)
}

@test "--steps 0 writes the initial model, which depends on the seed alone" {
  train --steps 0 --no-provenance --trace t -o a "$batches"
  train --steps 0 --no-provenance -o b --lr 5 "$batches"
  train --steps 0 --no-provenance -o c --seed 1 "$batches"
  [ "$(wc -l <t)" = 1 ]
  cmp a b
  run ! cmp -s a c
}

@test "training makes the losses smaller and learns other weights than 1" {
  make_batches 60 >long
  train --log log -o m --lambda-lr 1e-2 long
  mean() { awk -v from="$1" -v to="$2" 'NR > from && NR <= to { match($0, /"validation_loss":[0-9.e-]+/)
    sum += substr($0, RSTART + 18, RLENGTH - 18); n++ } END { print sum / n }' log; }
  [ "$(echo "$(mean 0 8) $(mean 50 60)" | awk '{ print ($2 < 0.7 * $1) }')" = 1 ]
  run ! grep -q '"fine":1.0[,}]' <(lambda_of m)
}

@test "of two equal tasks, one with shuffled labels, that one ends with the smaller weight: three seeds" {
  plain_build
  make_batches 200 0 twice >twice
  for seed in 1 2 3; do
    train --seed $seed --lr 1e-3 --lr-text 1e-3 --lambda-lr 1e-2 --schedule constant -o m twice
    lambda_of m
    lambda_of m | tr -d '\\' | sed 's/.*"fine":\([0-9.]*\),"fine_shuffled":\([0-9.]*\).*/\1 \2/' | awk '{ exit !($2 < $1) }'
  done
}

# Loss of the coarse task on validation batches at a model's parameters.
held_out() { # MODEL BATCHES
  train --init "$1" --weights equal --lr 0 --lr-text 0 --log held -o again "$2"
  awk '{ match($0, /"validation_loss":[0-9.e-]+/); sum += substr($0, RSTART + 18, RLENGTH - 18) } END { print sum / NR }' held
}

@test "where tasks with wrong labels stand in the way, learnt weights beat equal ones: three seeds" {
  plain_build
  make_batches 240 0 conflict >conflict
  make_batches 1030 1000 conflict >others
  rates="--lr 2e-3 --lr-text 2e-4 --lambda-lr 3e-2 --schedule-steps 240"
  for seed in 1 2 3; do
    # shellcheck disable=SC2086
    train $rates --seed $seed --weights equal -o equal conflict
    # shellcheck disable=SC2086
    train $rates --seed $seed -o learnt conflict
    losses="$(held_out equal others) $(held_out learnt others)"
    echo "equal and learnt: $losses, $(lambda_of learnt)"
    echo "$losses" | awk '{ exit !($2 < 0.5 * $1) }'
  done
}

@test "a run stopped at any step and resumed gives the same model, log positions included" {
  train --trace t1 -o whole "$batches"
  for step in 1 4; do
    train --steps $step --checkpoint ck --trace t2 -o part "$batches"
    train --steps 6 --resume ck --checkpoint ck --trace t2 -o again "$batches"
    cmp whole again
    cmp t1 t2
  done
  # options need not be given again, and the stream may begin at the step
  train --steps 4 --checkpoint ck --trace t2 -o part "$batches"
  make_batches 6 4 | blades-train -q --resume ck --steps 6 --trace t2 -o again
  cmp t1 t2
  make_batches 6 0 unnumbered | blades-train -q --resume ck --steps 6 -o again2
  cmp again again2
}

@test "optimisers, forms of lambda, lag and finite differences resume to the bit as well" {
  for options in "--optimizer sgd --lambda softmax" "--lambda softplus --lambda-lag --hypergradient fd" \
    "--freeze text,scale --schedule-steps 5 --warmup 2 --clip 0.5" "--weights equal"; do
    # shellcheck disable=SC2086
    train $options -o whole "$batches"
    # shellcheck disable=SC2086
    train $options --steps 3 --checkpoint ck -o part "$batches"
    blades-train -q --resume ck --steps 99 -o again "$batches" 2>message
    grep -q 'ended after 6 of 99 steps' message
    cmp whole again
  done
}

@test "other options than the checkpoint's are refused" {
  train --steps 2 --checkpoint ck -o m "$batches"
  run blades-train -q --resume ck --lr 0.002 -o m2 "$batches"
  assert_status 64
  [[ $output == *"--lr is 0.002"* ]]
  run blades-train -q --resume m -o m2 "$batches"
  assert_status 65
  run blades-train -q --resume ck --steps 9 -o m2 <(make_batches 6 3)
  assert_status 65
  [[ $output == *"begins at step 3"* ]]
}

# Starts training in the background on a stream that stalls after its batches; waits for the third step.
start_stalled() {
  mkfifo fifo
  { head -c -60 "$batches"; exec sleep 60; } >fifo 3>&- &
  feeder=$!
  "${small[@]}" --checkpoint ck --log log "$@" -o m fifo 3>&- & # no function: the signal is for the tool itself
  trainer=$!
  for _ in $(seq 100); do
    [ -f log ] && [ "$(wc -l <log)" -ge 3 ] && break
    sleep 0.1
  done
}

@test "SIGTERM and SIGINT leave a checkpoint, no model, and end by the signal" {
  train -o whole "$batches"
  for signal in TERM INT; do
    rm -rf fifo ck m log
    start_stalled
    kill -$signal $trainer
    status=0
    wait $trainer || status=$?
    kill $feeder 2>/dev/null || true
    [ $status = $((128 + $(kill -l $signal))) ]
    [ -f ck ]
    [ ! -e m ]
    [ "$(find . -name '*.??????' | wc -l)" = 0 ]
    train --resume ck -o again "$batches"
    cmp whole again
  done
}

@test "after kill -9 the last periodic checkpoint resumes to the same bytes" {
  train -o whole "$batches"
  start_stalled --checkpoint-every 2
  kill -9 $trainer
  wait $trainer || true
  kill $feeder 2>/dev/null || true
  train --resume ck --log log -o again "$batches"
  cmp whole again
  [ "$(wc -l <log)" = 6 ]
}

@test "numbers that stop being finite end with 70, the step and the task, and keep the checkpoint" {
  train --steps 1 --checkpoint ck -o m "$batches"
  cp ck kept
  run train --lr 1e30 --checkpoint ck --checkpoint-every 1000 -o m2 "$batches"
  assert_status 70
  [[ $output == *"step "*"task '"* ]]
  cmp ck kept
  [ ! -e m2 ]
}

@test "fixed weights: equal, from a file, and files that name other tasks" {
  train --weights equal --log log -o m "$batches"
  [ "$(grep -c '"lambda":{"iso":1.0,"make":1.0,"coarse":1.0,"fine":1.0}' log)" = 6 ]
  echo '{"iso":0.5,"make":0,"coarse":1,"fine":2}' >w.json
  train --weights w.json --validate-every 4 --log log -o m "$batches"
  [ "$(grep -c '"lambda":{"iso":0.5,"make":0.0,"coarse":1.0,"fine":2.0}' log)" = 6 ]
  [ "$(grep -c validation_loss log)" = 2 ]
  make_batches 3 0 lonely | train --weights equal --log log -o m
  [ "$(wc -l <log)" = 3 ]
  echo '{"iso":0.5}' >w.json
  run train --weights w.json -o m "$batches"
  assert_status 65
  echo '{"iso":1,"make":1,"coarse":1,"fine":1,"nose":1}' >w.json
  run train --weights w.json -o m "$batches"
  assert_status 65
  run train --weights missing.json -o m "$batches"
  assert_status 66
}

@test "frozen parts keep their values" {
  train --steps 0 -o before "$batches"
  train --freeze text,image,scale -o after "$batches" && return 1
  train --freeze image,scale --weights equal -o after "$batches"
  run train --freeze hair -o m "$batches"
  assert_status 64
}

@test "a model of ours gives initial values and vocabulary" {
  train --steps 2 -o first "$batches"
  train --steps 0 --init first --no-provenance -o second "$batches"
  cmp <(tail -c 20000 first) <(tail -c 20000 second)
  run train --init "$batches" -o m "$batches"
  assert_status 65
  run train --init nowhere -o m "$batches"
  assert_status 66
  # the network is that of the model, but for what options say
  blades-train -q -j 1 --steps 0 --init first --no-provenance -o third "$batches"
  cmp second third
  run blades-train -j 1 --steps 0 --init first --text-layers 2 -o fourth "$batches"
  assert_status 0
  [[ "$output" =~ "parameters found, "[1-9][0-9]*" missing" ]]
  # of tasks with other words than those it was trained with
  make_batches 1 0 twice >twice
  train --steps 0 -o narrow twice
  run -65 train --init narrow -o m "$batches"
  [[ $output == *"task 'iso': the model's vocabulary lacks the words that tell \"a face with low ISO speed\" from \"a face with medium ISO speed\""* ]]
  [ ! -e m ]
}

@test "streams without preprocessing or step numbers are fine; two streams are one" {
  make_batches 6 0 plain | train -o a
  make_batches 3 0 plain >one
  make_batches 6 3 plain >two
  cat one two | train -o b
  train -o c one two
  cmp <(tail -c 20000 a) <(tail -c 20000 b)
  cmp b c
}

@test "streams that do not fit are refused with 65 and the record" {
  for wrong in label pixels order tasks; do
    run train -o m <(make_batches 3 0 $wrong)
    assert_status 65
    [[ $output == "blades-train: /dev/fd/"*": record "[0-9]* ]]
    [ ! -e m ]
  done
  run train -o m <(make_batches 3 0 lonely)
  assert_status 65
  [[ $output == *"no validation batch"* ]]
  for bytes in 0 7 700 50000 60001; do
    run train -o m <(head -c $bytes "$batches")
    assert_status 65
  done
}

@test "an error record in the stream is counted" {
  run blades-train --no-progress --arch resnet18 --width 0.1 --embedding-dim 16 --text-layers 1 --text-width 32 \
    -o m <(make_batches 2 0 error)
  assert_status 0
  [[ $output == *"1 error record"* ]]
}

@test "a full disk is 74, an impossible file 73" {
  run train -o /dev/full "$batches"
  assert_status 74
  run train --log /dev/full -o m "$batches"
  assert_status 74
  run train --log nowhere/log -o m "$batches"
  assert_status 73
  run train -o nowhere/m "$batches"
  assert_status 73
}

@test "the log becomes plots" {
  train --log log -o m "$batches"
  "$BLADES_ROOT/pipelines/plot-training" log out
  for plot in losses lambda weights; do grep -q '<svg' out-$plot.svg; done
  grep -q 'fine' out-weights.svg
  run "$BLADES_ROOT/pipelines/plot-training" /dev/null out
  assert_status 65
}
