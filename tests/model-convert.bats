# model-convert: files of weights from the outside.

setup() {
  load helper
  cd "$BATS_TEST_TMPDIR"
}

header='{"__metadata__":{"note":"a b"},"fc.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]},"n":{"dtype":"I64","shape":[],"data_offsets":[24,32]}}'

@test "--info lists metadata and tensors" {
  "$BATS_TEST_DIRNAME/safetensors_file" file "$header" 32
  model-convert --info file >list
  grep -qx $'format\tsafetensors' list
  grep -qx $'tensors\t2' list
  grep -qx $'numbers\t7' list
  grep -qx $'metadata\tnote\ta b' list
  grep -qx $'tensor\tfc.weight\tF32\t3x2' list
  grep -qx $'tensor\tn\tI64\tscalar' list
  model-convert --info <file | cmp - list
  model-convert --info file -o again
  cmp list again
}

@test "a named pipe and standard input are read as files are" {
  "$BATS_TEST_DIRNAME/safetensors_file" file '{"conv1.weight":{"dtype":"F32","shape":[4,3,7,7],"data_offsets":[0,2352]}}' 2352
  convert() { timeout 20 model-convert -q --arch resnet18 --width 0.0625 --embedding-dim 8 --no-provenance "$@"; }
  convert file -o model
  model-convert --info file >list
  mkfifo pipe
  for given in 'timeout 20 model-convert --info:file:list' 'convert:file:model' 'timeout 20 model-convert -q --no-provenance:model:model'; do
    IFS=: read -r command from expected <<<"$given"
    cat "$from" >pipe &
    $command pipe >out
    wait $!
    cmp out "$expected"
    $command - <"$from" | cmp - "$expected"
  done
}

@test "a file cut at any byte is refused" {
  "$BATS_TEST_DIRNAME/safetensors_file" file "$header" 32
  size=$(stat -c %s file)
  for cut in 0 1 7 8 9 100 $((size - 33)) $((size - 1)); do
    head -c "$cut" file >cut
    run model-convert --info cut
    assert_status 65
    [[ $output == "model-convert: cut: "* ]]
  done
}

@test "statuses: no file 66, several files 64, a full disk 74, a folder 66" {
  "$BATS_TEST_DIRNAME/safetensors_file" file "$header" 32
  run model-convert --info nowhere
  assert_status 66
  run model-convert file file
  assert_status 64
  run sh -c 'model-convert --info file >/dev/full'
  assert_status 74
  mkdir folder
  run model-convert --info folder
  assert_status 66
}

@test "missing parameters are said, drawn from the seed, and refused by --strict" {
  "$BATS_TEST_DIRNAME/safetensors_file" file '{"conv1.weight":{"dtype":"F32","shape":[4,3,7,7],"data_offsets":[0,2352]},"fc.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[2352,2376]}}' 2376
  model-convert --arch resnet18 --width 0.0625 --embedding-dim 3 file -o one 2>report
  grep -qx 'model-convert: found: 1' report
  grep -q 'missing (drawn at random): [1-9]' report
  grep -q 'fc.weight (is 3x2, should be 3x32)' report
  model-convert -v --arch resnet18 --width 0.0625 --embedding-dim 3 file -o one 2>report
  grep -qx 'model-convert:   model.visual.conv1.weight' report
  run model-convert --strict --arch resnet18 --width 0.0625 --embedding-dim 3 file -o two
  assert_status 65
  [ ! -e two ]
}

@test "a model file is written again byte for byte, whatever -j" {
  "$BATS_TEST_DIRNAME/safetensors_file" file '{"conv1.weight":{"dtype":"F32","shape":[4,3,7,7],"data_offsets":[0,2352]}}' 2352
  model-convert -q --arch resnet18 --width 0.0625 --embedding-dim 8 --no-provenance -j 1 file -o one
  model-convert -q --arch resnet18 --width 0.0625 --embedding-dim 8 --no-provenance -j 3 file -o two
  cmp one two
  model-convert -q --no-provenance one -o three
  cmp one three
  model-convert -q --seed 5 --arch resnet18 --width 0.0625 --embedding-dim 8 --no-provenance file -o other
  ! cmp -s one other
}

