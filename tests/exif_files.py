#!/usr/bin/python3
"""Writes image files with EXIF blocks as different cameras and programs write them, and strange ones.

Usage: exif_files.py FOLDER            writes the files and FOLDER/expected.json
       exif_files.py --check FOLDER    compares JSON lines of stream-dump on standard input with it; prints what differs
"""
import json
import math
import os
import struct
import sys
import zlib

BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, SSHORT, SLONG, SRATIONAL, FLOAT, DOUBLE = range(1, 13)
CODES = {BYTE: "B", SHORT: "H", LONG: "L", SBYTE: "b", SSHORT: "h", SLONG: "l", FLOAT: "f", DOUBLE: "d"}
SIZES = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, SBYTE: 1, UNDEFINED: 1, SSHORT: 2, SLONG: 4, SRATIONAL: 8,
         FLOAT: 4, DOUBLE: 8}
WIDTH, HEIGHT, MAKE, MODEL, ORIENTATION = 0x100, 0x101, 0x10F, 0x110, 0x112
EXPOSURE_TIME, F_NUMBER, PROGRAM, ISO, DATE = 0x829A, 0x829D, 0x8822, 0x8827, 0x9003
OUTPUT_SENSITIVITY, RECOMMENDED_INDEX, ISO_SPEED = 0x8831, 0x8832, 0x8833
SHUTTER, APERTURE, BIAS, METERING, FLASH, FOCAL, MAKER_NOTE = 0x9201, 0x9202, 0x9204, 0x9207, 0x9209, 0x920A, 0x927C
EXPOSURE_MODE, BALANCE, FOCAL_35, SCENE, LENS = 0xA402, 0xA403, 0xA405, 0xA406, 0xA434
EXIF_IFD, GPS_IFD, USER_COMMENT = 0x8769, 0x8825, 0x9286


def pack(order, form, values):
    if form in (ASCII, UNDEFINED):
        return values if isinstance(values, bytes) else values.encode() + b"\0"
    if not isinstance(values, (list, tuple)):
        values = [values]
    if form in (RATIONAL, SRATIONAL):
        code = "L" if form == RATIONAL else "l"
        return b"".join(struct.pack(order + code * 2, *pair) for pair in
                        ([values] if not isinstance(values[0], (list, tuple)) else values))
    return struct.pack(order + CODES[form] * len(values), *values)


def directory(order, entries, at, following=0):
    """A directory at an offset and its values behind it."""
    head, values = b"", b""
    values_at = at + 2 + 12 * len(entries) + 4
    for tag, form, value in entries:
        data = pack(order, form, value)
        head += struct.pack(order + "HHL", tag, form, len(data) // SIZES[form])
        if len(data) <= 4:
            head += data.ljust(4, b"\0")
        else:
            head += struct.pack(order + "L", values_at + len(values))
            values += data + b"\0" * (len(data) & 1)
    return struct.pack(order + "H", len(entries)) + head + struct.pack(order + "L", following) + values


def tiff(main=(), exif=(), thumbnail=(), order="<", exif_first=False, gap=0):
    """A TIFF structure: IFD0, the Exif IFD (before IFD0 with exif_first), IFD1."""
    main, exif, thumbnail = list(main), list(exif), list(thumbnail)
    if exif:
        main = sorted(main + [(EXIF_IFD, LONG, 0)])
    size = {key: len(directory(order, entries, 0)) for key, entries in
            (("main", main), ("exif", exif), ("thumbnail", thumbnail))}
    exif_at = 8 if exif_first else 8 + size["main"] + gap
    main_at = 8 + size["exif"] + gap if exif_first else 8
    end = max(exif_at + (size["exif"] if exif else 0), main_at + size["main"])
    main = [(tag, form, exif_at if tag == EXIF_IFD else value) for tag, form, value in main]
    out = bytearray(end)
    out[:8] = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", main_at)
    out[main_at:main_at + size["main"]] = directory(order, main, main_at, end if thumbnail else 0)
    if exif:
        out[exif_at:exif_at + size["exif"]] = directory(order, exif, exif_at)
    return bytes(out) + (directory(order, thumbnail, end) if thumbnail else b"")


def segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


# Segments of an 8 x 8 grey JPEG without and with its scan.
TABLES = segment(0xDB, b"\0" + bytes([16] * 64))
FRAME = segment(0xC0, struct.pack(">BHHB", 8, 6, 8, 1) + b"\x01\x11\x00")
SCAN = (segment(0xC4, b"\0" + bytes([0, 1] + [0] * 14) + b"\0") + segment(0xC4, b"\x10" + bytes([0, 1] + [0] * 14) + b"\0")
        + segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x3f\xff\xd9")
JFIF = segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
XMP = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")


def app1(block, prefix=b"Exif\0\0"):
    return segment(0xE1, prefix + block)


def jpeg(*segments, tail=TABLES + FRAME + SCAN):
    return b"\xff\xd8" + b"".join(segments) + tail


def chunk(name, data):
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))


