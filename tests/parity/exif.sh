#!/bin/bash
# Compares exif-extract with exiftool, tag by tag, over all image files of a folder.
# Usage: tests/parity/exif.sh [FOLDER...]   (default: $BLADES_EXIF_DATA, else $BLADES_DATA/exif)
# Prints TAP, one test a tag, with the agreement in numbers; differences that are meant are counted with their reason.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
export PATH="${BLADES_BIN:-$root/build/bin}:$PATH"
BLADES_DATA=${BLADES_DATA-$root/../shared/data}
if [ $# = 0 ]; then set -- "${BLADES_EXIF_DATA:-$BLADES_DATA/exif}"; fi
skip() { printf 'ok 1 - exif-extract agrees with exiftool # SKIP %s\n1..1\n' "$1"; exit 0; }
for folder; do [ -d "$folder" ] || skip "no folder $folder"; done
command -v exiftool >/dev/null || skip "no exiftool (Debian: libimage-exiftool-perl)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
find -L "$@" -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' -o -iname '*.webp' -o -iname '*.tif' \
  -o -iname '*.tiff' \) | LC_ALL=C sort >"$work/files"
[ -s "$work/files" ] || skip "no image files in $*"
# What exiftool prefers, and all it finds, by group: a maker note's value may hide the standard tag's.
exiftool -q -q -j -n -@ "$work/files" >"$work/preferred.json" 2>/dev/null || [ -s "$work/preferred.json" ]
exiftool -q -q -j -n -a -G1 -@ "$work/files" >"$work/grouped.json" 2>/dev/null || [ -s "$work/grouped.json" ]
exif-extract -q --no-provenance --max-errors 1000000 --files-from "$work/files" | stream-dump >"$work/ours.jsonl"

/usr/bin/python3 - "$work" <<'PYTHON'
import json, math, re, sys
from collections import Counter

work = sys.argv[1]
preferred = {o["SourceFile"]: o for o in json.load(open(work + "/preferred.json"))}
grouped = {o["SourceFile"]: o for o in json.load(open(work + "/grouped.json"))}
ours = {}
for line in open(work + "/ours.jsonl"):
    record = json.loads(line)
    if record["type"] in ("photo", "error"):
        ours[record["id"]] = record

# exiftool's name, our key, kind: text, class (a code), number, positive (zero means unknown), iso, size
TAGS = [
    ("Make", "Make", "raw"), ("Model", "model", "text"),
    ("Flash", "flash", "class"), ("MeteringMode", "metering_mode", "class"),
    ("SceneCaptureType", "scene_capture_type", "class"), ("ExposureMode", "exposure_mode", "class"),
    ("WhiteBalance", "white_balance", "class"), ("ExposureProgram", "exposure_program", "class"),
    ("ApertureValue", "aperture", "positive"), ("ExposureCompensation", "exposure_bias", "number"),
    ("ExposureTime", "exposure_time", "positive"), ("FNumber", "f_number", "positive"),
    ("FocalLength", "focal_length", "positive"), ("ISO", "iso", "iso"),
    ("ShutterSpeedValue", "shutter_speed", "positive"), ("Orientation", "orientation", "orientation"),
    ("DateTimeOriginal", "datetime_original", "time"),
    ("FocalLengthIn35mmFormat", "focal_length_35mm", "positive"), ("LensModel", "lens_model", "text"),
    ("ImageWidth", "width", "size"), ("ImageHeight", "height", "size"),
]
def flash(code):
    fired = "fired" if code & 1 else "not fired"
    return fired + (" in auto mode" if (code >> 3) & 3 == 3 else "")
CLASSES = {
    "flash": {code: flash(code) for code in range(65536)},
    "metering_mode": {1: "average", 2: "centerweighted", 3: "spot", 4: "multi-spot", 5: "multi-segment", 6: "partial",
                      255: "others"},
    "scene_capture_type": {0: "standard", 1: "landscape", 2: "portrait", 3: "night scene", 4: "others"},
    "exposure_mode": {0: "auto", 1: "manual", 2: "auto-bracketing"},
    "white_balance": {0: "auto", 1: "manual"},
    "exposure_program": {1: "manual control", 2: "normal program", 3: "aperture priority", 4: "shutter priority",
                         5: "creative program", 6: "action program", 7: "portrait mode", 8: "landscape mode"},
}
# Why a value may differ from what exiftool prefers. Whatever the reason, our value must be the one that follows from
# exiftool's own reading of the standard directories (IFD0 and the Exif IFD).
REASONS = {
    "maker note": "exiftool prefers a maker note's value; the method wants the standard tag's",
    "elsewhere": "exiftool found the tag outside EXIF only (XMP, maker note, Composite)",
    "thumbnail": "exiftool found the tag in the thumbnail's IFD1 only, which describes another image",
    "unknown": "a value that says 'unknown' is missing: zero, 1/0, 0/0, blank, 65535, a code without a class",
    "large ISO": "ISO 65535 stands for the value of ISOSpeed or RecommendedExposureIndex",
    "list": "of several ISO values the first above zero counts",
    "not the image": "exiftool prefers the size in a thumbnail's IFD1, XMP or a tag over that of the image's own header",
    "no image": "exiftool reads tags of a file that has no image header",
}
STANDARD_GROUPS = ("ExifIFD", "IFD0")
SIZE_GROUPS = ("File", "PNG", "RIFF")

def lookup(path, name, groups):
    """A tag's value in the first of some groups that has it."""
    table = grouped.get(path, {})
    return next((table[group + ":" + name] for group in groups if group + ":" + name in table), None)

def number(x):
    try:
        x = float(x)
    except (TypeError, ValueError):
        return None
    return x if math.isfinite(x) else None

def normal(value, key, kind):
    """The normalised value that follows from exiftool's; None: missing."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if kind in ("raw", "text"):
        return str(value).strip()
    if kind == "time":
        return value if re.search("[1-9]", str(value)) else None
    if kind == "iso":
        for item in str(value).split():
            if number(item) and number(item) > 0:
                return None if number(item) == 65535 else number(item)
        return None
    x = number(value)
    if x is None and re.fullmatch(r"\d+/[1-9]\d*", str(value)):  # a number stored as text
        x = int(value.split("/")[0]) / int(value.split("/")[1])
    if x is None or x == 0xffffffff:
        return None
    if kind == "class":
        return CLASSES[key].get(x)
    if kind == "orientation":
        return x if 1 <= x <= 8 else None
    if kind in ("positive", "size"):
        return x if x > 0 else None
    return x if abs(x) < 100 else None

def same(a, b):
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) <= 1e-8 * max(abs(a), abs(b), 1e-3)  # exiftool prints ten digits
    return (str(a) if a is not None else None) == (str(b) if b is not None else None)

def our_value(record, key, kind):
    if kind in ("size", "orientation"):
        return record.get(key)
    if kind == "raw":
        return record["exif_raw"].get(key, "").strip() or None
    return record["exif"].get(key)

def explain(path, name, key, kind, got):
    """The reason for a difference from what exiftool prefers, or None when there is none."""
    value = preferred.get(path, {}).get(name)
    if kind == "size":
        groups = STANDARD_GROUPS if lookup(path, "FileType", ("File",)) == "TIFF" else SIZE_GROUPS
        return "not the image" if same(got, normal(lookup(path, name, groups), key, kind)) else None
    own = lookup(path, name, STANDARD_GROUPS)
    if kind == "iso" and str(own) == "65535":
        others = [lookup(path, tag, STANDARD_GROUPS)
                  for tag in ("ISOSpeed", "RecommendedExposureIndex", "StandardOutputSensitivity")]
        if same(got, next((x for x in others if x), None)):
            return "large ISO" if got else "unknown"
    if not same(got, normal(own, key, kind)):
        return None
    if own is None:
        return "thumbnail" if same(value, lookup(path, name, ("IFD1",))) else "elsewhere"
    if not same(value, own):
        return "maker note"
    if kind == "iso" and len(str(value).split()) > 1:
        return "list"
    return "unknown" if got is None else None

failed, explained = 0, Counter()
for n, (name, key, kind) in enumerate(TAGS, 1):
    agree, present, wrong, reasons = 0, 0, [], Counter()
    for path, record in ours.items():
        value = preferred.get(path, {}).get(name)
        if record["type"] == "error":
            reasons["no image"] += value is not None
            continue
        got = our_value(record, key, kind)
        if value is None and got is None:
            continue
        present += 1
        if got is not None and same(got, normal(value, key, kind)):
            agree += 1
            continue
        reason = explain(path, name, key, kind, got)
        if reason:
            reasons[reason] += 1
        else:
            wrong.append((path, value, got))
    reasons += Counter()
    explained.update(reasons)
    failed += bool(wrong)
    notes = "".join(", %d %s" % (count, reason) for reason, count in sorted(reasons.items()))
    print("%s %d - %s: %d agree of %d%s" % ("not ok" if wrong else "ok", n, name, agree, present, notes))
    for path, value, got in wrong:
        print("#   %s: exiftool %r, ours %r" % (path, value, got))
print("1..%d" % len(TAGS))
print("# %d files, %d read as images; differences that are meant:" % (len(ours), sum(r["type"] == "photo" for r in ours.values())))
for reason, count in explained.most_common():
    print("#   %4d %s: %s" % (count, reason, REASONS[reason]))
sys.exit(1 if failed else 0)
PYTHON
