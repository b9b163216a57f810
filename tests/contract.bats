# The command-line contract, for every tool there is (DESIGN: "one contract for all tools").
bats_require_minimum_version 1.5.0

setup() {
  load helper
  cd "$BATS_TEST_TMPDIR"
}

each_tool() { # COMMAND with $tool, must hold for every tool
  local tool failed=0
  for tool in $(tools); do
    "$@" || { echo "$tool: failed" >&2; failed=1; }
  done
  [ $failed = 0 ]
}

has_operands() { "$tool" --help | grep -q '^usage: .*options\] \['; }

own_options() { # the names in the tool's table
  grep -oP '^\s+\{"\K[a-z0-9-]+(?=", (0|.[^,]*), CLI_)' "$BLADES_ROOT/tools/$tool.c" || true
}

common_options() { # the names in the table of all tools
  grep -oP '^\s+(\{\w+, )?\{"\K[a-z0-9-]+(?=", (0|.[^,]*), CLI_)' "$BLADES_ROOT/common/cli/cli.c"
}

photos() { # two photographs with faces: drawn/, and the stream located
  face-synth -q -n 2 --size 64 -o drawn
  exif-extract -q drawn/*.jpg | face-locate -q -a drawn/annotations.jsonl -o located
}

@test "every tool has --help on standard output that fits a screen, and a man page" {
  check() {
    "$tool" --help >help 2>error && [ ! -s error ] && grep -q "^usage: $tool " help &&
      [ "$(wc -l <help)" -le 24 ] && [ "$(wc -L <help)" -le 80 ] && [ -f "$BLADES_ROOT/man/$tool.1" ]
  }
  each_tool check
}

@test "every option is named in the help and the man page; with -v the help explains each" {
  check() {
    local option missing=0 help all page
    help=$("$tool" --help) all=$("$tool" -hv) page=$(<"$BLADES_ROOT/man/$tool.1")
    [ "$(wc -L <<<"$all")" -le 80 ] || return 1
    for option in $(own_options); do
      [[ "$help " =~ --${option}[^a-z-] && $all =~ " --$option"(=[^ ]*)?\ +[^-\ ] && "$page " =~ Fl\ -${option}[^a-z-] ]] ||
        { echo "--$option is missing" >&2; missing=1; }
    done
    [ $missing = 0 ]
  }
  [ "$(common_options | wc -l)" = 14 ]
  [ "$(tool=blades-train own_options | wc -l)" -gt 30 ]
  each_tool check
}

@test "the help lists the choices of options" {
  face-locate --help | tr -s ' \n' ' ' | grep -q -- '--format=FORMAT of the annotation files (auto): auto, lines, fdf, coco,'
  face-synth --help | tr -s ' \n' ' ' | grep -q 'camera, upsampler, smoother, blender, quantiser -o, '
}

@test "the help has the common options that a tool obeys; it takes the others, and says that they change nothing" {
  [[ $BLADES_BUILD != *sanitize* ]] || skip "a hundred runs about words"
  check() {
    local option help error known shown documented
    help=$("$tool" --help)
    for option in seed set max-errors no-provenance files-from null; do
      shown=1 documented=1
      error=$("$tool" "--$option=?" -j 0 </dev/null 2>&1) && return 1
      case $option in files-from | null) has_operands ;; esac && [[ $error == *"unknown option --$option"* ]] && return 1
      [[ "$help " =~ --${option}[^a-z-] ]] || shown=0
      case $option in
        files-from | null) has_operands || documented=0 ;;
        *) grep -qE "(^.Xr| ,) $tool 1" "described.$option" || documented=0 ;;
      esac
      [ $shown = $documented ] ||
        { echo "--$option: in the help $shown, in blades(7) $documented" >&2; return 1; }
    done
    for option in output threads progress no-progress quiet verbose help version; do
      [[ "$help " =~ --${option}[^a-z-] ]] || { echo "--$option is not in the help" >&2; return 1; }
    done
  }
  for option in seed set max-errors no-provenance; do # what blades(7) says of it
    awk "/^.It/ { on = /^.It Fl -$option/ } on" "$BLADES_ROOT/man/blades.7" >"described.$option"
  done
  each_tool check
  run stream-dump --set a=b --seed 3 --max-errors 2 --no-provenance --verify /dev/null
  for option in set seed max-errors no-provenance; do
    [[ $output == *"stream-dump: --$option changes nothing here"* ]]
  done
  face-synth --help | grep -q -- '--output=FOLDER .*(required)'
}

@test "--set gives no key twice, and none that the tool writes itself" {
  for pair in "score score" "score p_value" "tsne x" "face-manipulate draw" "embed id"; do
    read -r tool key <<<"$pair"
    run "$tool" --set "$key=1" </dev/null
    assert_status 64
    [[ $output == *"--set: the key '$key' "* ]]
  done
  run embed --set a=1 --set a=2 </dev/null
  assert_status 64
  [[ $output == *"--set: the key 'a' is given twice"* ]]
}

@test "every tool names its version and the processor features in use" {
  check() { "$tool" --version | grep -q "^$tool (BLADES in C)" && "$tool" -V | grep -q 'processor features'; }
  each_tool check
}

@test "an unknown option is 64 with the tool's name in front" {
  check() {
    local status=0
    "$tool" --no-such-option </dev/null >out 2>error || status=$?
    [ $status = 64 ] && [ ! -s out ] && grep -q "^$tool: " error
  }
  each_tool check
}

@test "an ambiguous option is 64 and names the candidates" {
  run score --thr=1
  assert_status 64
  [ "${lines[0]}" = "score: option --thr is ambiguous: --threshold, --threads" ]
  run score --threx=1
  assert_status 64
  [ "${lines[0]}" = "score: unknown option --threx" ]
}

@test "a number out of range is 64 and names the option by both its names" {
  check() {
    local status=0
    "$tool" -j 0 </dev/null >out 2>error || status=$?
    [ $status = 64 ] && grep -q -- "^$tool: -j, --threads: '0' is not" error
  }
  each_tool check
}

@test "unknown values of the environment are 64 with those that there are" {
  check() {
    local status=0
    BLADES_CPU=fast "$tool" </dev/null >out 2>error || status=$?
    [ $status = 64 ] && grep -q "BLADES_CPU: 'fast' is none of generic, avx2, avx512, avx512bf16" error || return 1
    status=0
    BLADES_GEMM=fast "$tool" </dev/null >out 2>error || status=$?
    [ $status = 64 ] && grep -q "BLADES_GEMM: 'fast' is none of own, openblas" error
  }
  each_tool check
  photos
  BLADES_CPU='' BLADES_GEMM='' stream-dump --verify located
}

@test "help that cannot be written is 74, with the reason" {
  check() {
    local status=0
    "$tool" --help >/dev/full 2>error || status=$?
    [ $status = 74 ] && grep -q "^$tool: standard output: No space left" error || return 1
    status=0
    "$tool" --version >&- 2>error || status=$?
    [ $status = 74 ] && grep -q "^$tool: standard output: Bad file descriptor" error
  }
  each_tool check
}

@test "closed descriptors are filled, so that no file opened later becomes one of them" {
  mkfifo names
  check() {
    local pid tries=0
    has_operands || return 0
    "$tool" --files-from names <&- >&- 2>&- & # waits there
    pid=$!
    until [ -e "/proc/$pid/fd/2" ] && [ "$(readlink "/proc/$pid/fd/2")" = /dev/null ] || [ $((tries++)) = 40 ]; do sleep 0.05; done
    readlink "/proc/$pid/fd/0" "/proc/$pid/fd/1" "/proc/$pid/fd/2" >links || true
    kill -9 $pid
    wait $pid 2>/dev/null || true
    [ "$(tr '\n' ' ' <links)" = "/dev/null /dev/null /dev/null " ]
  } 3>&-
  each_tool check
}

@test "what goes to a closed standard output or error is in no file, and a closed input is an error" {
  photos
  exif-extract drawn/*.jpg /etc/passwd -o wanted --max-errors 5 2>/dev/null
  exif-extract drawn/*.jpg /etc/passwd -o got --max-errors 5 2>&-
  cmp wanted got
  status=0
  face-manipulate -q --trace trace located >&- 2>error || status=$?
  assert_status 74
  grep -q '^face-manipulate: standard output: Bad file descriptor' error
  [ ! -e trace ]
  face-synth -n 2 --size 64 -o again <&- >&- 2>&-
  diff -r drawn again
  check() {
    local status=0
    has_operands || return 0
    rm -f out
    "$tool" -o out <&- 2>error || status=$?
    [ $status -ge 64 ] && [ -s error ] && { [ ! -e out ] || stream-dump out | grep -q '"reason":"standard input: is closed"'; }
  }
  each_tool check
  status=0
  stream-dump <&- 2>error || status=$?
  assert_status 66
  grep -q '^stream-dump: standard input: is closed' error
}

@test "lists of files: all are read, in order, and names that end in NUL need -0" {
  photos
  echo drawn/000000.jpg >one
  printf 'drawn/000001.jpg\n' >two
  exif-extract -q --files-from one --files-from two located -o out --max-errors 1
  stream-dump out | grep -o '"id":"[^"]*"' | tr '\n' ' ' >ids
  [ "$(cat ids)" = '"id":"located" "id":"drawn/000000.jpg" "id":"drawn/000001.jpg" ' ]
  printf 'drawn/000000.jpg\0drawn/000001.jpg\0' >nul
  check() {
    local status=0
    has_operands || return 0
    "$tool" --files-from nul -o out2 >out 2>error || status=$?
    [ $status = 64 ] && grep -q "^$tool: nul: names end in NUL: add -0" error || return 1
    status=0
    "$tool" -0 </dev/null >out 2>error || status=$?
    [ $status = 64 ] && grep -q 'files-from' error
  }
  each_tool check
  [ "$(exif-extract -q -0 --files-from nul | stream-dump --count)" = '2 records, 0 errors' ]
}

@test "two outputs of one name are 64, and both options are named" {
  mkdir folder
  ln -s folder/same link
  for words in 'blades-train --checkpoint' 'blades-train --log' 'blades-train --trace' 'face-manipulate --trace' \
    'face-manipulate --sheet' 'evaluate --roc' 'evaluate --histogram' 'tsne --svg' 'pretext-batch --summary-json'; do
    for name in folder/same folder//same "$PWD/folder/same" link -; do
      other=folder/same
      [ "$name" != - ] || other=-
      run $words "$name" -o "$other" </dev/null
      assert_status 64
      [[ "${lines[0]}" == "${words%% *}: ${words##* } and -o, --output would both write "* ]]
    done
  done
  [ ! -e folder/same ]
  run face-manipulate --trace x --sheet x </dev/null
  assert_status 64
  photos
  face-manipulate -q --trace /dev/null -o /dev/null located
  face-manipulate -q --trace x -o y located
}

@test "an output keeps the mode of the file it replaces, and is written where a symbolic link leads" {
  photos
  mkdir folder
  echo old >folder/kept
  chmod 640 folder/kept
  ln -s kept folder/second
  ln -s folder/second link
  ln -s folder/new dangling
  umask 022
  for output in folder/kept link dangling; do exif-extract -q drawn/*.jpg -o $output; done
  [ "$(stat -c %a folder/kept) $(stat -c %a folder/new)" = '640 644' ]
  [ "$(readlink link) $(readlink folder/second) $(readlink dangling)" = 'folder/second kept folder/new' ]
  cmp folder/kept folder/new
  [ "$(ls folder | tr '\n' ' ')" = 'kept new second ' ]
  ln -s round round
  run exif-extract -q drawn/*.jpg -o round
  assert_status 73
  [[ "$output" == *"round: Too many levels of symbolic links" ]]
  exif-extract -q drawn/*.jpg -o /dev/stdout >redirected
  cmp redirected folder/new
}

@test "a closed pipe and a limit on file sizes leave no half file" {
  photos
  mkdir folder
  run -141 bash -c 'set -o pipefail; face-manipulate -q located --trace folder/t | true'
  [ -z "$output" ]
  [ -z "$(ls folder)" ]
  run bash -c 'ulimit -f 1; face-manipulate -q located -o folder/o'
  assert_status 74
  [[ "$output" == *"folder/o: File too large" ]]
  [ -z "$(ls folder)" ]
}

@test "names cannot send control characters to a terminal" {
  check() {
    "$tool" $'--\e[31m\xc2\x9b31m\ny' </dev/null >out 2>error || true
    grep -q "^$tool: unknown option --?.31m?31m?y\$" error && ! grep -q $'\e\|\xc2\x9b' error || return 1
    "$tool" $'--a\xe2\x80\xaeb\xe2\x81\xa6' </dev/null >out 2>error || true
    grep -q "^$tool: unknown option --a?b?\$" error
  }
  each_tool check
  run stream-dump $'\e[31m\nname'
  assert_status 66
  [ "${lines[0]}" = 'stream-dump: ?[31m?name: No such file or directory' ]
  run exif-extract $'\e[31m\nname' -o out
  [[ "${lines[0]}" == 'exif-extract: '*'?[31m?name: No such file or directory' ]]
}

@test "a long path loses its middle, not the reason" {
  long=$(printf './%.0s' {1..1500})
  run stream-dump "${long}name"
  assert_status 66
  [[ "$output" == 'stream-dump: ./././'*...*'/./name: No such file or directory' ]]
  run stream-dump --limit "$long"
  assert_status 64
  [[ "${lines[0]}" == "stream-dump: -n, --limit: './././"*...*"/./' is not a whole number from 1 to"* ]]
}

@test "threads wait without spinning: every tool is linked with what sees to it" {
  [[ $BLADES_BUILD != *sanitize* ]] || skip "tests/run sees to it under a sanitizer"
  check() { grep -q GOMP_SPINCOUNT "$BLADES_BUILD/bin/$tool"; }
  each_tool check
}
