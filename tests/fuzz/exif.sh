#!/bin/sh
# Mutations of image files and metadata files against exif-extract's readers. Run from the root of the repository by
# "make fuzz"; real files join the made ones where BLADES_DATA has some.
set -eu
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
/usr/bin/python3 tests/exif_files.py "$seeds"
rm "$seeds/over-64k.jpg" "$seeds/big.tif" "$seeds/after-large-icc.jpg"
cat >"$seeds/metadata" <<'END'
[{"SourceFile":"a/b.jpg","ExposureTime":"1/60 sec","FNumber":"F2.8","ISO":[100,200],"Flash":"Auto, Fired","Model":5700,
"EXIF":{"Make":"NIKON","FocalLength":"35.0 mm (35 mm equivalent: 52.0 mm)"}},
{"id":12,"exif":[{"tagspace":"IFD0","tag":"Make","label":"Make","raw":{"_content":"Canon"}}],"ExposureCompensation":"+1 2/3 EV"}]
{"path":"c.jpg","ShutterSpeed":0.017,"Aperture":2.8,"Orientation":"Rotate 90 CW"}
END
rounds=${FUZZ_ROUNDS:-2000}
"$BLADES_BUILD/fuzz/fuzz_metadata" "$rounds" "$seeds/metadata"
rm "$seeds/metadata" "$seeds/expected.json"
"$BLADES_BUILD/fuzz/fuzz_exif" "$((rounds / 20 + 1))" "$seeds"/*
data=${BLADES_DATA-../shared/data}
if [ -d "$data/malformed" ] && [ -d "$data/exif" ]; then
  find "$data/malformed" "$data/exif" -type f -size -200k | LC_ALL=C sort | tr '\n' '\0' |
    xargs -0 -n 100000 "$BLADES_BUILD/fuzz/fuzz_exif" "$((rounds / 100 + 1))"
fi
