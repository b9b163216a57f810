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
cat >f/twice.json <<'END'
{"path":"a","faces":[{"box":[1,2,3,4]}]}
{"path":"a","label":"x","faces":[{"box":[5,2,9,4],"k":[1]}]}
END
cat >f/categories.json <<'END'
{"images":[{"id":1,"file_name":"a","width":3,"height":4}],"annotations":[{"image_id":1,"category_id":2,"bbox":[1,2,3,4]}],
 "categories":[{"id":1,"name":"face"},{"id":2,"name":"car"}]}
END
printf 'image_id,x_1,y_1,width,height\na.jpg,1,2,3,4\n' >f/bbox.csv
"$build/fuzz/fuzz_annotations" "${FUZZ_ROUNDS:-2000}" f/*.json f/*.csv f/*.xml f/*.txt f/pts/drawn/*.pts f/npy/*.npy none.npy
"$build/fuzz/fuzz_image" "${FUZZ_ROUNDS:-2000}" drawn/*.jpg images/*.png
"$build/fuzz/fuzz_jpeg_window" "${FUZZ_ROUNDS:-2000}" recipes/*