def png(*before, after=()):
    head = chunk(b"IHDR", struct.pack(">LLBBBBB", 8, 6, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(9 * 6)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(before) + pixels + b"".join(after) + chunk(b"IEND", b"")


def raw_profile(block, name=b"exif", compress=True):
    data = (b"Exif\0\0" + block).hex().encode()
    text = b"\n%s\n%8d\n" % (name, len(block) + 6) + b"\n".join(data[i:i + 72] for i in range(0, len(data), 72)) + b"\n"
    keyword = b"Raw profile type " + name + b"\0"
    return chunk(b"zTXt", keyword + b"\0" + zlib.compress(text)) if compress else chunk(b"tEXt", keyword + text)


def webp(*chunks):
    body = b"WEBP" + b"".join(name + struct.pack("<L", len(data)) + data + b"\0" * (len(data) & 1)
                              for name, data in chunks)
    return b"RIFF" + struct.pack("<L", len(body)) + body


VP8X = (b"VP8X", b"\x08\0\0\0" + b"\x07\0\0" + b"\x05\0\0")
VP8L = (b"VP8L", b"\x2f" + struct.pack("<L", 7 | 5 << 14) + b"\0" * 5)
VP8 = (b"VP8 ", b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", 8, 6) + b"\0" * 6)

CAMERA_MAIN = [(MAKE, ASCII, "NIKON CORPORATION"), (MODEL, ASCII, "NIKON D70"), (ORIENTATION, SHORT, 6)]
CAMERA_EXIF = [
    (EXPOSURE_TIME, RATIONAL, (1, 60)), (F_NUMBER, RATIONAL, (28, 10)), (PROGRAM, SHORT, 3), (ISO, SHORT, 400),
    (DATE, ASCII, "2004:08:27 13:52:55"), (SHUTTER, SRATIONAL, (6, 1)), (APERTURE, RATIONAL, (3, 1)),
    (BIAS, SRATIONAL, (-1, 3)), (METERING, SHORT, 2), (FLASH, SHORT, 0x19), (FOCAL, RATIONAL, (350, 10)),
    (EXPOSURE_MODE, SHORT, 1), (BALANCE, SHORT, 0), (FOCAL_35, SHORT, 52), (SCENE, SHORT, 3),
    (LENS, ASCII, "18-70mm f/3.5-4.5")]
CAMERA = {
    "make": "Nikon", "model": "NIKON D70", "orientation": 6, "width": 8, "height": 6, "exposure_time": 1 / 60,
    "f_number": 2.8, "exposure_program": "aperture priority", "iso": 400, "datetime_original": "2004:08:27 13:52:55",
    "shutter_speed": 1 / 64, "aperture": math.sqrt(8), "exposure_bias": -1 / 3, "metering_mode": "centerweighted",
    "flash": "fired in auto mode", "focal_length": 35, "exposure_mode": "manual", "white_balance": "auto",
    "focal_length_35mm": 52, "scene_capture_type": "night scene", "lens_model": "18-70mm f/3.5-4.5"}
EMPTY = {key: None for key in CAMERA} | {"width": 8, "height": 6}


def containers():
    """The same tags in every place where a file can keep them."""
    block, big = tiff(CAMERA_MAIN, CAMERA_EXIF), tiff(CAMERA_MAIN, CAMERA_EXIF, order=">")
    yield "plain.jpg", jpeg(app1(block)), CAMERA
    yield "big-endian.jpg", jpeg(app1(big)), CAMERA
    yield "after-jfif.jpg", jpeg(JFIF, app1(block)), CAMERA
    yield "after-xmp.jpg", jpeg(XMP, app1(block), XMP), CAMERA
    yield "after-frame.jpg", jpeg(TABLES, FRAME, app1(big), tail=SCAN), CAMERA
    yield "fill-bytes.jpg", jpeg(JFIF, b"\xff" * 5, app1(block), b"\xff\xff"), CAMERA
    yield "after-large-icc.jpg", jpeg(*[segment(0xE2, b"ICC_PROFILE\0" + bytes(65000))] * 3, app1(block)), CAMERA
    yield "no-second-nul.jpg", jpeg(app1(block, b"Exif\0\xff")), CAMERA
    yield "junk-before-exif.jpg", jpeg(app1(block, b"\0\0Exif\0\0")), CAMERA
    yield "exif-before-main.jpg", jpeg(app1(tiff(CAMERA_MAIN, CAMERA_EXIF, order=">", exif_first=True))), CAMERA
    yield "after-scan.jpg", jpeg(tail=TABLES + FRAME + SCAN[:-2] + app1(block) + b"\xff\xd9"), EMPTY
    yield "none.jpg", jpeg(JFIF), EMPTY
    yield "empty-exif.jpg", jpeg(app1(b"")), EMPTY
    yield "over-64k.jpg", jpeg(*extended(tiff(CAMERA_MAIN, CAMERA_EXIF, gap=100000))), CAMERA
    yield "thumbnail.jpg", jpeg(app1(tiff([], CAMERA_EXIF, [(MAKE, ASCII, "Thumb"), (MODEL, ASCII, "Thumb"),
                                                            (ORIENTATION, SHORT, 8)]))), \
        CAMERA | {"make": None, "model": None, "orientation": None}
    yield "mpf.jpg", jpeg(app1(block), segment(0xE2, b"MPF\0" + tiff([(MAKE, ASCII, "Second image")]))), CAMERA
    yield "exif.png", png(chunk(b"eXIf", block)), CAMERA
    yield "exif-after-pixels.png", png(after=[chunk(b"eXIf", big)]), CAMERA
    yield "raw-profile.png", png(raw_profile(block)), CAMERA
    yield "raw-profile-app1.png", png(raw_profile(big, b"APP1")), CAMERA
    yield "raw-profile-plain.png", png(after=[raw_profile(block, compress=False)]), CAMERA
    yield "none.png", png(chunk(b"tEXt", b"Comment\0nothing")), EMPTY
    yield "exif.webp", webp(VP8X, VP8, (b"EXIF", block)), CAMERA
    yield "exif-prefix.webp", webp(VP8X, VP8L, (b"EXIF", b"Exif\0\0" + big)), CAMERA
    yield "lossy.webp", webp(VP8), EMPTY
    yield "lossless.webp", webp(VP8L), EMPTY
    size = [(WIDTH, SHORT, 8), (HEIGHT, LONG, 6)]
    yield "little.tif", tiff(size + CAMERA_MAIN, CAMERA_EXIF), CAMERA
    yield "big.tif", tiff(size + CAMERA_MAIN, CAMERA_EXIF, order=">", gap=200000), CAMERA


def extended(block):
    return [app1(block[i:i + 65000]) for i in range(0, len(block), 65000)]


def values():
    """Values as they are stored by some camera or other, and those that mean nothing."""
    def one(name, tag, form, value, key, expected, order="<"):
        main = tag in (MAKE, MODEL, ORIENTATION)
        block = tiff([(tag, form, value)] if main else [], [] if main else [(tag, form, value)], order=order)
        return name + ".jpg", jpeg(app1(block)), EMPTY | {key: expected}

    for order, letter in (("<", "i"), (">", "m")):
        yield one("time-long-" + letter, EXPOSURE_TIME, RATIONAL, (10, 600), "exposure_time", 1 / 60, order)
        yield one("iso-long-" + letter, ISO, LONG, 51200, "iso", 51200, order)
        yield one("flash-byte-" + letter, FLASH, BYTE, 9, "flash", "fired", order)
        yield one("focal-double-" + letter, FOCAL, DOUBLE, 50.5, "focal_length", 50.5, order)
        yield one("number-float-" + letter, F_NUMBER, FLOAT, 3.5, "f_number", 3.5, order)
        yield one("bias-unsigned-" + letter, BIAS, RATIONAL, (2 ** 32 - 2, 3), "exposure_bias", -2 / 3, order)
    yield one("time-zero", EXPOSURE_TIME, RATIONAL, (0, 1), "exposure_time", None)
    yield one("time-no-denominator", EXPOSURE_TIME, RATIONAL, (1, 0), "exposure_time", None)
    yield one("time-nothing", EXPOSURE_TIME, RATIONAL, (0, 0), "exposure_time", None)
    yield one("time-negative", EXPOSURE_TIME, SRATIONAL, (-1, 60), "exposure_time", None)
    yield one("time-text", EXPOSURE_TIME, ASCII, "1/250", "exposure_time", 1 / 250)
    yield one("time-long-exposure", EXPOSURE_TIME, RATIONAL, (300, 10), "exposure_time", 30)
    yield one("number-unknown", F_NUMBER, RATIONAL, (2 ** 32 - 1, 1), "f_number", None)
    yield one("number-zero", F_NUMBER, RATIONAL, (0, 10), "f_number", None)
    yield one("focal-unknown", FOCAL, RATIONAL, (0, 100), "focal_length", None)
    yield one("focal-35-unknown", FOCAL_35, SHORT, 0, "focal_length_35mm", None)
    yield one("shutter-unsigned", SHUTTER, RATIONAL, (2 ** 32 - 2, 1), "shutter_speed", 4)
    yield one("shutter-long", SHUTTER, SRATIONAL, (-3, 2), "shutter_speed", 2 ** 1.5)
    yield one("shutter-absurd", SHUTTER, SRATIONAL, (2 ** 31 - 1, 1), "shutter_speed", None)
    yield one("aperture-one", APERTURE, RATIONAL, (0, 1), "aperture", 1)
    yield one("aperture-absurd", APERTURE, RATIONAL, (65535, 1), "aperture", None)
    yield one("bias-none", BIAS, SRATIONAL, (0, 0), "exposure_bias", None)
    yield one("bias-zero", BIAS, SRATIONAL, (0, 10), "exposure_bias", 0)
    yield one("bias-absurd", BIAS, SRATIONAL, (-32768, 1), "exposure_bias", None)
    yield one("bias-negative-denominator", BIAS, SRATIONAL, (1, -2), "exposure_bias", -0.5)
    yield one("iso-two", ISO, SHORT, [0, 200], "iso", 200)
    yield one("iso-two-equal", ISO, SHORT, [100, 100, 0], "iso", 100)
    yield one("iso-zero", ISO, SHORT, 0, "iso", None)
    yield one("iso-65535", ISO, SHORT, 65535, "iso", None)
    yield one("make-blank", MAKE, ASCII, "          ", "make", None)
    yield one("make-padded", MAKE, ASCII, "Canon     ", "make", "Canon")
    yield one("make-after-nul", MAKE, ASCII, b"SONY\0junk after\0", "make", "Sony")
    yield one("make-no-nul", MAKE, ASCII, b"FUJIFILM", "make", "FUJIFILM")
    yield one("make-short", MAKE, ASCII, b"LG\0", "make", "LG")
    yield one("make-unknown", MAKE, ASCII, "Acme Cameras of Ohio ", "make", "Acme Cameras of Ohio")
    yield one("model-utf8", MODEL, ASCII, "Caméra №1", "model", "Caméra №1")
    yield one("model-latin1", MODEL, ASCII, b"Cam\xe9ra\0", "model", "Cam?ra")
    yield one("model-undefined", MODEL, UNDEFINED, b"Model X\0", "model", "Model X")
    yield one("orientation-zero", ORIENTATION, SHORT, 0, "orientation", None)
    yield one("orientation-nine", ORIENTATION, SHORT, 9, "orientation", None)
    yield one("orientation-long", ORIENTATION, LONG, 8, "orientation", 8, ">")
    yield one("date-blank", DATE, ASCII, "    :  :     :  :  ", "datetime_original", None)
    yield one("date-zero", DATE, ASCII, "0000:00:00 00:00:00", "datetime_original", None)
    yield one("metering-unknown", METERING, SHORT, 0, "metering_mode", None)
    yield one("metering-other", METERING, SHORT, 255, "metering_mode", "others")
    yield one("metering-reserved", METERING, SHORT, 77, "metering_mode", None)
    yield one("program-undefined", PROGRAM, SHORT, 0, "exposure_program", None)
    yield one("balance-wrong", BALANCE, SHORT, 7, "white_balance", None)
    for code, name in ((0, "not fired"), (1, "fired"), (5, "fired"), (8, "not fired"), (0x10, "not fired"),
                       (0x18, "not fired in auto mode"), (0x1D, "fired in auto mode"), (0x20, "not fired"),
                       (0x59, "fired in auto mode"), (0x49, "fired")):
        yield one("flash-%02x" % code, FLASH, SHORT, code, "flash", name)
    for code, name in enumerate((None, "average", "centerweighted", "spot", "multi-spot", "multi-segment", "partial")):
        yield one("metering-%d" % code, METERING, SHORT, code, "metering_mode", name, ">")
    for code, name in enumerate((None, "manual control", "normal program", "aperture priority", "shutter priority",
                                 "creative program", "action program", "portrait mode", "landscape mode", None)):
        yield one("program-%d" % code, PROGRAM, SHORT, code, "exposure_program", name)
    for code, name in enumerate(("standard", "landscape", "portrait", "night scene")):
        yield one("scene-%d" % code, SCENE, SHORT, code, "scene_capture_type", name)
    for code, name in enumerate(("auto", "manual", "auto-bracketing", None)):
        yield one("mode-%d" % code, EXPOSURE_MODE, SHORT, code, "exposure_mode", name)


def structures():
    """Directories that are not as the standard wants them."""
    large = [(ISO, SHORT, 65535), (ISO_SPEED, LONG, 102400)]
    yield "iso-large.jpg", jpeg(app1(tiff([], large))), EMPTY | {"iso": 102400}
    recommended = [(ISO, SHORT, 65535), (RECOMMENDED_INDEX, LONG, 204800)]
    yield "iso-recommended.jpg", jpeg(app1(tiff([], recommended))), EMPTY | {"iso": 204800}
    unsorted = list(reversed(CAMERA_EXIF))
    yield "unsorted.jpg", jpeg(app1(tiff(CAMERA_MAIN[::-1], unsorted))), CAMERA
    yield "all-in-main.jpg", jpeg(app1(tiff(sorted(CAMERA_MAIN + CAMERA_EXIF)))), CAMERA
    note = [(MAKER_NOTE, UNDEFINED, b"Nikon\0\x02\x10\0\0" + tiff([(2, SHORT, [0, 6400])], order=">"))]
    yield "maker-note.jpg", jpeg(app1(tiff(CAMERA_MAIN, sorted(CAMERA_EXIF + note)))), CAMERA
    twice = [(FOCAL, RATIONAL, (50, 1)), (FOCAL, RATIONAL, (85, 1)), (BALANCE, SHORT, 1), (BALANCE, SHORT, 0)]
    yield "twice.jpg", jpeg(app1(tiff([], twice))), EMPTY | {"focal_length": 85, "white_balance": "manual"}
    yield "two-blocks.jpg", jpeg(app1(tiff([(MAKE, ASCII, "Canon"), (ORIENTATION, SHORT, 3)])),
                                 app1(tiff([(MAKE, ASCII, "SONY"), (ORIENTATION, SHORT, 1)], order=">"))), \
        EMPTY | {"make": "Sony", "orientation": 3}
    block = tiff([(MAKE, ASCII, "Canon")], [(ISO, SHORT, 100)])
    loop = bytearray(block)
    struct.pack_into("<L", loop, 8 + 2 + 12 + 8, 8)  # the Exif IFD is IFD0 again
    yield "loop.jpg", jpeg(app1(bytes(loop))), EMPTY | {"make": "Canon"}
    far = bytearray(block)
    struct.pack_into("<L", far, 8 + 2 + 12 + 8, 0x7FFFFFFF)
    yield "pointer-outside.jpg", jpeg(app1(bytes(far))), EMPTY | {"make": "Canon"}
    outside = bytearray(tiff([(MAKE, ASCII, "Somebody"), (MODEL, ASCII, "Something")]))
    struct.pack_into("<L", outside, 8 + 2 + 8, 0xFFFFFFF0)
    yield "value-outside.jpg", jpeg(app1(bytes(outside))), EMPTY | {"model": "Something"}
    huge = bytearray(outside)
    struct.pack_into("<L", huge, 8 + 2 + 4, 0xFFFFFFFF)
    yield "value-huge.jpg", jpeg(app1(bytes(huge))), EMPTY | {"model": "Something"}
    over = bytearray(outside)
    struct.pack_into("<L", over, 8 + 2 + 8, 8)
    yield "value-over-directory.jpg", jpeg(app1(bytes(over))), EMPTY | {"model": "Something"}
    many = bytearray(block)
    struct.pack_into("<H", many, 8, 0xFFFF)
    yield "too-many-entries.jpg", jpeg(app1(bytes(many))), EMPTY
    form = bytearray(tiff([(MODEL, ASCII, "M1"), (MAKE, ASCII, "Canon")]))
    struct.pack_into("<H", form, 8 + 2 + 12 + 2, 99)
    yield "wrong-format.jpg", jpeg(app1(bytes(form))), EMPTY | {"model": "M1"}
    yield "no-header.jpg", jpeg(app1(b"XX" + block[2:])), EMPTY
    yield "cut-block.jpg", jpeg(app1(block[:20])), EMPTY


def write(folder):
    expected = {}
    os.makedirs(folder, exist_ok=True)
    for source in (containers, values, structures):
        for name, data, tags in source():
            assert name not in expected, name
            expected[name] = tags
            with open(os.path.join(folder, name), "wb") as out:
                out.write(data)
    with open(os.path.join(folder, "expected.json"), "w") as out:
        json.dump(expected, out)


def check(folder):
    expected = json.load(open(os.path.join(folder, "expected.json")))
    wrong = 0
    for line in sys.stdin:
        record = json.loads(line)
        if record["type"] != "photo":
            continue
        got = {key: record.get(key) for key in ("width", "height", "orientation")} | record["exif"]
        name = os.path.basename(record["id"])
        for key, value in expected.pop(name).items():
            same = got.get(key) == value or (isinstance(value, float) and isinstance(got.get(key), (int, float))
                                             and math.isclose(got[key], value, rel_tol=1e-12))
            if not same:
                print("%s: %s is %r, expected %r" % (name, key, got.get(key), value))
                wrong += 1
    for name in expected:
        print("%s: no record" % name)
    sys.exit(1 if wrong or expected else 0)


if sys.argv[1] == "--check":
    check(sys.argv[2])
else:
    write(sys.argv[1])
