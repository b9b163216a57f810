# The command-line contract, for every tool there is (DESIGN: "one contract for all tools").

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

@test "every tool has --help on standard output that fits a screen, and a man page" {
  check() {
    "$tool" --help >help 2>error && [ ! -s error ] && grep -q "^usage: $tool " help &&
      [ "$(wc -l <help)" -le 60 ] && [ "$(wc -L <help)" -le 80 ] && [ -f "$BLADES_ROOT/man/$tool.1" ]
  }
  each_tool check
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

@test "a number out of range is 64" {
  check() {
    local status=0
    "$tool" -j 0 </dev/null >out 2>error || status=$?
    [ $status = 64 ] && grep -q -- '--threads' error
  }
  each_tool check
}

@test "help that cannot be written is 74" {
  check() {
    local status=0
    "$tool" --help >/dev/full 2>error || status=$?
    [ $status = 74 ]
  }
  each_tool check
}

@test "threads wait without spinning: every tool is linked with what sees to it" {
  [[ $BLADES_BUILD != *sanitize* ]] || skip "tests/run sees to it under a sanitizer"
  check() { grep -q GOMP_SPINCOUNT "$BLADES_BUILD/bin/$tool"; }
  each_tool check
}
