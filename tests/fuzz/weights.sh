#!/bin/sh
# Mutations of checkpoints and vocabularies against their readers. Run from the root of the repository by "make fuzz".
set -eu
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
if /usr/bin/python3 -c 'import torch' 2>/dev/null; then
  /usr/bin/python3 tests/fuzz/checkpoints.py "$seeds"
fi
tests/safetensors_file "$seeds/plain" '{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"n":{"dtype":"I64","shape":[],"data_offsets":[8,16]}}' 16
printf '\200\002\212\012\154\374\234\106\371\040\152\250\120\031.\200\002M\351\003.\200\002}.\200\002' >"$seeds/copies"
printf 'ccollections\nOrderedDict\nq\000(NNNNdq\001h\000h\001\205R0h\000)Rh\001b.' >>"$seeds/copies"
"$BLADES_BUILD/fuzz/fuzz_weights" "${FUZZ_ROUNDS:-2000}" "$seeds"/*
rm "$seeds"/*
printf 'a\nface\nof\nphoto\n\000A photo of 2 faces &amp; caf\303\251 <|endoftext|>' >"$seeds/words"
printf 'f a\nc e</w>\nfa ce</w>\np h\n\000A photo of FACE fa\357\254\201 \320\226&#x3a3; ' >"$seeds/merges"
"$BLADES_BUILD/fuzz/fuzz_tokenizer" "${FUZZ_ROUNDS:-2000}" "$seeds"/*
