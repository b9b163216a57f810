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

# Replaces text in the state of the checkpoint `ck` by as many bytes.
damage() { # FROM TO
  python3 - "$1" "$2" <<'END'
import sys
old, new = (text.replace('"', '\\"').encode() for text in sys.argv[1:])
data = open("ck", "rb").read()
assert data.count(old) == 1 and len(old) >= len(new), old
open("damaged", "wb").write(data.replace(old, new.ljust(len(old))))
END
}

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

@test "any number of threads and a pipe give the same bytes, and large memory those of huge" {
  train --trace t1 -o a "$batches"
  for threads in 2 3; do
    cat "$batches" | train -j $threads --trace t2 -o b
    cmp a b
    cmp t1 t2
  done
  # huge computes what large computes; what the others compute again is rounded otherwise
  train --memory large --trace t1 -o a "$batches"
  train --memory huge --trace t3 -o c "$batches" # only the provenance tells it
  cmp t1 t3
  cmp <(tail -c 20000 a) <(tail -c 20000 c)
}

@test "a run resumes with its --memory and without provenance; another --memory is warned of" {
  for memory in small large huge; do
    train --memory $memory --no-provenance -o whole "$batches"
    train --memory $memory --no-provenance --steps 2 --checkpoint ck -o part "$batches"
    blades-train -q --resume ck --steps 6 -o again "$batches" 2>message
    [ ! -s message ]
    cmp whole again
  done
  run -0 blades-train -q --resume ck --steps 6 --memory large -o again "$batches"
  [ "$output" = "" ]
  run -0 blades-train -q --resume ck --steps 6 --memory small -o again "$batches"
  [[ $output == *"--memory is small, but the run that wrote the checkpoint had huge"* ]]
  # a checkpoint of before --memory was recorded
  damage '"memory"' '"xemory"'
  run -0 blades-train -q --resume damaged --steps 6 -o again "$batches"
  [ "$output" = "blades-train: damaged does not say its --memory; medium is taken" ]
  run -0 blades-train -q --resume damaged --steps 6 --memory huge -o again "$batches"
  [ "$output" = "" ]
  cmp whole again
  train --memory small --steps 0 -o m "$batches"
  grep -aq '"memory\\",\\"small' m
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

@test "the epochs of streams that follow each other are counted on, and the cosine never rises" {
  train --schedule-epochs 3 --log log -o whole "$batches" "$batches"
  [ "$(grep -o '"epoch":[0-9]*' log | cut -d: -f2 | tr '\n' ' ')" = "0 0 0 0 1 1 2 2 2 2 3 3 " ]
  grep -o '"learning_rate":[0-9.e-]*' log | cut -d: -f2 >rates
  sort -gr rates | cmp - rates
  [ "$(tail -n 1 rates)" = 0.0 ]
  for step in 5 6 9; do
    train --schedule-epochs 3 --steps $step --checkpoint ck --log log2 -o part "$batches" "$batches"
    blades-train -q --resume ck --steps 12 --log log2 -o again "$batches" "$batches"
    cmp whole again
    cmp <(grep -o '"epoch":[0-9]*' log) <(grep -o '"epoch":[0-9]*' log2)
  done
  # step 9 is the fourth of the second stream
  make_batches 6 3 | blades-train -q --resume ck --steps 12 -o again
  cmp whole again
}

@test "what cannot be written is found before the first step" {
  for option in "-o nowhere/m" "-o m --checkpoint nowhere/ck" "-o $BATS_TEST_TMPDIR"; do
    # shellcheck disable=SC2086
    run train --log log $option "$batches"
    assert_status 73
    [ ! -e log ]
  done
  run script -qec "${small[*]} --log log $batches" /dev/null
  [ ! -e log ]
  [[ $output == *"refusing to write"* ]]
}

@test "a stream that turns out wrong leaves a checkpoint of the steps before" {
  train -o whole "$batches"
  run train --checkpoint ck -o m <(head -c 350000 "$batches")
  assert_status 65
  [[ $output == *"stopped after step 3; go on with --resume ck"*"truncated"* ]]
  [ ! -e m ]
  train --resume ck -o again "$batches"
  cmp whole again
  make_batches 2 >two
  make_batches 6 2 lonely >lonely
  rm ck
  run train --checkpoint ck -o m two lonely
  assert_status 65
  [[ $output == *"stopped after step 2;"*": lonely: record 5: no validation batch follows"* ]]
  train --resume ck -o again "$batches"
  cmp whole again
}

@test "a log that is another file is neither cut nor continued" {
  train --steps 3 --checkpoint ck --log log --trace trace -o part "$batches"
  sed 's/"step":2/"step":1/' log >shifted
  for other in "$batches" trace shifted; do
    cp "$other" other
    run blades-train -q --resume ck --steps 6 --log other -o again "$batches"
    assert_status 65
    [[ $output == *"other: not what the checkpoint's run wrote"* ]]
    cmp "$other" other
  done
  head -n 2 log >short
  run blades-train -q --resume ck --steps 6 --log short -o again "$batches"
  assert_status 65
  [ "$(wc -l <short)" = 2 ]
  blades-train -q --resume ck --steps 6 --log new --trace trace -o again "$batches"
  [ "$(wc -l <new)" = 3 ]
  [ "$(wc -l <trace)" = 7 ]
  # a run that kept neither
  train --steps 3 --checkpoint ck -o part "$batches"
  for option in --log --trace; do
    cp "$batches" other
    run blades-train -q --resume ck --steps 6 $option other -o again "$batches"
    assert_status 65
    [[ $output == *"other: not what the checkpoint's run wrote"* ]]
    cmp "$batches" other
    : >empty
    blades-train -q --resume ck --steps 6 $option empty -o again "$batches"
    [ "$(grep -c '"step"' empty)" = 3 ]
  done
  # before the first step the trace holds the prompts alone
  train --steps 0 --checkpoint ck --trace trace -o part "$batches"
  blades-train -q --resume ck --steps 6 --trace trace -o again "$batches"
  [ "$(wc -l <trace)" = 7 ]
}

@test "runs that train nothing say so" {
  make_batches 0 >empty
  run -65 train -o m empty
  [[ $output == *"empty: there is no batch to train on"* ]]
  [ ! -e m ]
  train --steps 0 -o m empty
  train --steps 4 --checkpoint ck -o m "$batches"
  run -0 blades-train -q --resume ck --steps 2 -o again "$batches"
  [[ $output == *"nothing was trained: ck has done 4 steps and --steps is 2"* ]]
  run -0 blades-train -q --resume ck -o again "$batches"
  [[ $output == *"nothing was trained: ck has done 4 steps and --steps is 4"* ]]
  for length in 0 3 4; do
    make_batches $length >short
    run -0 blades-train -q --resume ck --steps 9 -o again short
    [ "$output" = "blades-train: nothing was trained: the stream has no batch behind the 4 steps that ck has done" ]
    cmp m again
  done
}

@test "a damaged checkpoint is refused" {
  train --steps 4 --checkpoint ck -o m "$batches"
  while read -r from to; do
    damage "$from" "$to"
    run blades-train -q --resume damaged --steps 6 -o again "$batches"
    assert_status 65
    [[ $output == *"damaged: the checkpoint"* ]]
  done <<'END'
"optimizer_updates":4 "optimizer_updates":0
"optimizer_updates":4 "optimizer_updates":5
"lambda_updates":4 "lambda_updates":7
"lr":0.003 "xy":0.003
"width":0.1} "width":99}
"arch":"resnet18" "arch":"resnet19"
"seed":0 "sead":0
END
}