@test "what a model was made by grows by an entry, with a seed where one was given" {
  "$BATS_TEST_DIRNAME/safetensors_file" file '{"conv1.weight":{"dtype":"F32","shape":[4,3,7,7],"data_offsets":[0,2352]}}' 2352
  model-convert -q --seed 7 --arch resnet18 --width 0.0625 --embedding-dim 8 file -o one
  model-convert -q one -o two
  made_by() { tr -d '\\' <"$1" | grep -a -o '"provenance":.*}\]"' | grep -o '"tool":"model-convert"\|"seed":[0-9]*' | paste -sd ' '; }
  [ "$(made_by one)" = '"tool":"model-convert" "seed":7' ]
  [ "$(made_by two)" = '"tool":"model-convert" "seed":7 "tool":"model-convert"' ]
}

@test "a pickle that names what no state dict needs is refused by that name" {
  printf '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.' >evil
  run model-convert --info evil
  assert_status 65
  [[ $output == *"'os.system'"* ]]
}

in_little_memory() { # COMMAND...; the sanitizers need more than there is
  [[ $BLADES_BUILD == *sanitize* ]] || ulimit -v 400000
  "$@"
}

# A checkpoint of the older format whose pickle copies a long container with each of COPIES repetitions.
copies() { # MAKE_IT COPY_IT COPIES
  printf '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02'
  printf 'ccollections\nOrderedDict\nq\x00ctorch._utils\n_rebuild_tensor\nq\x01('
  yes NN | head -n 50000 | tr -d '\n'
  printf '%b' "$1q\\x02"
  yes "$2" | head -n "$3" | tr -d '\n' | xargs -0 printf '%b'
  printf '.'
}

@test "a pickle that copies a long container again and again is refused before it fills the memory" {
  copies d 'h\x00h\x02\x85R0' 2000 >dictionary # OrderedDict(it)
  copies d 'h\x00)Rh\x02b0' 2000 >state         # OrderedDict(), with it as its state
  copies t 'h\x01h\x02R0' 2000 >tensor          # _rebuild_tensor(*it)
  copies t 'h\x02Q0' 2000 >storage              # a storage of that description
  for file in dictionary state tensor storage; do
    run in_little_memory model-convert --info $file
    assert_status 65
    [[ $output == *"copies containers again and again"* ]]
  done
}

# A checkpoint of the older format: TENSORS views of 16 million elements of one that is stored.
expanded() { # TENSORS
  printf '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02}('
  for ((i = 0; i < $1; i++)); do
    printf 'U\x04w%03dctorch._utils\n_rebuild_tensor\n(' "$i"
    printf '(U\x07storagectorch\nFloatStorage\nU\x01aU\x03cpuK\x01NtQ'
    printf 'K\x00J\x00\x00\xf0\x00\x85K\x00\x85tR'
  done
  printf 'u.\x80\x02]U\x01aa.\x01\0\0\0\0\0\0\0\0\0\x80\x3f'
}

@test "views that repeat an element are read, but not to numbers without bound" {
  expanded 1 >one
  model-convert --info one | grep -qx $'tensor\tw000\tF32\t15728640'
  expanded 2 >two
  run model-convert --info two
  assert_status 65
  [[ $output == *"tensor 'w001' repeats a storage too often" ]]
}

# A checkpoint of the older format whose dictionaries of one another make a million long names of few bytes.
nested() {
  printf '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02'
  name=$(printf '%0200d' 0)
  printf 'K\x01q\x00'
  for depth in 1 2 3; do
    printf '}('
    for ((i = 0; i < 90; i++)); do printf 'U\xcb%s%03dh\x00' "$name" "$i"; done
    printf 'uq\x00'
  done
  printf '.\x80\x02].'
}

@test "few bytes of pickle do not make gigabytes of names" {
  nested >names
  run in_little_memory model-convert --info names
  assert_status 65
  [[ $output == *"too many names"* ]]
}

@test "the tokens of a vocabulary must be as many as the model's" {
  "$BATS_TEST_DIRNAME/safetensors_file" file '{"conv1.weight":{"dtype":"F32","shape":[4,3,7,7],"data_offsets":[0,2352]}}' 2352
  printf 'l o\nlo w</w>\n' >merges.txt
  run model-convert --vocabulary merges.txt --arch resnet18 --width 0.0625 file -o out
  assert_status 65
  [[ $output == *"516 tokens"* ]]
}
