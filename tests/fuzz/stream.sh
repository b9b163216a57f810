#!/bin/sh
# Mutations of a small stream against the reader. Run from the root of the repository by "make fuzz".
set -eu
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
header='\203\244type\246header\246blades\001\244kind\251embedding'
record='\204\244type\251embedding\242id\241a\246vector\304\010\000\000\200\077\000\000\300\177\244more\203\241a\222\001\300\241b\313\077\360\000\000\000\000\000\000\241c\303'
error='\204\244type\245error\242id\241b\245stage\241x\246reason\241y'
trailer='\203\244type\247trailer\247records\001\246errors\001'
# shellcheck disable=SC2059
printf "$header$record$error$trailer" >"$seeds/one"
# shellcheck disable=SC2059
printf "$header$record$error$trailer$header$error$record$trailer" >"$seeds/two"
"$BLADES_BUILD/fuzz/fuzz_stream" "${FUZZ_ROUNDS:-2000}" "$seeds/one" "$seeds/two"