@test "other options than the checkpoint's are refused" {
  train --steps 2 --checkpoint ck -o m "$batches"
  run blades-train -q --resume ck --lr 0.002 -o m2 "$batches"
  assert_status 64
  [[ $output == *"--lr is 0.002"* ]]
  run blades-train -q --resume ck --seed 7 -o m2 "$batches"
  assert_status 64
  [[ $output == *"--seed differs from the checkpoint's 0"* ]]
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
  # No function: the signal is for the tool itself. The shell has SIGINT ignored in its background.
  env --default-signal=INT "${small[@]}" --checkpoint ck --log log "$@" -o m fifo 3>&- &
  trainer=$!
  wait_for_steps
}
wait_for_steps() {
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

@test "signals that were ignored when the tool was started stay ignored" {
  train -o whole "$batches"
  mkfifo fifo gate
  { head -c -60 "$batches"; cat gate; tail -c 60 "$batches"; } >fifo 3>&- &
  env --ignore-signal=INT,TERM,HUP "${small[@]}" --log log -o m fifo 3>&- &
  trainer=$!
  wait_for_steps
  for signal in INT TERM HUP; do kill -$signal $trainer; done
  timeout 60 bash -c ': >gate'
  wait $trainer
  cmp whole m
}

@test "batches of faces that were preprocessed otherwise are refused" {
  batches_of() { # STEPS
    STEPS=$1 "$BLADES_ROOT/tests/faces_stream" 40 8 photographic warp |
      pretext-batch -q --tasks "$BLADES_ROOT/examples/tasks/coarse-only.json" --batch 8
  }
  batches_of 8 >one
  batches_of "12 8" >other
  train -o m one one
  run "${small[@]}" -o m2 one other
  assert_status 65
  [[ "$output" == *"other: record 9: the faces are cropped or resized otherwise than the first header says"* ]]
  [ ! -e m2 ]
}

@test "two signals while a checkpoint is written end the tool at once and leave no half file" {
  case $(command -v blades-train) in */sanitize/*) skip "the sanitizers' library has to be loaded first" ;; esac
  printf '#include <unistd.h>\nint fsync(int file) { (void)file; for (int left = 20; left;) left = sleep(left); return 0; }\n' >slow.c
  cc -shared -fPIC -o slow.so slow.c
  LD_PRELOAD=$PWD/slow.so env --default-signal=INT "${small[@]}" --checkpoint ck --checkpoint-every 1 -o m "$batches" 3>&- &
  trainer=$!
  until compgen -G 'ck.??????' >/dev/null; do sleep 0.05; done
  kill -INT $trainer
  sleep 0.2
  kill -INT $trainer
  status=0
  wait $trainer || status=$?
  [ $status = 130 ]
  [ -z "$(compgen -G 'ck*')" ]
}

@test "a signal ends the tool at once while no input has arrived" {
  mkfifo fifo
  "${small[@]}" -o m fifo 2>message 3>&- &
  trainer=$!
  sleep 1
  kill -TERM $trainer
  status=0
  wait $trainer || status=$?
  [ $status = 143 ]
  sleep 60 >fifo 3>&- &
  feeder=$!
  "${small[@]}" -o m fifo 2>>message 3>&- &
  trainer=$!
  sleep 1
  kill -TERM $trainer
  for _ in $(seq 50); do kill -0 $trainer 2>/dev/null || break; sleep 0.1; done
  run ! kill -0 $trainer
  kill $feeder
  [ ! -s message ]
  [ ! -e m ]
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
  mkdir folder
  run -74 train --weights folder -o m "$batches"
  [[ $output == "blades-train: folder: Is a directory" ]]
  run train --weights missing.json -o m "$batches"
  assert_status 66
  # how they would be learnt is of no interest then
  train --weights equal --lambda softmax --lambda-lr 3 --lambda-lag --hypergradient fd -o odd "$batches"
  train --weights equal -o even "$batches"
  cmp odd even
  run ! grep hypergradient log
  echo '{"iso":"a","make":1,"coarse":1,"fine":1}' >w.json
  run -65 train --weights w.json -o m "$batches"
  [[ $output == *"w.json: the weight of the task 'iso' is not a number" ]]
}

@test "an option that changes nothing beside others is said" {
  set -- blades-train "${small[@]:2}" --no-progress --steps 1 -o m
  run -0 "$@" --weights equal --lambda softmax --schedule constant --schedule-steps 3 --checkpoint-every 2 "$batches"
  [[ $output == *"--schedule-steps changes nothing with --schedule constant"* ]]
  [[ $output == *"--lambda changes nothing with --weights"* ]]
  [[ $output == *"--checkpoint-every changes nothing with no --checkpoint"* ]]
  run -0 "$@" --lambda softmax --validate-every 2 "$batches"
  [ "$(grep -c 'changes nothing' <<<"$output")" = 1 ]
  [[ $output == *"--validate-every changes nothing with weights that are learnt"* ]]
}

@test "frozen parts keep their values" {
  train --steps 0 -o before "$batches"
  train --freeze text,image,scale -o after "$batches" && return 1
  train --freeze image,scale --weights equal -o after "$batches"
  statistics_of() { python3 - "$1" <<'END'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
(length,) = struct.unpack("<Q", data[:8])
for name, entry in sorted(json.loads(data[8 : 8 + length]).items()):
    if name.startswith("model.visual."):
        first, last = entry["data_offsets"]
        print(name, data[8 + length + first : 8 + length + last].hex())
END
  }
  cmp <(statistics_of before) <(statistics_of after)
  run train --freeze hair -o m "$batches"
  assert_status 64
}

@test "names of a file of initial values reach no terminal raw" {
  "$BATS_TEST_DIRNAME/safetensors_file" file \
    '{"odd\u001b[31m":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"logit_scale":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}' 8
  run blades-train -v -j 1 --arch resnet18 --width 0.1 --embedding-dim 16 --text-layers 1 --text-width 32 \
    --steps 0 --init file -o m "$batches"
  assert_status 0
  [[ "$output" == *'  odd?[31m ('* ]]
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
  # the size is that of the first batch, though it is not trained on
  train --steps 0 --checkpoint ck -o d one
  blades-train -q --resume ck --steps 6 -o d one two
  cmp c d
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
  [[ $output == *": record 1: no validation batch follows"* ]]
  for wrong in same:'"a face" and "a face" are the same prompt' long:'has 10'[0-9]*'tokens' scale:'scale is not a number' \
    many:'not 1 to 65536'; do
    make_batches 1 0 ${wrong%%:*} >wrong
    run -65 train -o m wrong
    [[ $output == "blades-train: wrong: "*${wrong#*:}* ]]
  done
  for bytes in 0 7 700 50000 60001; do
    run train -o m <(head -c $bytes "$batches")
    assert_status 65
  done
}

@test "an error record in the stream is counted" {
  train_noting() {
    blades-train --no-progress -j 1 --arch resnet18 --width 0.1 --embedding-dim 16 --text-layers 1 --text-width 32 "$@"
  }
  run train_noting -o m <(make_batches 2 0 error)
  assert_status 0
  [[ $output == *"1 error record"* ]]
  # those behind the last step are not
  make_batches 0 0 error >broken
  cat "$batches" broken "$batches" >long
  run train_noting --steps 6 -o m long
  assert_status 0
  [[ $output != *"error record"* ]]
  run train_noting -o m long
  [[ $output == *"1 error record"* ]]
}

@test "standard input and output are not files of weights, logs or checkpoints" {
  for option in weights log trace checkpoint; do
    run train --$option - -o m "$batches"
    assert_status 64
    [[ $output == *"--$option takes the name of a file, not '-'"* ]]
  done
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
