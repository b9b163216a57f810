#!/bin/sh
# Mutations of annotation files and images against their readers. Run from the root of the repository by
# "make fuzz".
set -eu
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
build=$PWD/$BLADES_BUILD
case $BLADES_BUILD in /*) build=$BLADES_BUILD ;; esac
root=$PWD
cd "$seeds"
mkdir f images recipes
"$build/bin/face-synth" -q -n 1 --size 64 -o drawn
"$root/tests/faces_make" formats f
"$root/tests/faces_make" odd images
"$root/tests/faces_make" none_npy none.npy
"$root/tests/faces_make" recipes recipes
"$build/fuzz/fuzz_annotations" "${FUZZ_ROUNDS:-2000}" f/*.json f/*.xml f/*.txt f/pts/drawn/*.pts f/npy/*.npy none.npy
"$build/fuzz/fuzz_image" "${FUZZ_ROUNDS:-2000}" drawn/*.jpg images/*.png
"$build/fuzz/fuzz_jpeg_window" "${FUZZ_ROUNDS:-2000}" recipes/*
