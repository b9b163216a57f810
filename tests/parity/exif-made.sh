#!/bin/bash
# Compares exif-extract with exiftool on files made by tests/exif_files.py, and on files that exiftool itself wrote.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
if ! command -v exiftool >/dev/null; then
  echo 'ok 1 - made files # SKIP no exiftool (Debian: libimage-exiftool-perl)'
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 "$root/tests/exif_files.py" "$work"

write() { # FROM TO TAG=VALUE...
  local from=$1 to=$2
  shift 2
  exiftool -q -q -n "$@" -o "$work/$to" "$work/$from"
}
camera=(-Make='FUJI PHOTO FILM CO., LTD.' -Model='FinePix S2Pro' -ExposureTime=0.0125 -FNumber=5.6 -ISO=800
  -ExposureProgram=8 -ShutterSpeedValue=0.0125 -ApertureValue=5.6 -ExposureCompensation=-1.3333 -MeteringMode=6 -EXIF:Flash=31
  -FocalLength=105 -ExposureMode=2 -WhiteBalance=1 -FocalLengthIn35mmFormat=157 -SceneCaptureType=2
  -DateTimeOriginal='2003:01:02 03:04:05' -LensModel='AF 105 mm' -Orientation=7)
for from in none.jpg none.png little.tif big.tif after-large-icc.jpg; do
  write "$from" "written-$from" "${camera[@]}"
done
write none.jpg written-xmp-too.jpg "${camera[@]}" -XMP:Make=Other -XMP:ISO=50 -XMP:Title=title -IPTC:City=Paris
write plain.jpg written-removed.jpg -ISO= -Flash= -Make= -FocalLength=
write plain.jpg written-thumbnail.jpg "-ThumbnailImage<=$work/none.jpg" -IFD1:Orientation=3 -IFD1:Make=Thumb
"$root/tests/parity/exif.sh" "$work"
