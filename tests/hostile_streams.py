#!/usr/bin/python3
"""Writes streams that are msgpack but wrong in structure, and model files that lie, for hostile.bats.

Usage: hostile_streams.py FOLDER. Makes FOLDER/good; FOLDER/records/NAME, each good but for its third record;
FOLDER/segments/NAME, wrong as a whole; FOLDER/empty/NAME, without a single record; FOLDER/scores/NAME, whose last
record is wrong; FOLDER/tensors/NAME, detector files by their headers.
"""
import json, math, os, random, struct, sys


class Raw(bytes):
    """Bytes that are msgpack already."""


def pack(value):
    if isinstance(value, Raw):
        return bytes(value)
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return b"\xd3" + struct.pack(">q", value) if value < 2**63 else b"\xcf" + struct.pack(">Q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\xdb" + struct.pack(">I", len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
    pairs = value.items() if isinstance(value, dict) else value  # a tuple of pairs may hold a key twice
    return b"\xdf" + struct.pack(">I", len(pairs)) + b"".join(pack(k) + pack(v) for k, v in pairs)


def floats(*values):
    return struct.pack("<%df" % len(values), *values)


def header(kind="embedding", **more):
    return {"type": "header", "blades": 1, "kind": kind, **more}


def trailer(records, errors=0):
    return {"type": "trailer", "records": records, "errors": errors}


def write(name, *parts):
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as file:
        for part in parts:
            file.write(pack(part))


draw = random.Random(1)
os.chdir(sys.argv[1])
normal = lambda n=4: floats(*[draw.gauss(0, 1) for _ in range(n)])
face = lambda vector, **more: {"type": "embedding", "id": "odd", "vector": vector, "label": "photographic", **more}
faces = [{"type": "embedding", "id": "%s%02d" % (label[0], i), "vector": normal(), "label": label, "source": label[0]}
         for label in ("photographic", "generated") for i in range(12)]
error = {"type": "error", "id": "lost", "stage": "embed", "reason": "no image"}
write("./good", header(), *faces, trailer(24))

# Vectors that are none. gmm-fit, mlp-fit and tsne refuse them by record, score makes error records of them.
deep = Raw(b"\x91" * 28 + b"\xc0")
for name, record in {
    "missing": {"type": "embedding", "id": "odd"}, "nil": face(None), "text": face("abcd"), "number": face(7),
    "array": face([1.0, 2.0, 3.0, 4.0]), "map": face({"a": 1.0}), "empty": face(b""), "odd-bytes": face(b"\0" * 15),
    "shorter": face(normal(3)), "longer": face(normal(5)), "gigantic": face(bytes(4 * 65537)),
    "nan": face(floats(1, math.nan, 0, 0)), "infinite": face(floats(1, 0, -math.inf, 0)), "huge": face(floats(3e38, 0, 0, 0)),
    "extension": face(Raw(b"\xc7\x10\x05" + normal())), "nested": face(deep),
    "twice": (("type", "embedding"), ("id", "odd"), ("vector", normal(5)), ("vector", normal())),
}.items():
    write("records/" + name, header(), *faces[:2], record, *faces[2:], trailer(25))

# What no tool takes, whatever it wants of the records.
third = lambda *parts: [header(), *faces[:2], *parts, *faces[2:], trailer(25)]
for name, parts in {
    "map-of-billions": third(Raw(b"\xdf\xff\xff\xff\xff")), "array-of-billions": third(Raw(b"\x81\xa4type\xdd\xff\xff\xff\xff")),
    "binary-of-gigabytes": third(Raw(b"\x81\xa4type\xc6\xff\xff\xff\xff")), "deep": third(Raw(b"\x81\xa4type" + b"\x91" * 1000 + b"\xc0")),
    "number-key": third({"type": "embedding", 7: 8}), "no-map": third([1, 2]), "nil": third(None), "no-type": third({"id": "odd"}),
    "type-number": third({"type": 1}), "other-type": third({"type": "face", "id": "odd"}),
    "header-inside": third(header()), "two-headers": [header(), header(), *faces, trailer(24)],
    "no-header": [*faces, trailer(24)], "no-trailer": [header(), *faces], "nothing-behind-header": [header()],
    "few-counted": [header(), *faces, trailer(23)], "negative-count": [header(), *faces, trailer(-1)],
    "real-count": [header(), *faces, {"type": "trailer", "records": 24.0, "errors": 0}],
    "text-count": [header(), *faces, {"type": "trailer", "records": "24", "errors": "0"}],
    "no-count": [header(), *faces, {"type": "trailer"}], "errors-counted": [header(), *faces, trailer(24, 1)],
    "vast-count": [header(), *faces, trailer(2**64 - 1)], "rest": [header(), *faces, trailer(24), Raw(b"\0")],
    "version": [{**header(), "blades": 2}, *faces, trailer(24)], "version-text": [{**header(), "blades": "1"}, *faces, trailer(24)],
    "no-kind": [{"type": "header", "blades": 1}, *faces, trailer(24)], "kind-number": [header(4), *faces, trailer(24)],
    "kind-nul": [header("embedding\0"), *faces, trailer(24)], "kind-changes": [header(), *faces, trailer(24), header("score"), trailer(0)],
}.items():
    write("segments/" + name, *parts)
write("empty/no-records", header(), trailer(0))
write("empty/only-errors", header(), error, error, trailer(0, 2))
for model in ("aa", "bb"):
    write("./model-" + model, header(model=model), *faces, trailer(24))
write("./two-models", header(model="aa"), *faces, trailer(24), header(model="bb"), faces[0], trailer(1))

# Scores.
score = lambda value, **more: {"type": "score", "id": "odd", "label": "generated", "source": "g", "score": value, **more}
scores = [{**score(draw.random()), "id": "%s%d" % (label[0], i), "label": label, "source": label[0]}
          for label in ("photographic", "generated") for i in range(5)]
kind = header("score", detector="gmm", higher="photographic", threshold=0.5)
for name, record in {"nan": score(math.nan), "infinite": score(math.inf), "text": score("1"), "nil": score(None), "boolean": score(True),
                     "array": score([0.5]), "missing": {"type": "score", "id": "odd"}}.items():
    write("scores/" + name, kind, *scores, record, trailer(11))

# Detectors: a diagonal mixture of two components in four dimensions, and what its header may claim instead.
data = struct.pack("<18d", 0.5, 0.5, *[0.0] * 8, *[1.0] * 8)
layout = {"weights": [2], "means": [2, 4], "covariances": [2, 4]}
pairs = {"blades_kind": "gmm", "covariance": "diagonal", "higher": "photographic", "threshold": "-4", "calibration": "none"}


def detector(name, metadata=pairs, bytes_=data, **changes):
    table, at = {}, 0
    for tensor, shape in layout.items():
        table[tensor] = {"dtype": "F64", "shape": shape, "data_offsets": [at, at + 8 * math.prod(shape)]}
        at += 8 * math.prod(shape)
        table[tensor].update(changes.get(tensor, {}))
    text = json.dumps({"__metadata__": metadata, **table}).encode()
    write("tensors/" + name, Raw(struct.pack("<Q", len(text)) + text + bytes_))


detector("../detector")
for name, change in {
    "flat": {"shape": [8]}, "turned": {"shape": [4, 2]}, "negative": {"shape": [-2, -4]}, "vast": {"shape": [2**40, 2**40]},
    "wraps": {"shape": [2**62, 4]}, "many": {"shape": [2, 2, 2, 1, 1, 1, 1, 1, 1]}, "text": {"shape": "24"}, "type": {"dtype": "Q7"},
    "halves": {"dtype": "F16"}, "overlaps": {"data_offsets": [0, 64]}, "beyond": {"data_offsets": [16, 2**50]},
    "backwards": {"data_offsets": [80, 16]}, "before": {"data_offsets": [-64, 0]}, "real": {"data_offsets": [16.0, 80.0]},
}.items():
    detector(name, means=change)
for name, change in {"kind": {"blades_kind": "tree"}, "form": {"covariance": "round"}, "threshold": {"threshold": "nan"},
                     "overflow": {"threshold": "1e999"}, "word": {"threshold": "odd"}, "number": {"threshold": 4}}.items():
    detector(name, {**pairs, **change})
detector("no-metadata", {})
detector("short", bytes_=data[:-8])
detector("long", bytes_=data + bytes(8))
detector("nan", bytes_=data[:24] + struct.pack("<d", math.nan) + data[32:])
detector("variance", bytes_=data[:-8] + struct.pack("<d", -1))
detector("weights", bytes_=struct.pack("<2d", 0.5, 0.6) + data[16:])
for name, text in {"no-json": b"hello", "list": b"[1,2]", "nested": b"[" * 100000, "twice": b'{"a":0,"a":0}'}.items():
    write("tensors/" + name, Raw(struct.pack("<Q", len(text)) + text))
write("tensors/length", Raw(b"\xff" * 8 + b"{}"))
write("tensors/nothing", Raw(b""))
