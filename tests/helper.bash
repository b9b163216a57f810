# Loaded by every bats file: the tools on PATH (tests/run puts the build there), data when it is present.
: "${BLADES_BUILD:=$BATS_TEST_DIRNAME/../build}"
export BLADES_BUILD PATH="$BLADES_BUILD/bin:$PATH"
BLADES_ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
BLADES_DATA=${BLADES_DATA-$BLADES_ROOT/../shared/data}
[ -d "$BLADES_DATA" ] || BLADES_DATA=
export BLADES_ROOT BLADES_DATA OPENBLAS_NUM_THREADS=1

# Under a sanitizer tools start slowly: tests that run one a hundredfold take every SPARSENESSth case.
SPARSENESS=1
[[ $BLADES_BUILD != *sanitize* ]] || SPARSENESS=8
# Looking for leaks takes a tool longer than all else it does in a test: where all tools are run is enough.
[[ $BATS_TEST_FILENAME == */pipeline.bats ]] || export ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
plain_build() { # for tests of what hundreds of training steps lead to, whose code runs in other tests, too
  [ $SPARSENESS = 1 ] || skip "minutes of training, slow under a sanitizer"
}

need_data() { # FOLDER...: skips the test where the shared data is missing
  [ -n "$BLADES_DATA" ] || skip "no folder with real photographs here"
  local folder
  for folder; do [ -e "$BLADES_DATA/$folder" ] || skip "no $folder among the real photographs"; done
}

# Status, and no message but those of the tool itself.
assert_status() { # EXPECTED
  [ "$status" = "$1" ] || { echo "status $status, expected $1; output: $output" >&2; return 1; }
}

tools() { # names of all tools
  local source
  for source in "$BLADES_ROOT"/tools/*.c; do basename "$source" .c; done
}

# Debian's, whatever python3 comes first on the PATH.
python3() { /usr/bin/python3 "$@"; }
